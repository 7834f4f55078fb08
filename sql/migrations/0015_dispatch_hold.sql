-- The re-check of the chosen experts; the slot just taken does not count against an override.

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
REVOKE EXECUTE ON FUNCTION squad.experts_hold(integer[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION squad.experts_hold(integer[]) TO squad_assigner;

-- As in 0008 but for the capacity, which the slot of this very assignment may have used up: it is
-- expert_load's to refuse.
CREATE OR REPLACE FUNCTION squad.assignment_qualified() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
DECLARE
    bad record;
BEGIN
    -- A change of the expert that is under way is waited for, and none begins
    -- before this assignment is committed.
    PERFORM FROM expert e WHERE e.id IN (SELECT f.expert_id FROM fresh f) ORDER BY e.id FOR SHARE;
    SELECT f.ticket_id, f.expert_id, f.reserved_at, f.override,
           e.version <> f.expert_version AND f.override IS NULL AS stale
      INTO bad
      FROM fresh f
           -- By key and one by one, however many rows the plan was made for.
      CROSS JOIN LATERAL (SELECT * FROM dispatch x WHERE x.ticket_id = f.ticket_id OFFSET 0) AS d
      CROSS JOIN LATERAL (SELECT * FROM expert x WHERE x.id = f.expert_id OFFSET 0) AS e
      LEFT JOIN ticket_type tt ON tt.type = d.type
      LEFT JOIN priority p ON p.priority = d.priority,
           LATERAL (SELECT tstzrange(f.reserved_at, f.reserved_at + coalesce(tt.duration_s, 0) * interval '1 second') AS job) AS j
     WHERE NOT e.active OR tt.type IS NULL OR e.status <> 'available'
        OR e.version <> f.expert_version AND f.override IS NULL
        OR NOT EXISTS (SELECT FROM expert_area a WHERE a.expert_id = f.expert_id AND starts_with(d.area, a.prefix))
        OR EXISTS (SELECT FROM ticket_type_skill r
                     LEFT JOIN expert_skill s ON s.expert_id = f.expert_id AND s.skill = r.skill
                    WHERE r.type = d.type AND coalesce(s.level, 0) < r.min_level
                      AND (r.importance = 0 OR f.reserved_at < d.routable_at + interval '1 second' *
                           CASE r.importance WHEN 3 THEN p.relax_3_s WHEN 2 THEN p.relax_2_s ELSE p.relax_1_s END))
        OR e.schedule = 'shifts'
           AND NOT coalesce((SELECT range_agg(s.during) @> j.job FROM expert_shift s
                              WHERE s.expert_id = f.expert_id AND s.during && j.job), false)
        OR EXISTS (SELECT FROM absence x WHERE x.expert_id = f.expert_id AND x.during && j.job)
        OR EXISTS (SELECT FROM exclusion x WHERE x.ticket_id = f.ticket_id AND x.expert_id = f.expert_id
                                             AND (x.until IS NULL OR x.until > f.reserved_at))
     ORDER BY (f.override IS NOT NULL AND f.override @> array_remove(expert_breaks(f.ticket_id, f.expert_id, f.reserved_at), 'capacity'))
     LIMIT 1;
    IF FOUND AND (bad.override IS NULL OR NOT bad.override @> array_remove(expert_breaks(bad.ticket_id, bad.expert_id, bad.reserved_at), 'capacity')) THEN
        RAISE EXCEPTION 'expert % %: ticket %', bad.expert_id,
            CASE WHEN bad.stale THEN 'has changed since the choice'
                 ELSE coalesce((SELECT rule_words(r) FROM unnest(expert_breaks(bad.ticket_id, bad.expert_id, bad.reserved_at)) AS r
                                 WHERE r <> 'capacity' LIMIT 1), 'breaks a rule') END, bad.ticket_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'assignment_qualified',
                  SCHEMA = 'squad', TABLE = 'assignment';
    END IF;
    RETURN NULL;
END $$;

-- As before, but nothing is ended when nobody else has an offer.
CREATE OR REPLACE FUNCTION squad.offer_accept(p_assignment uuid, p_expert integer, p_actor text, p_traceparent text DEFAULT NULL)
RETURNS TABLE (outcome text, ticket_id uuid, ref text, expert_id integer, state text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_ticket uuid := (SELECT a.ticket_id FROM assignment a
                       WHERE a.id = p_assignment AND (p_expert IS NULL OR a.expert_id = p_expert));
    v_was text;
    v_others uuid[];
BEGIN
    IF v_ticket IS NULL THEN
        RETURN QUERY SELECT 'missing', NULL::uuid, NULL::text, NULL::integer, NULL::text;
        RETURN;
    END IF;
    PERFORM tickets_hold(ARRAY[v_ticket]);
    v_was := (SELECT a.state FROM assignment a WHERE a.id = p_assignment);
    IF v_was IN ('reserved', 'offered') THEN
        v_others := ARRAY(SELECT a.id FROM assignment a
                           WHERE a.ticket_id = v_ticket AND a.ended_at IS NULL AND a.id <> p_assignment);
        IF v_others <> '{}' THEN
            PERFORM assignments_end(v_others, 'rescinded', 'another expert accepted', p_actor, p_traceparent);
        END IF;
        WITH taken AS (
            UPDATE assignment a SET state = 'accepted', accepted_at = clock_timestamp()
             WHERE a.id = p_assignment RETURNING a.id, a.ticket_id, a.expert_id, a.attempt
        ), answered AS (
            UPDATE expert_load l SET timeouts = 0 FROM taken t WHERE l.expert_id = t.expert_id AND l.timeouts > 0
        ), moved AS (
            UPDATE dispatch d SET holder = nullif(t.attempt, d.attempts)
              FROM taken t WHERE d.ticket_id = t.ticket_id AND d.holder IS DISTINCT FROM nullif(t.attempt, d.attempts)
        ), history AS (
            INSERT INTO ticket_event (ticket_id, kind, actor, detail)
            SELECT t.ticket_id, 'accepted', p_actor, jsonb_build_object('assignment_id', t.id, 'expert_id', t.expert_id)
              FROM taken t
        )
        INSERT INTO outbox (aggregatetype, aggregateid, type, payload, traceparent)
        SELECT 'ticket', t.ticket_id::text, 'squad.ticket.accepted.v1',
               json_build_object('ticket_id', t.ticket_id, 'assignment_id', t.id, 'expert_id', t.expert_id), p_traceparent
          FROM taken t;
    END IF;
    RETURN QUERY
    SELECT CASE WHEN v_was IN ('reserved', 'offered') THEN 'accepted'
                WHEN v_was IN ('accepted', 'en_route', 'on_site', 'completed') THEN 'already'
                ELSE 'gone' END, a.ticket_id, t.ref, a.expert_id, a.state
      FROM assignment a JOIN ticket t ON t.id = a.ticket_id WHERE a.id = p_assignment;
END $$;

CREATE OR REPLACE FUNCTION squad.assignment_complete(p_assignment uuid, p_actor text, p_traceparent text DEFAULT NULL)
RETURNS TABLE (outcome text, ticket_id uuid, ref text, expert_id integer, state text, ended_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_ticket uuid := (SELECT a.ticket_id FROM assignment a WHERE a.id = p_assignment);
    v_was text;
    v_others uuid[];
BEGIN
    IF v_ticket IS NULL THEN
        RETURN QUERY SELECT 'missing', NULL::uuid, NULL::text, NULL::integer, NULL::text, NULL::timestamptz;
        RETURN;
    END IF;
    PERFORM FROM dispatch d WHERE d.ticket_id = v_ticket FOR UPDATE;
    v_was := (SELECT CASE WHEN a.ended_at IS NULL THEN 'live' ELSE a.state END
                FROM assignment a WHERE a.id = p_assignment FOR UPDATE);
    IF v_was = 'live' THEN
        v_others := ARRAY(SELECT a.id FROM assignment a
                           WHERE a.ticket_id = v_ticket AND a.ended_at IS NULL AND a.id <> p_assignment);
        IF v_others <> '{}' THEN
            PERFORM tickets_hold(ARRAY[v_ticket]);
            PERFORM assignments_end(v_others, 'rescinded', 'another expert did it', p_actor, p_traceparent);
        END IF;
        -- What assignments_end does for one that is completed, in a statement that is quicker to start.
        WITH done AS (
            UPDATE assignment a SET state = 'completed', ended_at = clock_timestamp(), reason = 'completed'
             WHERE a.id = p_assignment RETURNING a.id, a.ticket_id, a.expert_id, a.attempt
        ), freed AS (
            UPDATE expert_load l SET load = l.load - 1, idle_since = clock_timestamp(), timeouts = 0
              FROM done WHERE l.expert_id = done.expert_id RETURNING l.expert_id
        ), moved AS (
            UPDATE dispatch d SET state = 'completed', since = clock_timestamp(), holder = nullif(done.attempt, d.attempts)
              FROM done WHERE d.ticket_id = done.ticket_id RETURNING d.ticket_id
        ), preferred AS (
            INSERT INTO sticky_expert AS s (client_id, customer_ref, expert_id)
            SELECT t.client_id, t.customer_ref, done.expert_id
              FROM done JOIN ticket t ON t.id = done.ticket_id WHERE t.customer_ref IS NOT NULL
            ON CONFLICT ON CONSTRAINT sticky_expert_pkey DO UPDATE SET expert_id = excluded.expert_id, since = clock_timestamp()
        ), told AS (
            INSERT INTO ticket_event (ticket_id, kind, actor, detail)
            SELECT done.ticket_id, 'completed', p_actor,
                   jsonb_build_object('assignment_id', done.id, 'expert_id', done.expert_id)
              FROM done
        )
        INSERT INTO outbox (aggregatetype, aggregateid, type, payload, traceparent)
        SELECT e.aggregatetype, e.aggregateid, e.type, e.payload, p_traceparent
          FROM done JOIN freed USING (expert_id) JOIN moved USING (ticket_id),
               LATERAL (VALUES
                   ('ticket', done.ticket_id::text, 'squad.ticket.completed.v1',
                    json_build_object('ticket_id', done.ticket_id, 'assignment_id', done.id, 'expert_id', done.expert_id)),
                   ('expert', done.expert_id::text, 'squad.expert.freed.v1',
                    json_build_object('expert_id', done.expert_id, 'assignment_id', done.id)))
               AS e (aggregatetype, aggregateid, type, payload);
    END IF;
    RETURN QUERY
    SELECT CASE v_was WHEN 'live' THEN 'completed' WHEN 'completed' THEN 'already' ELSE 'gone' END,
           a.ticket_id, t.ref, a.expert_id, a.state, a.ended_at
      FROM assignment a JOIN ticket t ON t.id = a.ticket_id WHERE a.id = p_assignment;
END $$;

SELECT squad.register_migration(15, 'dispatch_hold');
