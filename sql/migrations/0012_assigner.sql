-- What assigners do besides choosing: the roster they keep, the locks before they write, and what the clock brings.

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

CREATE FUNCTION squad.experts_hold(p_experts integer[])
RETURNS TABLE (expert_id integer, version integer, load integer, capacity integer)
LANGUAGE sql SECURITY DEFINER SET search_path = squad, pg_temp
BEGIN ATOMIC
    SELECT l.expert_id, e.version, l.load, l.capacity
      FROM squad.expert_load l JOIN squad.expert e ON e.id = l.expert_id
     WHERE l.expert_id = ANY (p_experts)
     ORDER BY l.expert_id FOR UPDATE OF l FOR SHARE OF e;
END;
COMMENT ON FUNCTION squad.experts_hold(integer[]) IS
    'Experts as they are now; neither load nor anything else of them changes until the commit. A function, because a row lock wants a right to update.';

CREATE FUNCTION squad.experts_hold_free(p_experts integer[])
RETURNS TABLE (expert_id integer, version integer, load integer, capacity integer)
LANGUAGE sql SECURITY DEFINER SET search_path = squad, pg_temp
BEGIN ATOMIC
    SELECT l.expert_id, e.version, l.load, l.capacity
      FROM squad.expert_load l JOIN squad.expert e ON e.id = l.expert_id
     WHERE l.expert_id = ANY (p_experts)
     ORDER BY l.expert_id FOR UPDATE OF l SKIP LOCKED FOR SHARE OF e SKIP LOCKED;
END;
COMMENT ON FUNCTION squad.experts_hold_free(integer[]) IS
    'As experts_hold, of those experts whom nobody else holds: an open session stops nobody but its own.';

-- As the foreign key of dispatch would, but before anything is written.
CREATE FUNCTION squad.unseen_tickets_hold(p_tickets uuid[]) RETURNS SETOF uuid
LANGUAGE sql SECURITY DEFINER SET search_path = squad, pg_temp
BEGIN ATOMIC
    SELECT t.id FROM squad.ticket t WHERE t.id = ANY (p_tickets) ORDER BY t.id FOR KEY SHARE;
END;
COMMENT ON FUNCTION squad.unseen_tickets_hold(uuid[]) IS
    'Holds tickets that have no row in dispatch yet: squad.ticket_amend waits until the commit. A function, because a row lock wants a right to update.';

CREATE FUNCTION squad.unseen_tickets_hold_free(p_tickets uuid[]) RETURNS SETOF uuid
LANGUAGE sql SECURITY DEFINER SET search_path = squad, pg_temp
BEGIN ATOMIC
    SELECT t.id FROM squad.ticket t WHERE t.id = ANY (p_tickets) ORDER BY t.id FOR KEY SHARE SKIP LOCKED;
END;
COMMENT ON FUNCTION squad.unseen_tickets_hold_free(uuid[]) IS 'As unseen_tickets_hold, of those tickets that nobody is changing.';

CREATE FUNCTION squad.offers_expire(p_limit integer, p_actor text)
RETURNS TABLE (ticket_id uuid, expert_id integer, on_break boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
#variable_conflict use_column
DECLARE
    -- What somebody else holds is left for the next time: he answers, or has a session open.
    v_ids uuid[] := ARRAY(SELECT a.id
                            FROM assignment a
                            JOIN dispatch d ON d.ticket_id = a.ticket_id
                            JOIN expert_load l ON l.expert_id = a.expert_id
                            JOIN expert e ON e.id = a.expert_id
                           WHERE a.state = 'offered' AND a.expires_at <= statement_timestamp()
                           ORDER BY a.expires_at LIMIT p_limit
                             FOR UPDATE OF d, a, l SKIP LOCKED FOR NO KEY UPDATE OF e SKIP LOCKED);
    v_tired integer[];
BEGIN
    IF v_ids = '{}' THEN
        RETURN;
    END IF;
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
    ), asked AS (
        INSERT INTO notice (expert_id, channel, message)
        SELECT t.id, 'webhook', 'break' FROM tired t ORDER BY t.id RETURNING id, expert_id, channel, message
    ), told AS (
        INSERT INTO outbox (aggregatetype, aggregateid, type, payload)
        SELECT 'expert', t.id::text, 'squad.expert.break.v1', json_build_object('expert_id', t.id, 'reason', 'timed_out')
          FROM tired t
        UNION ALL
        SELECT 'notice', a.expert_id::text, 'squad.notice.requested.v1',
               json_build_object('notice_id', a.id, 'expert_id', a.expert_id, 'channel', a.channel, 'message', a.message)
          FROM asked a ORDER BY 1, 2
    )
    SELECT a.ticket_id, a.expert_id, t.id IS NOT NULL
      FROM assignment a LEFT JOIN tired t ON t.id = a.expert_id WHERE a.id = ANY (v_ids);
END $$;
COMMENT ON FUNCTION squad.offers_expire(integer, text) IS
    'Times out at most p_limit offers that were not answered in time and that nobody else holds, frees their slots and sends the tickets on; sets experts on break who let policy.timeouts_to_break in a row pass.';

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
    v_ids := ARRAY(SELECT a.id
                     FROM assignment a
                     JOIN dispatch d ON d.ticket_id = a.ticket_id
                     JOIN expert_load l ON l.expert_id = a.expert_id
                     JOIN expert e ON e.id = a.expert_id
                    WHERE a.expert_id = ANY (v_off) AND a.ended_at IS NULL
                      AND (a.state IN ('reserved', 'offered') OR v_requeue AND a.state = 'accepted') AND a.override IS NULL
                      FOR UPDATE OF d, a, l SKIP LOCKED FOR NO KEY UPDATE OF e SKIP LOCKED);
    IF v_ids <> '{}' THEN
        RETURN QUERY SELECT x.ticket_id, x.expert_id
                       FROM assignments_end(v_ids, 'rescinded', 'the expert went off', p_actor) AS x;
    END IF;
    RETURN QUERY SELECT NULL::uuid, a.expert_id FROM assignment a
                  WHERE a.expert_id = ANY (v_off) AND a.ended_at IS NULL
                    AND (a.state IN ('reserved', 'offered') OR v_requeue AND a.state = 'accepted') AND a.override IS NULL;
END $$;
COMMENT ON FUNCTION squad.offers_rescind(integer[], text) IS
    'Takes back the offers of those of the experts who are offline, inactive or absent (and, by policy.off_work, what they have accepted but not begun). What a manager assigned against the rules stays. What somebody else holds is left: such an expert is returned without a ticket.';

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
               p AS times
          FROM due JOIN squad.dispatch d ON d.ticket_id = due.ticket_id JOIN squad.priority p ON p.priority = d.priority
    ), told AS (
        UPDATE squad.dispatch d
           SET manager_told_at = CASE WHEN f.manager THEN clock_timestamp() ELSE d.manager_told_at END,
               customer_told_at = CASE WHEN f.customer THEN clock_timestamp() ELSE d.customer_told_at END,
               tell_at = squad.tell_at(f.times, f.routable_at,
                                       CASE WHEN f.manager THEN clock_timestamp() ELSE d.manager_told_at END,
                                       CASE WHEN f.customer THEN clock_timestamp() ELSE d.customer_told_at END)
          FROM facts f WHERE d.ticket_id = f.ticket_id
        RETURNING d.ticket_id, f.manager, f.customer
    ), news AS (
        SELECT t.ticket_id, w.whom
          FROM told t, LATERAL (VALUES ('manager', t.manager), ('customer', t.customer)) AS w (whom, now) WHERE w.now
    ), history AS (
        INSERT INTO squad.ticket_event (ticket_id, kind, actor)
        SELECT n.ticket_id, n.whom || '_told', p_actor FROM news n ORDER BY n.ticket_id, n.whom DESC
    ), asked AS (
        INSERT INTO squad.notice (ticket_id, recipient, channel, message)
        SELECT n.ticket_id, n.whom, 'webhook', 'waiting' FROM news n ORDER BY n.ticket_id, n.whom DESC
        RETURNING id, ticket_id, recipient, channel, message
    ), published AS (
        INSERT INTO squad.outbox (aggregatetype, aggregateid, type, payload)
        SELECT o.aggregatetype, o.ticket_id::text, o.type, o.payload
          FROM (SELECT 'ticket', n.ticket_id, 'squad.ticket.waiting.v1', json_build_object('ticket_id', n.ticket_id, 'tell', n.whom), n.whom
                  FROM news n
                UNION ALL
                SELECT 'notice', a.ticket_id, 'squad.notice.requested.v1',
                       json_build_object('notice_id', a.id, 'ticket_id', a.ticket_id, 'recipient', a.recipient,
                                         'channel', a.channel, 'message', a.message), a.recipient
                  FROM asked a) AS o (aggregatetype, ticket_id, type, payload, whom)
         ORDER BY o.ticket_id, o.whom DESC, o.aggregatetype DESC
    )
    SELECT n.ticket_id, n.whom FROM news n;
END;
COMMENT ON FUNCTION squad.waiting_tell(integer, text) IS
    'Says of at most p_limit waiting tickets that they wait: to the manager at T1, to the customer at T2 (squad.priority). Once each.';

-- The best waiting tickets of an expert who has room.
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

CREATE FUNCTION squad.waiting_best(p_experts integer[], p_free integer[], p_look integer DEFAULT 300)
RETURNS TABLE (expert_id integer, ticket_id uuid)
LANGUAGE sql STABLE SET search_path = squad, pg_temp
BEGIN ATOMIC
    WITH first AS MATERIALIZED (
        SELECT w.*, row_number() OVER (ORDER BY w.early, w.priority, w.assign_due, w.created_at, w.ticket_id) AS n
          FROM (SELECT d.*, false AS early
                  FROM generate_series(1, 5) AS p (priority),
                       LATERAL (SELECT k.ticket_id, k.type, k.area, k.routable_at, k.priority, k.assign_due, k.created_at
                                  FROM squad.dispatch k
                                 WHERE k.state = 'parked' AND k.priority = p.priority AND k.assign_due <= statement_timestamp()
                                 ORDER BY k.assign_due, k.created_at, k.ticket_id LIMIT p_look) AS d
                UNION ALL
                SELECT d.*, true
                  FROM generate_series(1, 5) AS p (priority),
                       LATERAL (SELECT k.ticket_id, k.type, k.area, k.routable_at, k.priority, k.assign_due, k.created_at
                                  FROM squad.dispatch k
                                 WHERE k.state = 'parked' AND k.priority = p.priority AND k.assign_due > statement_timestamp()
                                 ORDER BY k.assign_due, k.created_at, k.ticket_id LIMIT p_look) AS d) AS w
         ORDER BY n LIMIT p_look
    ), asked AS MATERIALIZED (
        SELECT x.expert_id, x.free, e.schedule
          FROM unnest(p_experts, p_free) AS x (expert_id, free)
          JOIN squad.expert e ON e.id = x.expert_id AND e.active AND e.status = 'available'
    ), able AS MATERIALIZED (
        SELECT x.expert_id, y.type, k.priority, clock_timestamp() - lacks.age_s * interval '1 second' AS routable_by
          FROM asked x
         CROSS JOIN (SELECT DISTINCT f.type, f.priority FROM first f) AS k
          JOIN squad.ticket_type y ON y.type = k.type
          JOIN squad.priority p ON p.priority = k.priority,
               LATERAL (SELECT tstzrange(clock_timestamp(), clock_timestamp() + y.duration_s * interval '1 second') AS job) AS j,
               LATERAL (SELECT coalesce(max(CASE r.importance WHEN 0 THEN 'infinity'::float8 WHEN 3 THEN p.relax_3_s
                                                              WHEN 2 THEN p.relax_2_s ELSE p.relax_1_s END), 0) AS age_s
                          FROM squad.ticket_type_skill r
                          LEFT JOIN squad.expert_skill s ON s.expert_id = x.expert_id AND s.skill = r.skill
                         WHERE r.type = y.type AND coalesce(s.level, 0) < r.min_level) AS lacks
         WHERE lacks.age_s < 'infinity'::float8
           AND (x.schedule = 'always'
                OR coalesce((SELECT range_agg(s.during) @> j.job FROM squad.expert_shift s
                              WHERE s.expert_id = x.expert_id AND s.during && j.job), false))
           AND NOT EXISTS (SELECT FROM squad.absence b WHERE b.expert_id = x.expert_id AND b.during && j.job)
    ), hit AS MATERIALIZED (
        SELECT h.expert_id, h.ticket_id, h.k, x.free
          FROM (SELECT a.expert_id, f.ticket_id, row_number() OVER (PARTITION BY a.expert_id ORDER BY f.n) AS k
                  FROM able a JOIN first f ON f.type = a.type AND f.priority = a.priority AND f.routable_at <= a.routable_by
                 WHERE EXISTS (SELECT FROM squad.expert_area z WHERE z.expert_id = a.expert_id AND starts_with(f.area, z.prefix))
                   AND NOT EXISTS (SELECT FROM squad.exclusion q
                                    WHERE q.ticket_id = f.ticket_id AND q.expert_id = a.expert_id
                                      AND (q.until IS NULL OR q.until > clock_timestamp()))) AS h
          JOIN asked x ON x.expert_id = h.expert_id
    ), served AS MATERIALIZED (
        SELECT x.expert_id FROM asked x
         WHERE (SELECT count(*) FROM first) < p_look
            OR (SELECT count(*) FROM hit h WHERE h.expert_id = x.expert_id) >= x.free
    )
    SELECT h.expert_id, h.ticket_id FROM hit h WHERE h.k <= h.free AND h.expert_id IN (SELECT s.expert_id FROM served s)
    UNION ALL
    SELECT f.expert_id, f.ticket_id
      FROM (SELECT array_agg(x.expert_id) AS experts, array_agg(x.free) AS free
              FROM asked x WHERE x.expert_id NOT IN (SELECT s.expert_id FROM served s)) AS rest,
           LATERAL squad.waiting_for(rest.experts, rest.free) AS f
     WHERE rest.experts IS NOT NULL;
END;
COMMENT ON FUNCTION squad.waiting_best(integer[], integer[], integer) IS
    'As waiting_for, quicker for experts who may take much of what waits: it looks at the p_look tickets whose turn is first, and asks waiting_for only for experts who do not find enough among them. Those found are the best: there is none before them.';

SELECT squad.register_migration(12, 'assigner');
