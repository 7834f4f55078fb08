-- What is changed about experts, each time with its history.

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

CREATE FUNCTION squad.local_shift(p_day date, p_starts time, p_ends time, p_zone text) RETURNS tstzrange
LANGUAGE sql STABLE SET search_path = squad, pg_temp
RETURN (SELECT CASE WHEN a < b THEN tstzrange(a, b) ELSE 'empty' END
          FROM (SELECT (p_day + p_starts) AT TIME ZONE p_zone AS a,
                       (p_day + p_ends + CASE WHEN p_ends <= p_starts THEN interval '1 day' ELSE interval '0' END)
                           AT TIME ZONE p_zone AS b) AS x);
COMMENT ON FUNCTION squad.local_shift(date, time, time, text) IS
    'A local working time as an absolute range: on the days when clocks change it is an hour shorter or longer. Empty when the hour does not exist.';

CREATE FUNCTION squad.shifts_due(p_experts integer[]) RETURNS TABLE (expert_id integer, during tstzrange)
LANGUAGE sql STABLE SET search_path = squad, pg_temp
BEGIN ATOMIC
    -- Materialized: each local time is converted once, however often the range is looked at.
    WITH due AS MATERIALIZED (
        SELECT e.id, squad.local_shift(z.day, s.starts, s.ends, e.zone) AS during
          FROM squad.expert e
          JOIN squad.shift_pattern s ON s.expert_id = e.id,
               squad.policy y,
               LATERAL generate_series(-1, y.shift_days) AS ahead (n),
               LATERAL (SELECT (clock_timestamp() AT TIME ZONE e.zone)::date + ahead.n AS day) AS z
         WHERE e.id = ANY (p_experts) AND extract(isodow FROM z.day) = s.weekday
           AND NOT EXISTS (SELECT FROM squad.shift_given g WHERE g.expert_id = e.id AND g.days @> z.day)
    ), taken AS MATERIALIZED (
        SELECT o.expert_id, range_agg(o.during) AS during
          FROM squad.expert_shift o
         WHERE o.expert_id = ANY (p_experts) AND upper(o.during) > clock_timestamp() - interval '2 days'
         GROUP BY o.expert_id
    )
    SELECT d.id, d.during
      FROM due d LEFT JOIN taken t ON t.expert_id = d.id
     WHERE NOT isempty(d.during) AND upper(d.during) > clock_timestamp() AND NOT coalesce(t.during && d.during, false)
     ORDER BY d.id, d.during;
END;
COMMENT ON FUNCTION squad.shifts_due(integer[]) IS
    'The shifts of the working weeks of these experts, policy.shift_days ahead, that are still to be made: not on days that somebody has given (shift_given), and not where there is a shift already. For the functions of this file, which hold the experts.';

-- Whoever gives an expert shifts holds him, and so do we before we look again at what he lacks: neither undoes the other.
-- FOR UPDATE, so that who has a row written by hand in an open session counts as well. Nobody is waited for: one
-- session must not keep the others' shifts away.
CREATE FUNCTION squad.shifts_extend(p_behind integer DEFAULT 0, p_limit integer DEFAULT NULL, OUT made integer, OUT held integer,
                                    OUT last integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
DECLARE
    v_page integer[] := ARRAY(SELECT DISTINCT s.expert_id FROM shift_pattern s WHERE s.expert_id > p_behind ORDER BY 1 LIMIT p_limit);
    v_due integer[] := ARRAY(SELECT DISTINCT d.expert_id FROM shifts_due(v_page) AS d);
    v_mine integer[] := ARRAY(SELECT e.id FROM expert e WHERE e.id = ANY (v_due) ORDER BY e.id FOR UPDATE SKIP LOCKED);
BEGIN
    made := 0;
    held := cardinality(v_due) - cardinality(v_mine);
    last := CASE WHEN cardinality(v_page) = p_limit THEN v_page[p_limit] END;
    IF v_mine <> '{}' THEN
        INSERT INTO expert_shift (expert_id, during, source)
        SELECT d.expert_id, d.during, 'pattern' FROM shifts_due(v_mine) AS d ON CONFLICT DO NOTHING;
        GET DIAGNOSTICS made = ROW_COUNT;
        -- Each assignment and each look at the roster reads all shifts of an expert.
        DELETE FROM expert_shift s
         WHERE s.expert_id = ANY (v_mine) AND s.source = 'pattern' AND upper(s.during) < clock_timestamp() - interval '90 days';
        DELETE FROM shift_given g WHERE g.expert_id = ANY (v_mine) AND upper(g.days) < current_date - 90;
    END IF;
END $$;
COMMENT ON FUNCTION squad.shifts_extend(integer, integer) IS
    'Makes shifts from weekly patterns, policy.shift_days ahead, of at most p_limit experts (null: all) behind number p_behind; what somebody has set is left alone. Forgets those that ended 90 days ago. made: so many; held: experts left out because somebody holds them; last: number of the last expert when there may be more. Assigners call it every hour.';

CREATE FUNCTION squad.expert_shifts_set(p_expert integer, p_from date, p_to date, p_starts timestamp[], p_ends timestamp[], p_actor text)
RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
DECLARE
    v_zone text := (SELECT e.zone FROM expert e WHERE e.id = p_expert FOR NO KEY UPDATE);
BEGIN
    IF v_zone IS NULL THEN
        RETURN 'missing';
    ELSIF (p_from <= p_to) IS NOT TRUE
          OR EXISTS (SELECT FROM unnest(p_starts, p_ends) AS i (a, b)
                      WHERE i.a IS NULL OR i.b IS NULL OR i.a AT TIME ZONE v_zone >= i.b AT TIME ZONE v_zone
                         OR i.a::date NOT BETWEEN p_from AND p_to) THEN
        RETURN 'wrong_range';
    END IF;
    DELETE FROM shift_given g WHERE g.expert_id = p_expert AND g.days <@ daterange(p_from, p_to, '[]');
    INSERT INTO shift_given (expert_id, days) VALUES (p_expert, daterange(p_from, p_to, '[]'));
    DELETE FROM expert_shift s
     WHERE s.expert_id = p_expert AND (lower(s.during) AT TIME ZONE v_zone)::date BETWEEN p_from AND p_to;
    INSERT INTO expert_shift (expert_id, during)
    SELECT p_expert, tstzrange(i.a AT TIME ZONE v_zone, i.b AT TIME ZONE v_zone) FROM unnest(p_starts, p_ends) AS i (a, b);
    UPDATE expert e SET schedule = 'shifts' WHERE e.id = p_expert AND e.schedule <> 'shifts';
    INSERT INTO expert_event (expert_id, kind, actor, detail)
    VALUES (p_expert, 'shifts', p_actor, jsonb_build_object('from', p_from, 'to', p_to, 'shifts', coalesce(cardinality(p_starts), 0)));
    RETURN 'changed';
EXCEPTION WHEN exclusion_violation OR unique_violation THEN
    RETURN 'overlap';
END $$;
COMMENT ON FUNCTION squad.expert_shifts_set(integer, date, date, timestamp[], timestamp[], text) IS
    'Replaces the shifts that begin on the days given, in local times of the expert''s zone. From then on these days have what was given, none as well, whatever the working week says. Returns changed, missing, wrong_range (an end not after its start, a start outside the days, or no days) or overlap.';

CREATE FUNCTION squad.week_overlaps(p_weekdays integer[], p_starts time[], p_ends time[]) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = squad, pg_temp
BEGIN ATOMIC
    WITH part AS (
        SELECT i.n, (i.weekday - 1) * 86400 + extract(epoch FROM i.a)::integer AS begins,
               extract(epoch FROM i.b - i.a)::integer + CASE WHEN i.b <= i.a THEN 86400 ELSE 0 END AS lasts
          FROM unnest(p_weekdays, p_starts, p_ends) WITH ORDINALITY AS i (weekday, a, b, n)
    )
    -- Seconds of a week without end: Sunday's night shift goes on into Monday.
    SELECT EXISTS (SELECT FROM part x JOIN part y ON y.n <> x.n
                    WHERE (y.begins - x.begins + 2 * 604800) % 604800 < x.lasts);
END;
COMMENT ON FUNCTION squad.week_overlaps(integer[], time[], time[]) IS
    'True: two working times of a week (weekdays 1 Monday to 7 Sunday, an end not after its start is on the next day) overlap.';

CREATE FUNCTION squad.expert_pattern_set(p_expert integer, p_zone text, p_weekdays integer[], p_starts time[], p_ends time[], p_actor text)
RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
BEGIN
    PERFORM FROM expert e WHERE e.id = p_expert FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN 'missing';
    ELSIF week_overlaps(p_weekdays, p_starts, p_ends) THEN
        RETURN 'overlap';
    END IF;
    BEGIN
        UPDATE expert e SET zone = coalesce(p_zone, e.zone), schedule = 'shifts' WHERE e.id = p_expert;
    EXCEPTION WHEN invalid_parameter_value OR check_violation THEN
        RETURN 'unknown_zone';
    END;
    DELETE FROM shift_pattern s WHERE s.expert_id = p_expert;
    INSERT INTO shift_pattern (expert_id, weekday, starts, ends)
    SELECT p_expert, i.weekday, i.a, i.b FROM unnest(p_weekdays, p_starts, p_ends) AS i (weekday, a, b);
    DELETE FROM expert_shift s WHERE s.expert_id = p_expert AND s.source = 'pattern' AND upper(s.during) > clock_timestamp();
    INSERT INTO expert_shift (expert_id, during, source)
    SELECT d.expert_id, d.during, 'pattern' FROM shifts_due(ARRAY[p_expert]) AS d ON CONFLICT DO NOTHING;
    INSERT INTO expert_event (expert_id, kind, actor, detail)
    VALUES (p_expert, 'shifts', p_actor, jsonb_build_object('pattern', cardinality(p_weekdays), 'zone', p_zone));
    RETURN 'changed';
END $$;
COMMENT ON FUNCTION squad.expert_pattern_set(integer, text, integer[], time[], time[], text) IS
    'Replaces the working week of an expert (weekdays 1 Monday to 7 Sunday, local times; p_zone null: as it is) and makes its shifts; days that somebody has given (squad.expert_shifts_set) stay as they were given. Returns changed, missing, overlap (two working times of the week do) or unknown_zone.';

CREATE FUNCTION squad.absence_add(p_expert integer, p_from timestamptz, p_to timestamptz, p_reason text, p_actor text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
DECLARE
    v_id bigint;
    v_ids uuid[];
BEGIN
    IF NOT EXISTS (SELECT FROM expert e WHERE e.id = p_expert) THEN
        RETURN NULL;
    END IF;
    IF tstzrange(p_from, p_to) @> clock_timestamp() THEN
        -- What he is given while we wait for the locks is not ours to end, its ticket is not locked: offers_rescind does.
        v_ids := ARRAY(SELECT a.id FROM assignment a WHERE a.expert_id = p_expert AND a.state IN ('reserved', 'offered'));
        PERFORM tickets_hold(ARRAY(SELECT a.ticket_id FROM assignment a WHERE a.id = ANY (v_ids)), p_expert);
        PERFORM assignments_end(ARRAY(SELECT a.id FROM assignment a WHERE a.id = ANY (v_ids) AND a.state IN ('reserved', 'offered')),
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

SELECT squad.register_migration(11, 'expert_change');
