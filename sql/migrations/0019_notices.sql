-- More to say than offers: that an offer is over, that a ticket has been amended, that an expert is on break,
-- and that a ticket waits (to the manager at T1, to the customer at T2). docs/http.md has the messages.

ALTER TABLE squad.notice
    ALTER assignment_id DROP NOT NULL,
    ALTER ticket_id DROP NOT NULL,
    ALTER expert_id DROP NOT NULL,
    ADD recipient text NOT NULL DEFAULT 'expert' CHECK (recipient IN ('expert', 'manager', 'customer')),
    DROP CONSTRAINT notice_message_check,
    ADD CONSTRAINT notice_message_check CHECK (message IN ('offer', 'over', 'amended', 'break', 'waiting')),
    DROP CONSTRAINT notice_state_check,
    ADD CONSTRAINT notice_state_check CHECK (state IN ('pending', 'sending', 'delivered', 'undeliverable', 'dropped')),
    DROP CONSTRAINT notice_attempted,
    ADD CONSTRAINT notice_attempted CHECK (state IN ('pending', 'dropped') OR attempts > 0),
    ADD CONSTRAINT notice_subject CHECK ((message IN ('offer', 'over', 'amended')) = (assignment_id IS NOT NULL)
                                       AND (message = 'break') = (ticket_id IS NULL)
                                       AND (message = 'waiting') = (expert_id IS NULL)
                                       AND (message = 'waiting') = (recipient <> 'expert')),
    DROP CONSTRAINT notice_once;
CREATE UNIQUE INDEX notice_once ON squad.notice (assignment_id, channel, message) WHERE message IN ('offer', 'over');
COMMENT ON INDEX squad.notice_once IS 'An expert hears once of an offer, and once that it is over.';
CREATE UNIQUE INDEX notice_waiting_once ON squad.notice (ticket_id, recipient, channel) WHERE message = 'waiting';
COMMENT ON INDEX squad.notice_waiting_once IS 'Manager and customer hear once that a ticket waits.';
COMMENT ON TABLE  squad.notice IS 'Messages to experts, to the manager and to customers, one per recipient and message; the state never goes back. id is the webhook-id, the receiver''s idempotency key.';
COMMENT ON COLUMN squad.notice.assignment_id IS 'The offer it is about; null: break, waiting.';
COMMENT ON COLUMN squad.notice.ticket_id IS 'The ticket; null: break.';
COMMENT ON COLUMN squad.notice.expert_id IS 'The expert who hears it; null: it is for the manager or the customer.';
COMMENT ON COLUMN squad.notice.recipient IS 'expert (at his own address); manager or customer (at the company''s address, squad-notifier --company-webhook).';
COMMENT ON COLUMN squad.notice.message IS 'offer; over (the offer was rescinded, timed out or canceled); amended (the ticket has been changed); break (offers in a row timed out); waiting (T1, T2).';
COMMENT ON COLUMN squad.notice.state IS 'pending, sending (claimed, or waiting for its next attempt), delivered, undeliverable, dropped (had become pointless before it was sent); see squad.state.';

INSERT INTO squad.state (entity, state, live, description) VALUES
    ('notice', 'dropped', false, 'had become pointless before it was sent');
INSERT INTO squad.transition (entity, from_state, to_state, why) VALUES
    ('notice', 'pending', 'dropped', 'what it would say is no longer so'),
    ('notice', 'sending', 'dropped', 'what it would say is no longer so');

CREATE OR REPLACE FUNCTION squad.assignments_end(p_ids uuid[], p_state text, p_reason text, p_actor text,
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

CREATE OR REPLACE FUNCTION squad.notice_finish(p_notices uuid[], p_delivered boolean[], p_statuses integer[], p_errors text[], p_actor text)
RETURNS TABLE (notice_id uuid, notice_state text, assignment_state text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_lost uuid[] := '{}';
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
    IF false = ANY (p_delivered) THEN
        v_lost := ARRAY(SELECT a.id FROM notice n
                          JOIN (SELECT i.id FROM unnest(p_notices, p_delivered) AS i (id, delivered)
                                 GROUP BY i.id HAVING NOT bool_or(i.delivered)) AS i USING (id)
                          JOIN assignment a ON a.id = n.assignment_id
                         WHERE n.state = 'sending' AND n.message = 'offer' AND a.state = 'reserved');
    END IF;
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

CREATE OR REPLACE FUNCTION squad.offers_expire(p_limit integer, p_actor text)
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

CREATE OR REPLACE FUNCTION squad.waiting_tell(p_limit integer, p_actor text) RETURNS TABLE (ticket_id uuid, whom text)
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

CREATE OR REPLACE FUNCTION squad.ticket_amend(p_client integer, p_ticket uuid, p_version text, p_change jsonb, p_actor text,
                                   p_traceparent text DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
DECLARE
    v_was ticket;
    v_fields text[];
BEGIN
    PERFORM FROM dispatch d WHERE d.ticket_id = p_ticket FOR UPDATE;
    PERFORM FROM ticket t WHERE t.id = p_ticket AND t.client_id = p_client FOR NO KEY UPDATE;
    IF NOT FOUND THEN
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

GRANT SELECT (status, status_reason) ON squad.expert TO squad_notifier;

CREATE OR REPLACE VIEW rpt.notice_problem AS
SELECT n.id AS notice_id, t.ref, n.expert_id, e.name AS expert, n.channel,
       CASE n.state WHEN 'undeliverable' THEN 'undeliverable' ELSE 'retrying' END AS state,
       n.attempts, n.last_status, n.last_error, n.created_at,
       CASE WHEN n.state <> 'undeliverable' THEN n.next_attempt_at END AS next_attempt_at, n.ended_at,
       floor(extract(epoch FROM (SELECT squad.report_now()) - n.created_at))::bigint AS age_s, n.recipient, n.message
  FROM squad.notice n
  LEFT JOIN squad.ticket t ON t.id = n.ticket_id
  LEFT JOIN squad.expert e ON e.id = n.expert_id
 WHERE n.state = 'undeliverable'
    OR (n.state IN ('pending', 'sending') AND (n.last_error IS NOT NULL OR n.last_status IS NOT NULL));
COMMENT ON VIEW   rpt.notice_problem IS 'Notices that failed: those tried again (retrying) and those given up (undeliverable; the ticket of an offer went on to the next expert).';
COMMENT ON COLUMN rpt.notice_problem.ref IS 'Reference of the ticket; null: it is not about one.';
COMMENT ON COLUMN rpt.notice_problem.expert_id IS 'Number of the expert; null: it is for the manager or a customer.';
COMMENT ON COLUMN rpt.notice_problem.recipient IS 'expert, manager or customer.';
COMMENT ON COLUMN rpt.notice_problem.message IS 'offer, over, amended, break or waiting.';

SELECT squad.register_migration(19, 'notices');
