-- What assigners do besides choosing, set-wise, and what people change about experts. Locks as in the
-- file before: dispatch, assignment, expert_load, expert, each sorted.

CREATE OR REPLACE FUNCTION squad.expert_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO expert_load (expert_id) SELECT f.id FROM fresh f ON CONFLICT DO NOTHING;
    END IF;
    INSERT INTO outbox (aggregatetype, aggregateid, type, payload)
    SELECT 'expert', f.id::text, 'squad.expert.changed.v1',
           json_build_object('expert_id', f.id, 'version', f.version, 'active', f.active, 'status', f.status)
      FROM fresh f ORDER BY f.id;
    RETURN NULL;
END $$;

CREATE FUNCTION squad.epoch_us(p_at timestamptz) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN p_at = '-infinity' THEN -9223372036854775808 WHEN isfinite(p_at) THEN (extract(epoch FROM p_at) * 1000000)::bigint
            WHEN p_at IS NOT NULL THEN 9223372036854775807 END;
COMMENT ON FUNCTION squad.epoch_us(timestamptz) IS 'Microseconds since 1970 as the programs count; infinity is the largest bigint.';

CREATE VIEW squad.roster AS
SELECT e.id, e.version, e.active, l.load, l.capacity, squad.epoch_us(l.idle_since) AS idle_since_us,
       coalesce((SELECT string_agg(s.skill || ':' || s.level, ',' ORDER BY s.skill)
                   FROM squad.expert_skill s WHERE s.expert_id = e.id), '') AS skills,
       coalesce((SELECT string_agg(a.prefix, ',' ORDER BY a.prefix)
                   FROM squad.expert_area a WHERE a.expert_id = e.id), '') AS areas,
       e.status = 'available' AS available, e.schedule = 'always' AS always,
       squad.epoch_us(lower(w.during)) AS shift_from_us, squad.epoch_us(upper(w.during)) AS shift_to_us,
       squad.epoch_us(lower(x.during)) AS absence_from_us, squad.epoch_us(coalesce(upper(x.during), 'infinity')) AS absence_to_us,
       e.home_lat, e.home_lon, p.lat, p.lon, squad.epoch_us(p.at) AS at_us
  FROM squad.expert e
  JOIN squad.expert_load l ON l.expert_id = e.id
  LEFT JOIN squad.expert_location p ON p.expert_id = e.id
  LEFT JOIN LATERAL (SELECT r.during
                       FROM (SELECT unnest(range_agg(s.during)) AS during FROM squad.expert_shift s
                              WHERE s.expert_id = e.id AND upper(s.during) > clock_timestamp()
                                AND lower(s.during) < clock_timestamp() + interval '3 days') AS r
                      ORDER BY r.during LIMIT 1) AS w ON e.schedule = 'shifts'
  LEFT JOIN LATERAL (SELECT r.during
                       FROM (SELECT unnest(range_agg(b.during)) AS during FROM squad.absence b
                              WHERE b.expert_id = e.id
                                AND (upper_inf(b.during) OR upper(b.during) > clock_timestamp())) AS r
                      ORDER BY r.during LIMIT 1) AS x ON true;
COMMENT ON VIEW   squad.roster IS 'Experts as assigners keep them in memory, one row each.';
COMMENT ON COLUMN squad.roster.id IS 'Number of the expert.';
COMMENT ON COLUMN squad.roster.version IS 'expert.version.';
COMMENT ON COLUMN squad.roster.active IS 'expert.active.';
COMMENT ON COLUMN squad.roster.load IS 'expert_load.load.';
COMMENT ON COLUMN squad.roster.capacity IS 'expert_load.capacity.';
COMMENT ON COLUMN squad.roster.idle_since_us IS 'expert_load.idle_since in microseconds since 1970.';
COMMENT ON COLUMN squad.roster.skills IS 'Skills with levels, as internet:3,tv:2.';
COMMENT ON COLUMN squad.roster.areas IS 'Beginnings of postcodes, as 280,281.';
COMMENT ON COLUMN squad.roster.available IS 'Presence is available.';
COMMENT ON COLUMN squad.roster.always IS 'Works by presence alone, without shifts.';
COMMENT ON COLUMN squad.roster.shift_from_us IS 'Beginning of the present or next working time (shifts that follow each other joined), in microseconds since 1970; null: none within three days.';
COMMENT ON COLUMN squad.roster.shift_to_us IS 'Its end.';
COMMENT ON COLUMN squad.roster.absence_from_us IS 'Beginning of the present or next absence, in microseconds since 1970; null: none.';
COMMENT ON COLUMN squad.roster.absence_to_us IS 'Its end; the largest bigint: open.';
COMMENT ON COLUMN squad.roster.home_lat IS 'expert.home_lat.';
COMMENT ON COLUMN squad.roster.home_lon IS 'expert.home_lon.';
COMMENT ON COLUMN squad.roster.lat IS 'expert_location.lat.';
COMMENT ON COLUMN squad.roster.lon IS 'expert_location.lon.';
COMMENT ON COLUMN squad.roster.at_us IS 'expert_location.at in microseconds since 1970.';

CREATE INDEX expert_location_xid ON squad.expert_location (xid);
COMMENT ON INDEX squad.expert_location_xid IS 'For sql/queries/assigner/roster_changes.sql.';

CREATE FUNCTION squad.offers_expire(p_limit integer, p_actor text)
RETURNS TABLE (ticket_id uuid, expert_id integer, on_break boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_ids uuid[] := ARRAY(SELECT a.id FROM assignment a WHERE a.state = 'offered' AND a.expires_at <= statement_timestamp()
                           ORDER BY a.expires_at LIMIT p_limit);
    v_tired integer[];
BEGIN
    IF v_ids = '{}' THEN
        RETURN;
    END IF;
    PERFORM tickets_hold(ARRAY(SELECT a.ticket_id FROM assignment a WHERE a.id = ANY (v_ids)));
    v_ids := ARRAY(SELECT a.id FROM assignment a WHERE a.id = ANY (v_ids) AND a.state = 'offered');
    v_tired := ARRAY(SELECT DISTINCT x.expert_id
                       FROM assignments_end(v_ids, 'timed_out', 'no answer in time', p_actor) AS x, policy y
                      WHERE x.timeouts >= y.timeouts_to_break);
    RETURN QUERY
    WITH tired AS (
        UPDATE expert e
           SET status = 'break', status_since = clock_timestamp(),
               status_reason = format('%s offers in a row timed out', l.timeouts)
          FROM expert_load l
         WHERE e.id = ANY (v_tired) AND l.expert_id = e.id AND e.status = 'available'
        RETURNING e.id, e.status_reason
    ), history AS (
        INSERT INTO expert_event (expert_id, kind, actor, detail)
        SELECT t.id, 'status', p_actor, jsonb_build_object('from', 'available', 'to', 'break', 'reason', t.status_reason)
          FROM tired t ORDER BY t.id
    ), told AS (
        INSERT INTO outbox (aggregatetype, aggregateid, type, payload)
        SELECT 'expert', t.id::text, 'squad.expert.break.v1', json_build_object('expert_id', t.id, 'reason', 'timed_out')
          FROM tired t ORDER BY t.id
    )
    SELECT a.ticket_id, a.expert_id, t.id IS NOT NULL
      FROM assignment a LEFT JOIN tired t ON t.id = a.expert_id WHERE a.id = ANY (v_ids);
END $$;
COMMENT ON FUNCTION squad.offers_expire(integer, text) IS
    'Times out at most p_limit offers that were not answered in time, frees their slots and sends the tickets on; sets experts on break who let policy.timeouts_to_break in a row pass.';

CREATE FUNCTION squad.offers_rescind(p_experts integer[], p_actor text) RETURNS TABLE (ticket_id uuid, expert_id integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_off integer[] := ARRAY(SELECT e.id FROM expert e
                              WHERE e.id = ANY (p_experts)
                                AND (NOT e.active OR e.status = 'offline'
                                     OR EXISTS (SELECT FROM absence x WHERE x.expert_id = e.id AND x.during @> clock_timestamp())));
    v_requeue boolean := (SELECT y.off_work = 'requeue' FROM policy y);
    v_ids uuid[];
BEGIN
    v_ids := ARRAY(SELECT a.id FROM assignment a
                    WHERE a.expert_id = ANY (v_off) AND a.ended_at IS NULL
                      AND (a.state IN ('reserved', 'offered') OR v_requeue AND a.state = 'accepted') AND a.override IS NULL);
    IF v_ids = '{}' THEN
        RETURN;
    END IF;
    PERFORM tickets_hold(ARRAY(SELECT a.ticket_id FROM assignment a WHERE a.id = ANY (v_ids)));
    v_ids := ARRAY(SELECT a.id FROM assignment a
                    WHERE a.id = ANY (v_ids) AND a.ended_at IS NULL
                      AND (a.state IN ('reserved', 'offered') OR v_requeue AND a.state = 'accepted'));
    RETURN QUERY SELECT x.ticket_id, x.expert_id
                   FROM assignments_end(v_ids, 'rescinded', 'the expert went off', p_actor) AS x;
END $$;
COMMENT ON FUNCTION squad.offers_rescind(integer[], text) IS
    'Takes back the offers of those of the experts who are offline, inactive or absent (and, by policy.off_work, what they have accepted but not begun). What a manager assigned against the rules stays.';

CREATE FUNCTION squad.waiting_tell(p_limit integer, p_actor text) RETURNS TABLE (ticket_id uuid, whom text)
LANGUAGE sql SECURITY DEFINER SET search_path = squad, pg_temp
BEGIN ATOMIC
    WITH due AS (
        SELECT d.ticket_id FROM squad.dispatch d
         WHERE d.state = 'parked' AND d.tell_at <= statement_timestamp()
         ORDER BY d.tell_at LIMIT p_limit FOR UPDATE SKIP LOCKED
    ), facts AS (
        SELECT d.ticket_id, d.routable_at,
               d.manager_told_at IS NULL AND d.routable_at + p.manager_s * interval '1 second' <= clock_timestamp() AS manager,
               d.customer_told_at IS NULL AND d.routable_at + p.customer_s * interval '1 second' <= clock_timestamp() AS customer,
               p.manager_s, p.customer_s
          FROM due JOIN squad.dispatch d ON d.ticket_id = due.ticket_id JOIN squad.priority p ON p.priority = d.priority
    ), told AS (
        UPDATE squad.dispatch d
           SET manager_told_at = CASE WHEN f.manager THEN clock_timestamp() ELSE d.manager_told_at END,
               customer_told_at = CASE WHEN f.customer THEN clock_timestamp() ELSE d.customer_told_at END,
               tell_at = least(CASE WHEN d.manager_told_at IS NULL AND NOT coalesce(f.manager, false)
                                    THEN f.routable_at + f.manager_s * interval '1 second' END,
                               CASE WHEN d.customer_told_at IS NULL AND NOT coalesce(f.customer, false)
                                    THEN f.routable_at + f.customer_s * interval '1 second' END)
          FROM facts f WHERE d.ticket_id = f.ticket_id
        RETURNING d.ticket_id, f.manager, f.customer
    ), news AS (
        SELECT t.ticket_id, w.whom
          FROM told t, LATERAL (VALUES ('manager', t.manager), ('customer', t.customer)) AS w (whom, now) WHERE w.now
    ), history AS (
        INSERT INTO squad.ticket_event (ticket_id, kind, actor)
        SELECT n.ticket_id, n.whom || '_told', p_actor FROM news n ORDER BY n.ticket_id, n.whom DESC
    ), published AS (
        INSERT INTO squad.outbox (aggregatetype, aggregateid, type, payload)
        SELECT 'ticket', n.ticket_id::text, 'squad.ticket.waiting.v1',
               json_build_object('ticket_id', n.ticket_id, 'tell', n.whom)
          FROM news n ORDER BY n.ticket_id, n.whom DESC
    )
    SELECT n.ticket_id, n.whom FROM news n;
END;
COMMENT ON FUNCTION squad.waiting_tell(integer, text) IS
    'Says of at most p_limit waiting tickets that they wait: to the manager at T1, to the customer at T2 (squad.priority). Once each.';

CREATE FUNCTION squad.waiting_for(p_experts integer[], p_free integer[]) RETURNS TABLE (expert_id integer, ticket_id uuid)
LANGUAGE sql STABLE SET search_path = squad, pg_temp
BEGIN ATOMIC
    SELECT x.expert_id, w.ticket_id
      FROM unnest(p_experts, p_free) AS x (expert_id, free)
      JOIN squad.expert e ON e.id = x.expert_id AND e.active AND e.status = 'available',
           LATERAL (
               SELECT d.ticket_id
                 FROM squad.ticket_type y,
                      LATERAL (SELECT tstzrange(clock_timestamp(), clock_timestamp() + y.duration_s * interval '1 second') AS job) AS j,
                      -- The requirement that the expert lacks and that is dropped last; null: he lacks none.
                      LATERAL (SELECT min(r.importance) AS importance
                                 FROM squad.ticket_type_skill r
                                 LEFT JOIN squad.expert_skill s ON s.expert_id = x.expert_id AND s.skill = r.skill
                                WHERE r.type = y.type AND coalesce(s.level, 0) < r.min_level) AS lacks,
                      squad.expert_area a,
                      LATERAL (
                          WITH RECURSIVE kinds AS (
                              (SELECT k.area, k.priority FROM squad.dispatch k
                                WHERE k.state = 'parked' AND k.type = y.type AND k.area COLLATE "C" >= a.prefix COLLATE "C"
                                ORDER BY k.area COLLATE "C", k.priority LIMIT 1)
                              UNION ALL
                              (SELECT n.area, n.priority
                                 FROM kinds o,
                                      LATERAL (SELECT k.area, k.priority FROM squad.dispatch k
                                                WHERE k.state = 'parked' AND k.type = y.type
                                                  AND (k.area COLLATE "C", k.priority) > (o.area COLLATE "C", o.priority)
                                                ORDER BY k.area COLLATE "C", k.priority LIMIT 1) AS n
                                WHERE starts_with(o.area, a.prefix))
                          )
                          SELECT kinds.area, kinds.priority FROM kinds WHERE starts_with(kinds.area, a.prefix)
                      ) AS kind
                 JOIN squad.priority p ON p.priority = kind.priority,
                      LATERAL (
                          SELECT h.* FROM (
                              SELECT k.ticket_id, k.priority, k.assign_due, k.created_at, k.routable_at
                                FROM squad.dispatch k
                               WHERE k.state = 'parked' AND k.type = y.type AND k.area COLLATE "C" = kind.area COLLATE "C"
                                 AND k.priority = kind.priority
                               ORDER BY k.assign_due, k.created_at, k.ticket_id
                               LIMIT x.free + 100) AS h
                           WHERE h.routable_at <= clock_timestamp() - interval '1 second' *
                                 CASE lacks.importance WHEN 3 THEN p.relax_3_s WHEN 2 THEN p.relax_2_s WHEN 1 THEN p.relax_1_s ELSE 0 END
                             AND NOT EXISTS (SELECT FROM squad.exclusion q
                                              WHERE q.ticket_id = h.ticket_id AND q.expert_id = x.expert_id
                                                AND (q.until IS NULL OR q.until > clock_timestamp()))
                           LIMIT x.free) AS d
                WHERE a.expert_id = x.expert_id AND lacks.importance IS DISTINCT FROM 0
                  AND NOT EXISTS (SELECT FROM squad.expert_area b
                                   WHERE b.expert_id = x.expert_id AND b.prefix <> a.prefix AND starts_with(a.prefix, b.prefix))
                  AND (e.schedule = 'always'
                       OR coalesce((SELECT range_agg(s.during) @> j.job FROM squad.expert_shift s
                                     WHERE s.expert_id = x.expert_id AND s.during && j.job), false))
                  AND NOT EXISTS (SELECT FROM squad.absence b WHERE b.expert_id = x.expert_id AND b.during && j.job)
                ORDER BY d.assign_due > clock_timestamp(), d.priority, d.assign_due, d.created_at, d.ticket_id
                LIMIT x.free) AS w;
END;
COMMENT ON FUNCTION squad.waiting_for(integer[], integer[]) IS
    'The best waiting tickets that each expert may take, at most as many as the free slots given: past due first, then by priority, then the earliest due (among equals the oldest). Reads the first tickets of each type, postcode and priority that the expert can serve, not all that wait.';

-- What is changed about experts.
CREATE FUNCTION squad.expert_status_set(p_expert integer, p_status text, p_reason text, p_actor text)
RETURNS TABLE (outcome text, status text, rescinded integer, keeps integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_was text;
    v_ids uuid[] := '{}';
    v_ended integer := 0;
BEGIN
    IF p_status = 'offline' THEN
        v_ids := ARRAY(SELECT a.id FROM assignment a, policy y
                        WHERE a.expert_id = p_expert AND a.ended_at IS NULL
                          AND (a.state IN ('reserved', 'offered') OR y.off_work = 'requeue' AND a.state = 'accepted'));
    END IF;
    PERFORM tickets_hold(ARRAY(SELECT a.ticket_id FROM assignment a WHERE a.id = ANY (v_ids)), p_expert);
    SELECT count(*) INTO v_ended
      FROM assignments_end(ARRAY(SELECT a.id FROM assignment a, policy y
                                  WHERE a.id = ANY (v_ids) AND a.ended_at IS NULL
                                    AND (a.state IN ('reserved', 'offered') OR y.off_work = 'requeue' AND a.state = 'accepted')),
                           'rescinded', 'the expert went off', p_actor);
    v_was := (SELECT e.status FROM expert e WHERE e.id = p_expert FOR NO KEY UPDATE);
    IF v_was IS NULL THEN
        RETURN QUERY SELECT 'missing', NULL::text, 0, 0;
        RETURN;
    END IF;
    IF v_was <> p_status THEN
        UPDATE expert_load l SET timeouts = 0 WHERE l.expert_id = p_expert AND p_status = 'available' AND l.timeouts > 0;
        UPDATE expert e SET status = p_status, status_since = clock_timestamp(), status_reason = p_reason WHERE e.id = p_expert;
        INSERT INTO expert_event (expert_id, kind, actor, detail)
        VALUES (p_expert, 'status', p_actor, jsonb_strip_nulls(jsonb_build_object('from', v_was, 'to', p_status, 'reason', p_reason)));
    END IF;
    RETURN QUERY
    SELECT CASE v_was WHEN p_status THEN 'already' ELSE 'changed' END, p_status, v_ended,
           (SELECT count(*)::integer FROM assignment a WHERE a.expert_id = p_expert AND a.ended_at IS NULL);
END $$;
COMMENT ON FUNCTION squad.expert_status_set(integer, text, text, text) IS
    'Sets the presence of an expert: available, busy, break or offline. Offline rescinds the offers at once. rescinded: how many; keeps: live assignments that stay. outcome: changed, already, missing.';

CREATE FUNCTION squad.expert_location_set(p_experts integer[], p_lats float8[], p_lons float8[], p_ats timestamptz[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
DECLARE
    n integer;
BEGIN
    INSERT INTO expert_location AS l (expert_id, lat, lon, at)
    SELECT DISTINCT ON (i.expert_id) i.expert_id, i.lat, i.lon, i.at
      FROM unnest(p_experts, p_lats, p_lons, p_ats) AS i (expert_id, lat, lon, at) JOIN expert e ON e.id = i.expert_id
     ORDER BY i.expert_id, i.at DESC
    ON CONFLICT (expert_id) DO UPDATE SET lat = excluded.lat, lon = excluded.lon, at = excluded.at WHERE excluded.at > l.at;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END $$;
COMMENT ON FUNCTION squad.expert_location_set(integer[], float8[], float8[], timestamptz[]) IS
    'Positions of experts, set-wise; one older than what is known changes nothing. Returns how many were new.';

CREATE FUNCTION squad.expert_skills_set(p_expert integer, p_skills text[], p_levels integer[], p_actor text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
BEGIN
    PERFORM FROM expert e WHERE e.id = p_expert FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN 'missing';
    ELSIF EXISTS (SELECT FROM unnest(p_skills) AS i (name) WHERE NOT EXISTS (SELECT FROM skill s WHERE s.skill = i.name)) THEN
        RETURN 'unknown_skill';
    END IF;
    INSERT INTO expert_event (expert_id, kind, actor, detail)
    SELECT p_expert, 'skills', p_actor,
           jsonb_build_object('from', coalesce((SELECT jsonb_object_agg(s.skill, s.level) FROM expert_skill s WHERE s.expert_id = p_expert), '{}'),
                              'to', coalesce((SELECT jsonb_object_agg(i.skill, i.level) FROM unnest(p_skills, p_levels) AS i (skill, level)), '{}'));
    DELETE FROM expert_skill s WHERE s.expert_id = p_expert AND s.skill <> ALL (p_skills);
    INSERT INTO expert_skill AS s (expert_id, skill, level)
    SELECT p_expert, i.skill, i.level FROM unnest(p_skills, p_levels) AS i (skill, level)
    ON CONFLICT (expert_id, skill) DO UPDATE SET level = excluded.level WHERE s.level <> excluded.level;
    RETURN 'changed';
END $$;
COMMENT ON FUNCTION squad.expert_skills_set(integer, text[], integer[], text) IS 'Replaces the skills of an expert. Returns changed, missing or unknown_skill.';

CREATE FUNCTION squad.expert_areas_set(p_expert integer, p_prefixes text[], p_actor text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
BEGIN
    PERFORM FROM expert e WHERE e.id = p_expert FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN 'missing';
    END IF;
    INSERT INTO expert_event (expert_id, kind, actor, detail)
    SELECT p_expert, 'areas', p_actor,
           jsonb_build_object('from', to_jsonb(ARRAY(SELECT a.prefix FROM expert_area a WHERE a.expert_id = p_expert ORDER BY 1)),
                              'to', to_jsonb(p_prefixes));
    DELETE FROM expert_area a WHERE a.expert_id = p_expert AND a.prefix <> ALL (p_prefixes);
    INSERT INTO expert_area (expert_id, prefix) SELECT p_expert, i.prefix FROM unnest(p_prefixes) AS i (prefix) ON CONFLICT DO NOTHING;
    RETURN 'changed';
END $$;
COMMENT ON FUNCTION squad.expert_areas_set(integer, text[], text) IS 'Replaces the areas of an expert: beginnings of postcodes. Returns changed or missing.';

CREATE FUNCTION squad.expert_capacity_set(p_expert integer, p_capacity integer, p_actor text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
DECLARE
    v expert_load%ROWTYPE;
BEGIN
    SELECT * INTO v FROM expert_load l WHERE l.expert_id = p_expert FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 'missing';
    ELSIF v.load > p_capacity THEN
        RETURN 'below_load';
    END IF;
    UPDATE expert_load l SET capacity = p_capacity WHERE l.expert_id = p_expert AND l.capacity <> p_capacity;
    INSERT INTO expert_event (expert_id, kind, actor, detail)
    VALUES (p_expert, 'capacity', p_actor, jsonb_build_object('from', v.capacity, 'to', p_capacity));
    RETURN 'changed';
END $$;
COMMENT ON FUNCTION squad.expert_capacity_set(integer, integer, text) IS 'Sets the slots of an expert. Returns changed, missing or below_load (he holds more than that).';

CREATE FUNCTION squad.expert_shifts_set(p_expert integer, p_from date, p_to date, p_starts timestamp[], p_ends timestamp[], p_actor text)
RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
DECLARE
    v_zone text := (SELECT e.zone FROM expert e WHERE e.id = p_expert FOR NO KEY UPDATE);
BEGIN
    IF v_zone IS NULL THEN
        RETURN 'missing';
    ELSIF EXISTS (SELECT FROM unnest(p_starts, p_ends) AS i (a, b)
                   WHERE i.a IS NULL OR i.b IS NULL OR i.a AT TIME ZONE v_zone >= i.b AT TIME ZONE v_zone
                      OR i.a::date NOT BETWEEN p_from AND p_to) THEN
        RETURN 'wrong_range';
    END IF;
    DELETE FROM expert_shift s
     WHERE s.expert_id = p_expert AND (lower(s.during) AT TIME ZONE v_zone)::date BETWEEN p_from AND p_to;
    INSERT INTO expert_shift (expert_id, during)
    SELECT p_expert, tstzrange(i.a AT TIME ZONE v_zone, i.b AT TIME ZONE v_zone) FROM unnest(p_starts, p_ends) AS i (a, b);
    UPDATE expert e SET schedule = 'shifts' WHERE e.id = p_expert AND e.schedule <> 'shifts';
    INSERT INTO expert_event (expert_id, kind, actor, detail)
    VALUES (p_expert, 'shifts', p_actor, jsonb_build_object('from', p_from, 'to', p_to, 'shifts', coalesce(cardinality(p_starts), 0)));
    RETURN 'changed';
EXCEPTION WHEN exclusion_violation THEN
    RETURN 'overlap';
END $$;
COMMENT ON FUNCTION squad.expert_shifts_set(integer, date, date, timestamp[], timestamp[], text) IS
    'Replaces the shifts that begin on the days given, in local times of the expert''s zone. Returns changed, missing, wrong_range (an end not after its start, or a start outside the days) or overlap.';

CREATE FUNCTION squad.expert_pattern_set(p_expert integer, p_zone text, p_weekdays integer[], p_starts time[], p_ends time[], p_actor text)
RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
BEGIN
    UPDATE expert e SET zone = coalesce(p_zone, e.zone), schedule = 'shifts' WHERE e.id = p_expert;
    IF NOT FOUND THEN
        RETURN 'missing';
    END IF;
    DELETE FROM shift_pattern s WHERE s.expert_id = p_expert;
    INSERT INTO shift_pattern (expert_id, weekday, starts, ends)
    SELECT p_expert, i.weekday, i.a, i.b FROM unnest(p_weekdays, p_starts, p_ends) AS i (weekday, a, b);
    DELETE FROM expert_shift s WHERE s.expert_id = p_expert AND s.source = 'pattern' AND upper(s.during) > clock_timestamp();
    PERFORM shifts_extend(p_expert);
    INSERT INTO expert_event (expert_id, kind, actor, detail)
    VALUES (p_expert, 'shifts', p_actor, jsonb_build_object('pattern', cardinality(p_weekdays), 'zone', p_zone));
    RETURN 'changed';
END $$;
COMMENT ON FUNCTION squad.expert_pattern_set(integer, text, integer[], time[], time[], text) IS
    'Replaces the working week of an expert (weekdays 1 Monday to 7 Sunday, local times; p_zone null: as it is) and makes its shifts. Returns changed or missing.';

CREATE FUNCTION squad.absence_add(p_expert integer, p_from timestamptz, p_to timestamptz, p_reason text, p_actor text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
DECLARE
    v_id bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM expert e WHERE e.id = p_expert) THEN
        RETURN NULL;
    END IF;
    IF tstzrange(p_from, p_to) @> clock_timestamp() THEN
        PERFORM tickets_hold(ARRAY(SELECT a.ticket_id FROM assignment a
                                    WHERE a.expert_id = p_expert AND a.state IN ('reserved', 'offered')), p_expert);
        PERFORM assignments_end(ARRAY(SELECT a.id FROM assignment a
                                       WHERE a.expert_id = p_expert AND a.state IN ('reserved', 'offered')),
                                'rescinded', 'the expert went off', p_actor);
    END IF;
    INSERT INTO absence (expert_id, during, reason) VALUES (p_expert, tstzrange(p_from, p_to), p_reason) RETURNING id INTO v_id;
    INSERT INTO expert_event (expert_id, kind, actor, detail)
    VALUES (p_expert, 'absence', p_actor, jsonb_build_object('id', v_id, 'from', p_from, 'to', p_to, 'reason', p_reason));
    RETURN v_id;
END $$;
COMMENT ON FUNCTION squad.absence_add(integer, timestamptz, timestamptz, text, text) IS
    'An expert is away (p_to null: until it is removed); begins it now, his offers are rescinded. Returns its number, null when there is no such expert.';

CREATE FUNCTION squad.absence_remove(p_id bigint, p_actor text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
DECLARE
    v_expert integer;
BEGIN
    DELETE FROM absence x WHERE x.id = p_id RETURNING x.expert_id INTO v_expert;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO expert_event (expert_id, kind, actor, detail)
    VALUES (v_expert, 'absence', p_actor, jsonb_build_object('id', p_id, 'removed', true));
    RETURN true;
END $$;
COMMENT ON FUNCTION squad.absence_remove(bigint, text) IS 'Takes an absence back. False: there is none of this number.';

REVOKE EXECUTE ON FUNCTION squad.epoch_us(timestamptz), squad.offers_expire(integer, text), squad.offers_rescind(integer[], text), squad.waiting_tell(integer, text),
    squad.waiting_for(integer[], integer[]), squad.expert_status_set(integer, text, text, text),
    squad.expert_location_set(integer[], float8[], float8[], timestamptz[]), squad.expert_skills_set(integer, text[], integer[], text),
    squad.expert_areas_set(integer, text[], text), squad.expert_capacity_set(integer, integer, text),
    squad.expert_shifts_set(integer, date, date, timestamp[], timestamp[], text),
    squad.expert_pattern_set(integer, text, integer[], time[], time[], text),
    squad.absence_add(integer, timestamptz, timestamptz, text, text), squad.absence_remove(bigint, text) FROM PUBLIC;
GRANT SELECT ON squad.roster TO squad_assigner;
GRANT EXECUTE ON FUNCTION squad.epoch_us(timestamptz), squad.offers_expire(integer, text), squad.offers_rescind(integer[], text), squad.waiting_tell(integer, text),
    squad.waiting_for(integer[], integer[]) TO squad_assigner;
GRANT EXECUTE ON FUNCTION squad.expert_status_set(integer, text, text, text),
    squad.expert_location_set(integer[], float8[], float8[], timestamptz[]), squad.expert_skills_set(integer, text[], integer[], text),
    squad.expert_areas_set(integer, text[], text), squad.expert_capacity_set(integer, integer, text),
    squad.expert_shifts_set(integer, date, date, timestamp[], timestamp[], text),
    squad.expert_pattern_set(integer, text, integer[], time[], time[], text),
    squad.absence_add(integer, timestamptz, timestamptz, text, text), squad.absence_remove(bigint, text) TO squad_intake;

SELECT squad.register_migration(10, 'dispatch_work');
