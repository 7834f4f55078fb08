-- What experts, managers and clients do with offers and tickets. Every function locks dispatch, then
-- assignment, then expert_load, then expert, each sorted by its key; is conditional on the state it
-- finds after the locks, and says so in its outcome; and writes history and events with the change.

CREATE FUNCTION squad.tickets_hold(p_tickets uuid[], p_expert integer DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path = squad, pg_temp AS $$
BEGIN
    PERFORM FROM dispatch d WHERE d.ticket_id = ANY (p_tickets) ORDER BY d.ticket_id FOR UPDATE;
    PERFORM FROM assignment a WHERE a.ticket_id = ANY (p_tickets) AND a.ended_at IS NULL
      ORDER BY a.ticket_id, a.id FOR UPDATE;
    PERFORM FROM expert_load l
      WHERE l.expert_id = p_expert
         OR l.expert_id IN (SELECT a.expert_id FROM assignment a WHERE a.ticket_id = ANY (p_tickets) AND a.ended_at IS NULL)
      ORDER BY l.expert_id FOR UPDATE;
END $$;
COMMENT ON FUNCTION squad.tickets_hold(uuid[], integer) IS 'Locks tickets, their live assignments and the loads of those experts (and of one more), in the one order.';

CREATE FUNCTION squad.assignments_end(p_ids uuid[], p_state text, p_reason text, p_actor text,
                                      p_traceparent text DEFAULT NULL, p_code text DEFAULT NULL,
                                      p_ticket_state text DEFAULT 'parked', p_requeue boolean DEFAULT true)
RETURNS TABLE (ticket_id uuid, expert_id integer, timeouts smallint)
LANGUAGE plpgsql SET search_path = squad, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH ended AS (
        UPDATE assignment a
           SET state = p_state, ended_at = clock_timestamp(), reason = p_reason, code = p_code
         WHERE a.id = ANY (p_ids) AND a.ended_at IS NULL
        RETURNING a.id, a.ticket_id, a.expert_id
    ), freed AS (
        UPDATE expert_load l
           SET load = l.load - m.n,
               idle_since = CASE p_state WHEN 'completed' THEN clock_timestamp() ELSE l.idle_since END,
               timeouts = CASE WHEN p_state = 'timed_out' THEN least(l.timeouts + m.n, 32767)
                               WHEN p_state IN ('declined', 'completed') THEN 0 ELSE l.timeouts END
          FROM (SELECT e.expert_id, count(*)::integer AS n FROM ended e GROUP BY 1) AS m
         WHERE l.expert_id = m.expert_id RETURNING l.expert_id, l.timeouts
    ), moved AS (
        UPDATE dispatch d
           SET state = p_ticket_state, since = clock_timestamp(),
               parked = CASE p_ticket_state WHEN 'parked' THEN jsonb_build_object(p_state, true) END
          FROM (SELECT DISTINCT e.ticket_id FROM ended e) AS x
         WHERE d.ticket_id = x.ticket_id AND d.state = 'assigned'
           AND NOT EXISTS (SELECT FROM assignment o WHERE o.ticket_id = x.ticket_id AND o.ended_at IS NULL
                                                      AND o.id NOT IN (SELECT e.id FROM ended e))
        RETURNING d.ticket_id
    ), excluded AS (
        INSERT INTO exclusion AS x (ticket_id, expert_id, until, reason)
        SELECT e.ticket_id, e.expert_id,
               clock_timestamp() + interval '1 second' *
                   CASE WHEN p_code = 'wrong_skill' THEN NULL WHEN p_state = 'declined' THEN y.decline_exclude_s
                        WHEN p_state = 'timed_out' THEN y.timeout_exclude_s ELSE y.undeliverable_exclude_s END,
               CASE WHEN p_code = 'wrong_skill' THEN p_code ELSE p_state END
          FROM ended e, policy y WHERE p_state IN ('declined', 'timed_out', 'undeliverable')
         ORDER BY e.ticket_id, e.expert_id
        ON CONFLICT ON CONSTRAINT exclusion_pkey DO UPDATE
           SET until = excluded.until, reason = excluded.reason
         WHERE x.until IS NOT NULL AND (excluded.until IS NULL OR excluded.until > x.until)
    ), reviewed AS (
        INSERT INTO skill_review (expert_id, ticket_id, type)
        SELECT e.expert_id, e.ticket_id, d.type FROM ended e JOIN dispatch d ON d.ticket_id = e.ticket_id
         WHERE p_code = 'wrong_skill' ORDER BY 1, 2
        ON CONFLICT ON CONSTRAINT skill_review_once DO NOTHING
    ), preferred AS (
        INSERT INTO sticky_expert AS s (client_id, customer_ref, expert_id)
        SELECT DISTINCT ON (t.client_id, t.customer_ref) t.client_id, t.customer_ref, e.expert_id
          FROM ended e JOIN ticket t ON t.id = e.ticket_id
         WHERE p_state = 'completed' AND t.customer_ref IS NOT NULL ORDER BY 1, 2
        ON CONFLICT ON CONSTRAINT sticky_expert_pkey DO UPDATE SET expert_id = excluded.expert_id, since = clock_timestamp()
    ), history AS (
        INSERT INTO ticket_event (ticket_id, kind, actor, detail)
        SELECT e.ticket_id, p_state, p_actor,
               jsonb_strip_nulls(jsonb_build_object('assignment_id', e.id, 'expert_id', e.expert_id, 'code', p_code,
                   'reason', CASE WHEN p_state IN ('rescinded', 'canceled') THEN p_reason END))
          FROM ended e WHERE p_state <> 'undeliverable' ORDER BY e.ticket_id
    ), published AS (
        INSERT INTO outbox (aggregatetype, aggregateid, type, payload, traceparent)
        SELECT o.aggregatetype, o.aggregateid, o.type, o.payload, p_traceparent FROM (
            SELECT 1, 'ticket', e.ticket_id::text, 'squad.ticket.' || p_state || '.v1',
                   json_strip_nulls(json_build_object('ticket_id', e.ticket_id, 'assignment_id', e.id,
                                                      'expert_id', e.expert_id, 'code', p_code))
              FROM ended e WHERE p_state NOT IN ('undeliverable', 'canceled')
            UNION ALL
            SELECT 2, 'ticket', m.ticket_id::text, 'squad.ticket.requeued.v1',
                   json_build_object('ticket_id', m.ticket_id, 'why', p_state)
              FROM moved m WHERE p_ticket_state = 'parked' AND p_requeue
            UNION ALL
            SELECT 3, 'expert', f.expert_id::text, 'squad.expert.freed.v1', json_build_object('expert_id', f.expert_id)
              FROM freed f
        ) AS o (n, aggregatetype, aggregateid, type, payload) ORDER BY o.n, o.aggregateid
    )
    SELECT e.ticket_id, e.expert_id, f.timeouts FROM ended e JOIN freed f ON f.expert_id = e.expert_id;
END $$;
COMMENT ON FUNCTION squad.assignments_end(uuid[], text, text, text, text, text, text, boolean) IS
    'Ends live assignments and frees their slots; a ticket that nobody has any more takes p_ticket_state. The caller holds the locks of tickets_hold. For the functions of this file.';

CREATE FUNCTION squad.offer_accept(p_assignment uuid, p_expert integer, p_actor text, p_traceparent text DEFAULT NULL)
RETURNS TABLE (outcome text, ticket_id uuid, ref text, expert_id integer, state text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_ticket uuid := (SELECT a.ticket_id FROM assignment a
                       WHERE a.id = p_assignment AND (p_expert IS NULL OR a.expert_id = p_expert));
    v_was text;
BEGIN
    IF v_ticket IS NULL THEN
        RETURN QUERY SELECT 'missing', NULL::uuid, NULL::text, NULL::integer, NULL::text;
        RETURN;
    END IF;
    PERFORM tickets_hold(ARRAY[v_ticket]);
    v_was := (SELECT a.state FROM assignment a WHERE a.id = p_assignment);
    IF v_was IN ('reserved', 'offered') THEN
        PERFORM assignments_end(ARRAY(SELECT a.id FROM assignment a WHERE a.ticket_id = v_ticket AND a.ended_at IS NULL
                                                                     AND a.id <> p_assignment),
                                'rescinded', 'another expert accepted', p_actor, p_traceparent);
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
COMMENT ON FUNCTION squad.offer_accept(uuid, integer, text, text) IS
    'An expert accepts; the other offers of the ticket are rescinded. p_expert: whose offer it must be; null: not checked. outcome: accepted, already (it was before: no effect), gone (it had ended), missing.';

CREATE FUNCTION squad.offer_decline(p_assignment uuid, p_expert integer, p_code text, p_actor text, p_traceparent text DEFAULT NULL)
RETURNS TABLE (outcome text, ticket_id uuid, ref text, expert_id integer, state text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_ticket uuid := (SELECT a.ticket_id FROM assignment a
                       WHERE a.id = p_assignment AND (p_expert IS NULL OR a.expert_id = p_expert));
    v_was text;
BEGIN
    IF v_ticket IS NULL THEN
        RETURN QUERY SELECT 'missing', NULL::uuid, NULL::text, NULL::integer, NULL::text;
        RETURN;
    END IF;
    PERFORM tickets_hold(ARRAY[v_ticket]);
    v_was := (SELECT CASE WHEN a.ended_at IS NULL THEN 'live' ELSE a.state END FROM assignment a WHERE a.id = p_assignment);
    IF v_was = 'live' THEN
        PERFORM assignments_end(ARRAY[p_assignment], 'declined', 'the expert declined', p_actor, p_traceparent, p_code);
    END IF;
    RETURN QUERY
    SELECT CASE v_was WHEN 'live' THEN 'declined' WHEN 'declined' THEN 'already' ELSE 'gone' END,
           a.ticket_id, t.ref, a.expert_id, a.state
      FROM assignment a JOIN ticket t ON t.id = a.ticket_id WHERE a.id = p_assignment;
END $$;
COMMENT ON FUNCTION squad.offer_decline(uuid, integer, text, text, text) IS
    'An expert declines an offer or gives accepted work back; p_code: busy, too_far, wrong_skill, unwell or other. The slot is freed, the ticket goes to the next one with its age, wrong_skill opens a skill review. outcome: declined, already, gone, missing.';

CREATE FUNCTION squad.job_move(p_assignment uuid, p_expert integer, p_state text, p_actor text, p_traceparent text DEFAULT NULL)
RETURNS TABLE (outcome text, ticket_id uuid, ref text, expert_id integer, state text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
#variable_conflict use_column
DECLARE
    steps constant text[] := ARRAY['accepted', 'en_route', 'on_site', 'completed'];
    v_ticket uuid := (SELECT a.ticket_id FROM assignment a
                       WHERE a.id = p_assignment AND (p_expert IS NULL OR a.expert_id = p_expert));
    v_was integer;
    v_live boolean;
BEGIN
    IF p_state NOT IN ('en_route', 'on_site') THEN
        RAISE EXCEPTION 'a job can not be moved to %', p_state USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF v_ticket IS NULL THEN
        RETURN QUERY SELECT 'missing', NULL::uuid, NULL::text, NULL::integer, NULL::text;
        RETURN;
    END IF;
    PERFORM FROM dispatch d WHERE d.ticket_id = v_ticket FOR UPDATE;
    SELECT array_position(steps, a.state), a.ended_at IS NULL INTO v_was, v_live
      FROM assignment a WHERE a.id = p_assignment FOR UPDATE;
    IF v_live AND v_was < array_position(steps, p_state) THEN
        WITH moved AS (
            UPDATE assignment a
               SET state = p_state,
                   en_route_at = CASE p_state WHEN 'en_route' THEN clock_timestamp() ELSE a.en_route_at END,
                   on_site_at = CASE p_state WHEN 'on_site' THEN clock_timestamp() ELSE a.on_site_at END
             WHERE a.id = p_assignment RETURNING a.id, a.ticket_id, a.expert_id
        ), history AS (
            INSERT INTO ticket_event (ticket_id, kind, actor, detail)
            SELECT m.ticket_id, p_state, p_actor, jsonb_build_object('assignment_id', m.id, 'expert_id', m.expert_id)
              FROM moved m
        )
        INSERT INTO outbox (aggregatetype, aggregateid, type, payload, traceparent)
        SELECT 'ticket', m.ticket_id::text, 'squad.ticket.' || p_state || '.v1',
               json_build_object('ticket_id', m.ticket_id, 'assignment_id', m.id, 'expert_id', m.expert_id), p_traceparent
          FROM moved m;
    END IF;
    RETURN QUERY
    SELECT CASE WHEN v_was >= array_position(steps, p_state) THEN 'already'
                WHEN NOT v_live THEN 'gone' WHEN v_was IS NULL THEN 'not_accepted' ELSE 'moved' END,
           a.ticket_id, t.ref, a.expert_id, a.state
      FROM assignment a JOIN ticket t ON t.id = a.ticket_id WHERE a.id = p_assignment;
END $$;
COMMENT ON FUNCTION squad.job_move(uuid, integer, text, text, text) IS
    'The expert set out (en_route) or arrived (on_site). outcome: moved, already (that far or farther), not_accepted, gone, missing.';

CREATE OR REPLACE FUNCTION squad.assignment_complete(p_assignment uuid, p_actor text, p_traceparent text DEFAULT NULL)
RETURNS TABLE (outcome text, ticket_id uuid, ref text, expert_id integer, state text, ended_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_ticket uuid := (SELECT a.ticket_id FROM assignment a WHERE a.id = p_assignment);
    v_was text;
BEGIN
    IF v_ticket IS NULL THEN
        RETURN QUERY SELECT 'missing', NULL::uuid, NULL::text, NULL::integer, NULL::text, NULL::timestamptz;
        RETURN;
    END IF;
    PERFORM tickets_hold(ARRAY[v_ticket]);
    v_was := (SELECT CASE WHEN a.ended_at IS NULL THEN 'live' ELSE a.state END FROM assignment a WHERE a.id = p_assignment);
    IF v_was = 'live' THEN
        PERFORM assignments_end(ARRAY(SELECT a.id FROM assignment a WHERE a.ticket_id = v_ticket AND a.ended_at IS NULL
                                                                     AND a.id <> p_assignment),
                                'rescinded', 'another expert did it', p_actor, p_traceparent);
        UPDATE dispatch d SET holder = nullif(a.attempt, d.attempts)
          FROM assignment a
         WHERE a.id = p_assignment AND d.ticket_id = v_ticket AND d.holder IS DISTINCT FROM nullif(a.attempt, d.attempts);
        PERFORM assignments_end(ARRAY[p_assignment], 'completed', 'completed', p_actor, p_traceparent,
                                p_ticket_state => 'completed');
    END IF;
    RETURN QUERY
    SELECT CASE v_was WHEN 'live' THEN 'completed' WHEN 'completed' THEN 'already' ELSE 'gone' END,
           a.ticket_id, t.ref, a.expert_id, a.state, a.ended_at
      FROM assignment a JOIN ticket t ON t.id = a.ticket_id WHERE a.id = p_assignment;
END $$;
COMMENT ON FUNCTION squad.assignment_complete(uuid, text, text) IS
    'Completes a live assignment, from whatever live state, and frees its slot; other offers of the ticket are rescinded. outcome: completed, already (it was before: no effect), gone (it had ended otherwise), missing.';

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
        ELSIF v_was IN ('review', 'parked') THEN
            UPDATE dispatch d SET state = 'canceled', since = clock_timestamp(), parked = NULL WHERE d.ticket_id = p_ticket;
        END IF;
    END IF;
    IF v_was IN ('received', 'review', 'parked', 'assigned') THEN
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
            ON CONFLICT DO NOTHING
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

CREATE OR REPLACE FUNCTION squad.notice_finish(p_notices uuid[], p_delivered boolean[], p_statuses integer[], p_errors text[], p_actor text)
RETURNS TABLE (notice_id uuid, notice_state text, assignment_state text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_lost uuid[];
BEGIN
    PERFORM FROM dispatch d
      WHERE d.ticket_id IN (SELECT n.ticket_id FROM notice n WHERE n.id = ANY (p_notices))
      ORDER BY d.ticket_id FOR UPDATE;
    PERFORM FROM assignment a
      WHERE a.id IN (SELECT n.assignment_id FROM notice n WHERE n.id = ANY (p_notices))
      ORDER BY a.ticket_id, a.id FOR UPDATE;
    PERFORM FROM expert_load l
      WHERE l.expert_id IN (SELECT n.expert_id
                              FROM notice n JOIN unnest(p_notices, p_delivered) AS i (id, delivered) USING (id)
                             WHERE NOT i.delivered)
      ORDER BY l.expert_id FOR UPDATE;
    v_lost := ARRAY(SELECT a.id FROM notice n
                      JOIN (SELECT i.id FROM unnest(p_notices, p_delivered) AS i (id, delivered)
                             GROUP BY i.id HAVING NOT bool_or(i.delivered)) AS i USING (id)
                      JOIN assignment a ON a.id = n.assignment_id
                     WHERE n.state = 'sending' AND n.message = 'offer' AND a.state = 'reserved');
    RETURN QUERY
    WITH input AS (
        SELECT DISTINCT ON (i.id) i.*
          FROM unnest(p_notices, p_delivered, p_statuses, p_errors) AS i (id, delivered, status, error)
         ORDER BY i.id, i.delivered DESC
    ), ended AS (
        UPDATE notice n
           SET state = CASE WHEN i.delivered THEN 'delivered' ELSE 'undeliverable' END,
               last_status = i.status, last_error = i.error, ended_at = clock_timestamp()
          FROM input i WHERE n.id = i.id AND n.state = 'sending'
        RETURNING n.id, n.assignment_id, n.ticket_id, n.expert_id, n.state, n.attempts, n.last_status,
                  n.last_error, n.traceparent, n.channel, n.message
    ), moved AS (
        UPDATE assignment a
           SET state = 'offered', offered_at = clock_timestamp(),
               expires_at = clock_timestamp() + interval '1 second' *
                            coalesce((SELECT y.offer_timeout_s FROM dispatch d JOIN ticket_type y ON y.type = d.type
                                       WHERE d.ticket_id = a.ticket_id), 120)
          FROM ended e WHERE a.id = e.assignment_id AND e.message = 'offer' AND e.state = 'delivered' AND a.state = 'reserved'
        RETURNING a.id, a.ticket_id, a.expert_id, a.expires_at, e.id AS notice_id, e.traceparent
    ), history AS (
        INSERT INTO ticket_event (ticket_id, kind, actor, detail)
        SELECT e.ticket_id, CASE e.state WHEN 'delivered' THEN 'offered' ELSE 'undeliverable' END, p_actor,
               jsonb_strip_nulls(jsonb_build_object('assignment_id', e.assignment_id, 'expert_id', e.expert_id,
                   'notice_id', e.id, 'channel', e.channel, 'attempts', e.attempts, 'status', e.last_status,
                   'error', e.last_error))
          FROM ended e WHERE e.message = 'offer' ORDER BY e.ticket_id
    ), published AS (
        INSERT INTO outbox (aggregatetype, aggregateid, type, payload, traceparent)
        SELECT 'ticket', m.ticket_id::text, 'squad.ticket.offered.v1',
               json_build_object('ticket_id', m.ticket_id, 'assignment_id', m.id, 'expert_id', m.expert_id,
                                 'notice_id', m.notice_id, 'expires_at', m.expires_at), m.traceparent
          FROM moved m ORDER BY m.ticket_id
    )
    SELECT e.id, e.state, CASE WHEN e.assignment_id = ANY (v_lost) THEN 'undeliverable' WHEN m.id IS NOT NULL THEN 'offered' END
      FROM ended e LEFT JOIN moved m ON m.id = e.assignment_id;
    IF cardinality(v_lost) > 0 THEN
        PERFORM assignments_end(v_lost, 'undeliverable', 'the notice could not be delivered', p_actor);
    END IF;
END $$;
COMMENT ON FUNCTION squad.notice_finish(uuid[], boolean[], integer[], text[], text) IS
    'Records final results of notices, set-wise. An offer delivered: the assignment is offered and its clock starts. Not delivered: its slot is freed, and when nobody else has an offer the ticket goes to the next expert. A notice that has ended already is left as it is.';

REVOKE EXECUTE ON FUNCTION squad.tickets_hold(uuid[], integer),
    squad.assignments_end(uuid[], text, text, text, text, text, text, boolean),
    squad.offer_accept(uuid, integer, text, text), squad.offer_decline(uuid, integer, text, text, text),
    squad.job_move(uuid, integer, text, text, text), squad.ticket_cancel(uuid, text, text, text),
    squad.ticket_reassign(uuid, integer, text, boolean, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    squad.offer_accept(uuid, integer, text, text), squad.offer_decline(uuid, integer, text, text, text),
    squad.job_move(uuid, integer, text, text, text), squad.ticket_cancel(uuid, text, text, text),
    squad.ticket_reassign(uuid, integer, text, boolean, text, text) TO squad_intake;

SELECT squad.register_migration(9, 'offer_functions');
