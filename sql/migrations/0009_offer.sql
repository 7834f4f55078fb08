-- What experts do with offers and jobs. Every function locks dispatch, then assignment, then expert_load, then expert,
-- each sorted by its key; is conditional on the state it finds after the locks, and says so in its outcome; and writes
-- history and events with the change.

CREATE FUNCTION squad.tickets_hold(p_tickets uuid[], p_expert integer DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path = squad, pg_temp AS $$
BEGIN
    PERFORM FROM dispatch d WHERE d.ticket_id = ANY (p_tickets) ORDER BY d.ticket_id FOR UPDATE;
    PERFORM FROM assignment a WHERE a.ticket_id = ANY (p_tickets) AND a.ended_at IS NULL
      ORDER BY a.ticket_id, a.id FOR UPDATE;
    PERFORM FROM expert_load l
      WHERE l.expert_id = ANY (ARRAY(SELECT a.expert_id FROM assignment a
                                      WHERE a.ticket_id = ANY (p_tickets) AND a.ended_at IS NULL) || p_expert)
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
    ), told AS (
        -- Whoever may have heard of the offer hears that it is over.
        INSERT INTO notice (assignment_id, ticket_id, expert_id, channel, message, traceparent)
        SELECT e.id, e.ticket_id, e.expert_id, n.channel, 'over', p_traceparent
          FROM ended e JOIN notice n ON n.assignment_id = e.id AND n.message = 'offer' AND n.state <> 'dropped'
         WHERE p_state IN ('rescinded', 'timed_out', 'canceled') ORDER BY e.ticket_id, e.id
        RETURNING id, assignment_id, ticket_id, expert_id, channel, message
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
            SELECT 2, 'notice', t.ticket_id::text, 'squad.notice.requested.v1',
                   json_build_object('notice_id', t.id, 'ticket_id', t.ticket_id, 'assignment_id', t.assignment_id,
                                     'expert_id', t.expert_id, 'channel', t.channel, 'message', t.message)
              FROM told t
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

CREATE FUNCTION squad.offers_version(p_expert integer) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = squad, pg_temp
RETURN (SELECT coalesce(md5(string_agg(a.id || a.state, ',' ORDER BY a.id)), 'none')
          FROM assignment a WHERE a.expert_id = p_expert AND a.ended_at IS NULL);
COMMENT ON FUNCTION squad.offers_version(integer) IS 'Changes with the offers and the accepted work of an expert; for the long poll of GET /v1/me/offers.';

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

CREATE FUNCTION squad.assignment_complete(p_assignment uuid, p_actor text, p_traceparent text DEFAULT NULL)
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
COMMENT ON FUNCTION squad.assignment_complete(uuid, text, text) IS
    'Completes a live assignment, from whatever live state, and frees its slot; other offers of the ticket are rescinded. outcome: completed, already (it was before: no effect), gone (it had ended otherwise), missing.';

CREATE FUNCTION squad.notices_held(p_notices uuid[], p_delivered boolean[]) RETURNS uuid[]
LANGUAGE plpgsql SET search_path = squad, pg_temp AS $$
DECLARE
    v_tickets uuid[] := ARRAY(
        SELECT d.ticket_id FROM dispatch d
         WHERE d.ticket_id IN (SELECT n.ticket_id FROM notice n WHERE n.id = ANY (p_notices)) FOR UPDATE SKIP LOCKED);
    v_assignments uuid[] := ARRAY(
        SELECT a.id FROM assignment a
         WHERE a.id IN (SELECT n.assignment_id FROM notice n WHERE n.id = ANY (p_notices)) FOR UPDATE SKIP LOCKED);
    v_lost uuid[] := ARRAY(SELECT i.id FROM unnest(p_notices, p_delivered) AS i (id, delivered) WHERE NOT i.delivered);
    v_experts integer[] := ARRAY(
        SELECT l.expert_id FROM expert_load l JOIN expert e ON e.id = l.expert_id
         WHERE l.expert_id IN (SELECT n.expert_id FROM notice n WHERE n.id = ANY (v_lost))
           FOR UPDATE OF l SKIP LOCKED FOR NO KEY UPDATE OF e SKIP LOCKED);
    -- An exclusion refers to it.
    v_excluded uuid[] := ARRAY(
        SELECT t.id FROM ticket t
         WHERE t.id IN (SELECT n.ticket_id FROM notice n WHERE n.id = ANY (v_lost)) FOR KEY SHARE SKIP LOCKED);
    v_notices uuid[] := ARRAY(SELECT n.id FROM notice n WHERE n.id = ANY (p_notices) FOR UPDATE SKIP LOCKED);
BEGIN
    RETURN ARRAY(
        SELECT n.id FROM notice n
         WHERE n.id = ANY (p_notices)
           AND (n.id <> ALL (v_notices)
                OR n.ticket_id <> ALL (v_tickets) AND EXISTS (SELECT FROM dispatch d WHERE d.ticket_id = n.ticket_id)
                OR n.assignment_id IS NOT NULL AND n.assignment_id <> ALL (v_assignments)
                OR n.id = ANY (v_lost) AND (n.expert_id IS NOT NULL AND n.expert_id <> ALL (v_experts)
                                            OR n.ticket_id IS NOT NULL AND n.ticket_id <> ALL (v_excluded))));
END $$;
COMMENT ON FUNCTION squad.notices_held(uuid[], boolean[]) IS
    'Locks what notice_finish changes, as far as nobody else holds it, and waits for nothing. Returns the notices of which somebody holds a row. For notice_finish.';

CREATE FUNCTION squad.notice_finish(p_notices uuid[], p_attempts integer[], p_delivered boolean[], p_statuses integer[],
                                    p_errors text[], p_actor text, p_skip_locked boolean DEFAULT false)
RETURNS TABLE (notice_id uuid, notice_state text, assignment_state text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_lost uuid[] := '{}';
    v_held uuid[];
BEGIN
    IF p_skip_locked THEN
        v_held := notices_held(p_notices, p_delivered);
        RETURN QUERY SELECT h.id, 'locked', NULL::text FROM unnest(v_held) AS h (id);
        SELECT array_agg(i.id), array_agg(i.attempt), array_agg(i.delivered), array_agg(i.status), array_agg(i.error)
          INTO p_notices, p_attempts, p_delivered, p_statuses, p_errors
          FROM unnest(p_notices, p_attempts, p_delivered, p_statuses, p_errors) AS i (id, attempt, delivered, status, error)
         WHERE i.id <> ALL (v_held);
        -- Its result is known: as long as the caller lives, nobody sends it again.
        UPDATE notice n SET next_attempt_at = clock_timestamp() + interval '15 s'
          FROM (SELECT m.id FROM notice m WHERE m.id = ANY (v_held) AND m.state = 'sending' AND m.claimed_by = p_actor
                   AND m.next_attempt_at < clock_timestamp() + interval '5 s' FOR UPDATE SKIP LOCKED) AS mine
         WHERE n.id = mine.id;
    END IF;
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
    IF false = ANY (p_delivered) THEN
        -- Nobody begins another attempt between the look and the end.
        PERFORM FROM notice n
          WHERE n.id IN (SELECT i.id FROM unnest(p_notices, p_delivered) AS i (id, delivered) WHERE NOT i.delivered)
          ORDER BY n.id FOR NO KEY UPDATE;
        v_lost := ARRAY(SELECT a.id FROM notice n
                          JOIN (SELECT i.id, max(i.attempt) AS attempt
                                  FROM unnest(p_notices, p_attempts, p_delivered) AS i (id, attempt, delivered)
                                 GROUP BY i.id HAVING NOT bool_or(i.delivered)) AS i USING (id)
                          JOIN assignment a ON a.id = n.assignment_id
                         WHERE n.state = 'sending' AND n.attempts = i.attempt AND n.message = 'offer' AND a.state = 'reserved');
    END IF;
    RETURN QUERY
    WITH input AS (
        SELECT DISTINCT ON (i.id) i.*
          FROM unnest(p_notices, p_attempts, p_delivered, p_statuses, p_errors) AS i (id, attempt, delivered, status, error)
         ORDER BY i.id, i.delivered DESC, i.attempt DESC
    ), ended AS (
        UPDATE notice n
           SET state = CASE WHEN i.delivered THEN 'delivered' ELSE 'undeliverable' END,
               last_status = i.status, last_error = i.error, ended_at = clock_timestamp()
          FROM input i WHERE n.id = i.id AND n.state = 'sending' AND (i.delivered OR n.attempts = i.attempt)
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
        -- Only what it changed: a message that was on its way when its offer ended says nothing new.
        SELECT e.ticket_id, CASE e.state WHEN 'delivered' THEN 'offered' ELSE 'undeliverable' END, p_actor,
               jsonb_strip_nulls(jsonb_build_object('assignment_id', e.assignment_id, 'expert_id', e.expert_id,
                   'notice_id', e.id, 'channel', e.channel, 'attempts', e.attempts, 'status', e.last_status,
                   'error', e.last_error))
          FROM ended e
         WHERE e.message = 'offer'
           AND (e.assignment_id = ANY (v_lost) OR e.assignment_id IN (SELECT m.id FROM moved m))
         ORDER BY e.ticket_id
    ), published AS (
        INSERT INTO outbox (aggregatetype, aggregateid, type, payload, traceparent)
        SELECT 'ticket', m.ticket_id::text, 'squad.ticket.offered.v1',
               json_build_object('ticket_id', m.ticket_id, 'assignment_id', m.id, 'expert_id', m.expert_id,
                                 'notice_id', m.notice_id, 'expires_at', m.expires_at), m.traceparent
          FROM moved m ORDER BY m.ticket_id
    )
    SELECT e.id, e.state,
           CASE WHEN e.message <> 'offer' THEN NULL
                WHEN e.assignment_id = ANY (v_lost) THEN 'undeliverable'
                WHEN e.assignment_id IN (SELECT m.id FROM moved m) THEN 'offered' END
      FROM ended e;
    IF cardinality(v_lost) > 0 THEN
        PERFORM assignments_end(v_lost, 'undeliverable', 'the notice could not be delivered', p_actor);
    END IF;
END $$;
COMMENT ON FUNCTION squad.notice_finish(uuid[], integer[], boolean[], integer[], text[], text, boolean) IS
    'Records final results of attempts, set-wise. An offer delivered: the assignment is offered and its clock starts. Not delivered: its slot is freed, and when nobody else has an offer the ticket goes to the next expert. A notice that has ended already is left as it is, and so is one that another attempt has begun for since: that attempt says whether it was delivered. p_skip_locked: waits for nobody; a notice of which somebody holds a row is left too, for the next call (notice_state locked), and its claim lasts.';

SELECT squad.register_migration(9, 'offer');
