-- What customers and managers change about a ticket. Locks and outcomes as of offers (0009).

CREATE FUNCTION squad.ticket_amend(p_client integer, p_ticket uuid, p_version text, p_change jsonb, p_actor text,
                                   p_traceparent text DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
DECLARE
    v_was ticket;
    v_fields text[];
BEGIN
    PERFORM FROM dispatch d WHERE d.ticket_id = p_ticket FOR UPDATE;
    IF FOUND THEN
        PERFORM FROM ticket t WHERE t.id = p_ticket AND t.client_id = p_client FOR NO KEY UPDATE;
    ELSE
        -- An assigner holds the ticket before it decides (unseen_tickets_hold): either it waits for this lock, and the
        -- offer tells what is new, or it was first and its row is there behind the lock. Then all is asked again:
        -- dispatch is locked first.
        PERFORM FROM ticket t WHERE t.id = p_ticket AND t.client_id = p_client FOR UPDATE;
        IF EXISTS (SELECT FROM dispatch d WHERE d.ticket_id = p_ticket) THEN
            RAISE EXCEPTION 'ticket % has just been decided', p_ticket USING ERRCODE = 'serialization_failure';
        END IF;
    END IF;
    IF NOT EXISTS (SELECT FROM ticket t WHERE t.id = p_ticket AND t.client_id = p_client) THEN
        RETURN 'not-found';
    END IF;
    IF p_version <> ticket_version(p_ticket) THEN
        RETURN 'changed';
    END IF;
    IF EXISTS (SELECT FROM dispatch d WHERE d.ticket_id = p_ticket AND d.state IN ('completed', 'canceled'))
       OR EXISTS (SELECT FROM assignment a WHERE a.ticket_id = p_ticket AND a.state IN ('en_route', 'on_site')) THEN
        RETURN 'conflict';
    END IF;
    SELECT * INTO v_was FROM ticket t WHERE t.id = p_ticket;
    v_fields := ARRAY(SELECT c.key FROM jsonb_each_text(p_change) c
                       WHERE c.value IS DISTINCT FROM to_jsonb(v_was) ->> c.key ORDER BY c.key);
    IF v_fields <> '{}' THEN
        UPDATE ticket t SET
            problem        = CASE WHEN p_change ? 'problem'        THEN p_change ->> 'problem'        ELSE t.problem END,
            customer_name  = CASE WHEN p_change ? 'customer_name'  THEN p_change ->> 'customer_name'  ELSE t.customer_name END,
            customer_phone = CASE WHEN p_change ? 'customer_phone' THEN p_change ->> 'customer_phone' ELSE t.customer_phone END,
            customer_email = CASE WHEN p_change ? 'customer_email' THEN p_change ->> 'customer_email' ELSE t.customer_email END
         WHERE t.id = p_ticket;
        INSERT INTO ticket_event (ticket_id, kind, actor, detail)
        VALUES (p_ticket, 'amended', p_actor, jsonb_build_object('fields', v_fields));
        INSERT INTO outbox (aggregatetype, aggregateid, type, payload, traceparent)
        VALUES ('ticket', p_ticket::text, 'squad.ticket.amended.v1',
                json_build_object('ticket_id', p_ticket, 'fields', v_fields), p_traceparent);
        -- Also to whose offer is still on its way: it may have been written before the change.
        WITH told AS (
            INSERT INTO notice (assignment_id, ticket_id, expert_id, channel, message, traceparent)
            SELECT a.id, a.ticket_id, a.expert_id, 'webhook', 'amended', p_traceparent
              FROM assignment a WHERE a.ticket_id = p_ticket AND a.ended_at IS NULL ORDER BY a.id
            RETURNING id, assignment_id, ticket_id, expert_id, channel, message
        )
        INSERT INTO outbox (aggregatetype, aggregateid, type, payload, traceparent)
        SELECT 'notice', t.ticket_id::text, 'squad.notice.requested.v1',
               json_build_object('notice_id', t.id, 'ticket_id', t.ticket_id, 'assignment_id', t.assignment_id,
                                 'expert_id', t.expert_id, 'channel', t.channel, 'message', t.message), p_traceparent
          FROM told t;
    END IF;
    RETURN 'ok';
END $$;
COMMENT ON FUNCTION squad.ticket_amend(integer, uuid, text, jsonb, text, text) IS
    'Changes what a customer may correct: problem, customer_name, customer_phone, customer_email; the event names the fields, not what is in them. Outcome: ok, not-found (not this client''s), changed (p_version is not the present one; null: any), conflict (done, called off, or somebody is on the way).';

CREATE FUNCTION squad.ticket_cancel(p_ticket uuid, p_reason text, p_actor text, p_traceparent text DEFAULT NULL)
RETURNS TABLE (outcome text, ref text, state text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_was text;
    v_live uuid[];
BEGIN
    -- A ticket that no assigner has seen gets its row here; whoever comes second waits for it.
    INSERT INTO dispatch (ticket_id, state, type, area, priority, created_at, routable_at)
    SELECT t.id, 'canceled', t.type, t.area, coalesce(y.priority, 3), t.created_at, NULL
      FROM ticket t LEFT JOIN ticket_type y ON y.type = t.type WHERE t.id = p_ticket
    ON CONFLICT DO NOTHING;
    IF FOUND THEN
        v_was := 'received';
    ELSE
        PERFORM tickets_hold(ARRAY[p_ticket]);
        v_was := (SELECT d.state FROM dispatch d WHERE d.ticket_id = p_ticket);
        v_live := ARRAY(SELECT a.id FROM assignment a WHERE a.ticket_id = p_ticket AND a.ended_at IS NULL);
        IF v_was = 'assigned' THEN
            PERFORM assignments_end(v_live, 'canceled', p_reason, p_actor, p_traceparent, p_ticket_state => 'canceled');
        ELSIF v_was IN ('review', 'parked', 'quarantined') THEN
            UPDATE dispatch d SET state = 'canceled', since = clock_timestamp(), parked = NULL WHERE d.ticket_id = p_ticket;
        END IF;
    END IF;
    IF v_was IN ('received', 'review', 'parked', 'assigned', 'quarantined') THEN
        WITH history AS (
            INSERT INTO ticket_event (ticket_id, kind, actor, detail)
            SELECT p_ticket, 'canceled', p_actor, jsonb_strip_nulls(jsonb_build_object('was', v_was, 'reason', p_reason))
             WHERE v_was <> 'assigned'
        )
        INSERT INTO outbox (aggregatetype, aggregateid, type, payload, traceparent)
        VALUES ('ticket', p_ticket::text, 'squad.ticket.canceled.v1', json_build_object('ticket_id', p_ticket, 'was', v_was),
                p_traceparent);
    END IF;
    RETURN QUERY
    SELECT CASE WHEN v_was = 'canceled' THEN 'already' WHEN v_was = 'completed' THEN 'gone' ELSE 'canceled' END, t.ref, d.state
      FROM ticket t JOIN dispatch d ON d.ticket_id = t.id WHERE t.id = p_ticket;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'missing', NULL::text, NULL::text;
    END IF;
END $$;
COMMENT ON FUNCTION squad.ticket_cancel(uuid, text, text, text) IS
    'Calls a ticket off in whatever state, frees its slots. p_reason: a code, no personal data; may be null. outcome: canceled, already, gone (it had been completed), missing.';

CREATE FUNCTION squad.ticket_prioritize(p_ticket uuid, p_priority integer, p_due timestamptz, p_reason text, p_actor text,
                                        p_traceparent text DEFAULT NULL)
RETURNS TABLE (outcome text, state text, priority smallint, assign_due timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_was dispatch%ROWTYPE;
    v_priority smallint;
    v_due timestamptz;
BEGIN
    SELECT * INTO v_was FROM dispatch d WHERE d.ticket_id = p_ticket FOR UPDATE;
    IF NOT FOUND OR v_was.state IN ('completed', 'canceled') THEN
        RETURN QUERY SELECT CASE WHEN v_was.state IS NOT NULL THEN 'gone'
                                 WHEN EXISTS (SELECT FROM ticket t WHERE t.id = p_ticket) THEN 'early' ELSE 'missing' END,
                            v_was.state, v_was.priority, v_was.assign_due;
        RETURN;
    END IF;
    v_priority := coalesce(p_priority, CASE WHEN p_due IS NOT NULL THEN v_was.priority END,
                           (SELECT y.priority FROM ticket_type y WHERE y.type = v_was.type), 3);
    v_due := coalesce(p_due, v_was.created_at + interval '1 second' * (SELECT p.due_s FROM priority p WHERE p.priority = v_priority));
    UPDATE dispatch d
       SET priority = v_priority, assign_due = v_due, by_hand = p_priority IS NOT NULL OR p_due IS NOT NULL,
           retry_at = CASE d.state WHEN 'parked' THEN clock_timestamp() ELSE d.retry_at END,
           tell_at = tell_at(p, d.routable_at, d.manager_told_at, d.customer_told_at)
      FROM priority p WHERE d.ticket_id = p_ticket AND p.priority = v_priority;
    INSERT INTO ticket_event (ticket_id, kind, actor, detail)
    VALUES (p_ticket, 'prioritized', p_actor,
            jsonb_strip_nulls(jsonb_build_object('from', v_was.priority, 'to', v_priority, 'due', v_due, 'reason', p_reason)));
    INSERT INTO outbox (aggregatetype, aggregateid, type, payload, traceparent)
    VALUES ('ticket', p_ticket::text, 'squad.ticket.prioritized.v1',
            json_build_object('ticket_id', p_ticket, 'priority', v_priority, 'assign_due', v_due), p_traceparent);
    RETURN QUERY SELECT 'set', v_was.state, v_priority, v_due;
END $$;
COMMENT ON FUNCTION squad.ticket_prioritize(uuid, integer, timestamptz, text, text, text) IS
    'Sets priority (1 to 5) and due time of one ticket. Due null: what the priority gives it from when it came; priority null: as it is; both null: as its type says again. A waiting ticket is looked at again at once. outcome: set, gone (completed or canceled), early (no assigner has seen it yet), missing.';

CREATE FUNCTION squad.ticket_quarantine(p_id uuid, p_ref text, p_client integer, p_key_hash bytea, p_body_hash bytea,
                                        p_fields jsonb, p_actor text, p_traceparent text)
RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
DECLARE
    f ticket := jsonb_populate_record(NULL::ticket, p_fields);
    v_at timestamptz := clock_timestamp();
BEGIN
    INSERT INTO ticket (id, ref, client_id, key_hash, body_hash, source, type, area, problem, contract, customer_ref,
                        customer_name, customer_phone, customer_email, created_at)
    VALUES (p_id, p_ref, p_client, p_key_hash, p_body_hash, f.source, f.type, f.area, f.problem, f.contract,
            f.customer_ref, f.customer_name, f.customer_phone, f.customer_email, v_at)
        ON CONFLICT (client_id, key_hash) DO NOTHING;
    IF NOT FOUND THEN
        RETURN (SELECT t.id FROM ticket t WHERE t.client_id = p_client AND t.key_hash = p_key_hash);
    END IF;
    INSERT INTO dispatch (ticket_id, state, type, area, priority, created_at, routable_at)
    VALUES (p_id, 'quarantined', f.type, f.area,
            coalesce((SELECT y.priority FROM ticket_type y WHERE y.type = f.type), 3), v_at, NULL);
    INSERT INTO ticket_event (ticket_id, kind, actor, detail)
    VALUES (p_id, 'quarantined', p_actor, '{"why": "a field that people do not see was filled in"}');
    INSERT INTO outbox (aggregatetype, aggregateid, type, payload, traceparent)
    VALUES ('ticket', p_id::text, 'squad.ticket.created.v1',
            json_build_object('ticket_id', p_id, 'ref', p_ref, 'type', f.type, 'area', f.area, 'source', f.source,
                              'created_at', to_char(v_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')), p_traceparent),
           ('ticket', p_id::text, 'squad.ticket.quarantined.v1', json_build_object('ticket_id', p_id), p_traceparent);
    RETURN p_id;
END $$;
COMMENT ON FUNCTION squad.ticket_quarantine(uuid, text, integer, bytea, bytea, jsonb, text, text) IS
    'Stores a ticket that a machine seems to have posted, in state quarantined: it has its event like any other, and no assigner takes it. Returns the id of the ticket that has the key.';

CREATE FUNCTION squad.ticket_release(p_ref text, p_actor text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
DECLARE
    v_ticket uuid := (SELECT t.id FROM ticket t WHERE t.ref = p_ref);
BEGIN
    UPDATE dispatch d
       SET state = 'parked', since = clock_timestamp(), parked = '{"released": true}',
           routable_at = clock_timestamp(), retry_at = clock_timestamp(),
           assign_due = CASE WHEN d.by_hand THEN d.assign_due ELSE d.created_at + p.due_s * interval '1 second' END,
           tell_at = tell_at(p, clock_timestamp(), d.manager_told_at, d.customer_told_at)
      FROM priority p
     WHERE d.ticket_id = v_ticket AND d.state = 'quarantined' AND p.priority = d.priority;
    IF NOT FOUND THEN
        RETURN 'not quarantined';
    END IF;
    INSERT INTO ticket_event (ticket_id, kind, actor) VALUES (v_ticket, 'released', p_actor);
    INSERT INTO outbox (aggregatetype, aggregateid, type, payload)
    VALUES ('ticket', v_ticket::text, 'squad.ticket.released.v1', json_build_object('ticket_id', v_ticket));
    RETURN 'released';
END $$;
COMMENT ON FUNCTION squad.ticket_release(text, text) IS 'Gives a quarantined ticket to the assigners after a person has looked at it: SELECT squad.ticket_release(''XXXXX-XXXXX'', ''who'').';

CREATE FUNCTION squad.ticket_reassign(p_ticket uuid, p_expert integer, p_reason text, p_override boolean, p_actor text,
                                      p_traceparent text DEFAULT NULL)
RETURNS TABLE (outcome text, broken text[], assignment_id uuid, state text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_was text;
    v_live uuid[];
    v_broken text[] := '{}';
    v_new uuid;
    v_from integer;
BEGIN
    PERFORM tickets_hold(ARRAY[p_ticket], p_expert);
    v_was := (SELECT d.state FROM dispatch d WHERE d.ticket_id = p_ticket);
    v_live := ARRAY(SELECT a.id FROM assignment a WHERE a.ticket_id = p_ticket AND a.ended_at IS NULL);
    IF coalesce(v_was, 'missing') NOT IN ('parked', 'assigned') THEN
        RETURN QUERY SELECT CASE WHEN v_was IS NULL THEN 'missing' ELSE 'gone' END, NULL::text[], NULL::uuid, v_was;
        RETURN;
    ELSIF p_expert IS NULL THEN
        WITH tried AS (
            INSERT INTO exclusion (ticket_id, expert_id, until, reason)
            SELECT a.ticket_id, a.expert_id, clock_timestamp() + interval '1 second' * y.decline_exclude_s, 'reassigned'
              FROM assignment a, policy y WHERE a.id = ANY (v_live)
            ON CONFLICT ON CONSTRAINT exclusion_pkey DO UPDATE
               SET until = excluded.until, reason = excluded.reason
             WHERE exclusion.until IS NOT NULL AND excluded.until > exclusion.until
        )
        INSERT INTO ticket_event (ticket_id, kind, actor, detail)
        VALUES (p_ticket, 'reassigned', p_actor, jsonb_strip_nulls(jsonb_build_object('reason', p_reason)));
        PERFORM assignments_end(v_live, 'rescinded', 'reassigned', p_actor, p_traceparent);
        RETURN QUERY SELECT 'requeued', v_broken, NULL::uuid, d.state FROM dispatch d WHERE d.ticket_id = p_ticket;
        RETURN;
    END IF;
    PERFORM FROM expert e WHERE e.id = p_expert FOR SHARE;
    SELECT a.id, a.expert_id INTO v_new, v_from FROM assignment a WHERE a.id = ANY (v_live)
     ORDER BY a.expert_id = p_expert DESC LIMIT 1;
    v_broken := expert_breaks(p_ticket, p_expert);
    IF v_from = p_expert AND cardinality(v_live) = 1 THEN
        RETURN QUERY SELECT 'already', '{}'::text[], v_new, v_was;
        RETURN;
    ELSIF v_broken IS NULL THEN
        RETURN QUERY SELECT 'missing', NULL::text[], NULL::uuid, v_was;
        RETURN;
    ELSIF v_from = p_expert THEN
        v_broken := array_remove(v_broken, 'capacity'); -- his own offer is among those that end
    END IF;
    IF v_broken && ARRAY['capacity', 'type'] OR v_broken <> '{}' AND NOT p_override THEN
        RETURN QUERY SELECT 'refused', v_broken, NULL::uuid, v_was;
        RETURN;
    END IF;
    PERFORM assignments_end(v_live, 'rescinded', 'reassigned', p_actor, p_traceparent, p_requeue => false);
    WITH moved AS (
        UPDATE dispatch d
           SET state = 'assigned', parked = NULL, since = clock_timestamp(), attempts = d.attempts + 1, offers = 1,
               holder = NULL, retry_at = NULL
         WHERE d.ticket_id = p_ticket RETURNING d.ticket_id, d.attempts
    ), taken AS (
        UPDATE expert_load l SET load = l.load + 1 WHERE l.expert_id = p_expert
    ), made AS (
        INSERT INTO assignment (ticket_id, expert_id, attempt, expert_version, why, override)
        SELECT m.ticket_id, e.id, m.attempts, e.version, jsonb_strip_nulls(jsonb_build_object('by', p_actor, 'reason', p_reason)),
               nullif(v_broken, '{}')
          FROM moved m, expert e WHERE e.id = p_expert
        RETURNING id, ticket_id, expert_id, attempt
    ), asked AS (
        INSERT INTO notice (assignment_id, ticket_id, expert_id, channel, message, traceparent)
        SELECT m.id, m.ticket_id, m.expert_id, 'webhook', 'offer', p_traceparent FROM made m
        RETURNING id, assignment_id, ticket_id, expert_id, channel, message
    ), history AS (
        INSERT INTO ticket_event (ticket_id, kind, actor, detail)
        SELECT m.ticket_id, 'reassigned', p_actor,
               jsonb_strip_nulls(jsonb_build_object('assignment_id', m.id, 'expert_id', m.expert_id, 'attempt', m.attempt,
                   'from_expert_id', v_from, 'reason', p_reason, 'override', to_jsonb(nullif(v_broken, '{}'))))
          FROM made m
    ), published AS (
        INSERT INTO outbox (aggregatetype, aggregateid, type, payload, traceparent)
        SELECT x.aggregatetype, a.ticket_id::text, x.type, x.payload, p_traceparent
          FROM asked a, LATERAL (VALUES
                   (1, 'ticket', 'squad.ticket.reserved.v1',
                    json_build_object('ticket_id', a.ticket_id, 'assignment_id', a.assignment_id, 'expert_id', a.expert_id)),
                   (2, 'notice', 'squad.notice.requested.v1',
                    json_build_object('notice_id', a.id, 'ticket_id', a.ticket_id, 'assignment_id', a.assignment_id,
                                      'expert_id', a.expert_id, 'channel', a.channel, 'message', a.message)))
               AS x (n, aggregatetype, type, payload)
         ORDER BY x.n
    )
    SELECT m.id INTO v_new FROM made m;
    RETURN QUERY SELECT 'reassigned', v_broken, v_new, 'assigned'::text;
END $$;
COMMENT ON FUNCTION squad.ticket_reassign(uuid, integer, text, boolean, text, text) IS
    'A manager takes a waiting or assigned ticket and gives it to an expert, or (p_expert null) sends it to the next one. outcome: reassigned, requeued, already, refused (broken says which rules; p_override breaks them knowingly and records it, capacity excepted), gone, missing.';

SELECT squad.register_migration(10, 'ticket_change');
