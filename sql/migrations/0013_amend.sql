-- What a customer may still change, and forms that a machine has filled in.

CREATE FUNCTION squad.ticket_amend(p_client integer, p_ticket uuid, p_version text, p_change jsonb, p_actor text,
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
    END IF;
    RETURN 'ok';
END $$;
COMMENT ON FUNCTION squad.ticket_amend(integer, uuid, text, jsonb, text, text) IS
    'Changes what a customer may correct: problem, customer_name, customer_phone, customer_email; the event names the fields, not what is in them. Outcome: ok, not-found (not this client''s), changed (p_version is not the present one; null: any), conflict (done, called off, or somebody is on the way).';

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
    UPDATE dispatch d SET state = 'parked', since = clock_timestamp(), parked = '{"released": true}',
           routable_at = clock_timestamp(), retry_at = clock_timestamp()
     WHERE d.ticket_id = v_ticket AND d.state = 'quarantined';
    IF NOT FOUND THEN
        RETURN 'not quarantined';
    END IF;
    INSERT INTO ticket_event (ticket_id, kind, actor) VALUES (v_ticket, 'released', p_actor);
    INSERT INTO outbox (aggregatetype, aggregateid, type, payload)
    VALUES ('ticket', v_ticket::text, 'squad.ticket.released.v1', json_build_object('ticket_id', v_ticket));
    RETURN 'released';
END $$;
COMMENT ON FUNCTION squad.ticket_release(text, text) IS 'Gives a quarantined ticket to the assigners after a person has looked at it: SELECT squad.ticket_release(''XXXXX-XXXXX'', ''who'').';

-- As before, and for what is quarantined.
CREATE OR REPLACE FUNCTION squad.ticket_cancel(p_ticket uuid, p_reason text, p_actor text, p_traceparent text DEFAULT NULL)
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

INSERT INTO squad.state (entity, state, live, description) VALUES
    ('ticket', 'quarantined', true, 'a machine seems to have filled in the form: a person must look at it');
INSERT INTO squad.transition (entity, from_state, to_state, why) VALUES
    ('ticket', 'received',    'quarantined', 'a field that people do not see was filled in'),
    ('ticket', 'quarantined', 'parked',      'a person released it'),
    ('ticket', 'quarantined', 'canceled',    'called off');
ALTER TABLE squad.dispatch DROP CONSTRAINT dispatch_state_check,
    ADD CONSTRAINT dispatch_state_check CHECK (state IN ('review', 'parked', 'assigned', 'completed', 'canceled', 'quarantined')),
    DROP CONSTRAINT dispatch_routable,
    ADD CONSTRAINT dispatch_routable CHECK (routable_at IS NOT NULL OR state IN ('review', 'canceled', 'quarantined'));
COMMENT ON COLUMN squad.dispatch.state IS 'State of the ticket: quarantined, review, parked, assigned, completed or canceled; see squad.state.';
ALTER TABLE squad.ticket_event DROP CONSTRAINT ticket_event_kind_check,
    ADD CONSTRAINT ticket_event_kind_check CHECK (kind IN ('review', 'parked', 'reserved', 'attempt_failed', 'offered',
        'undeliverable', 'completed', 'accepted', 'en_route', 'on_site', 'declined', 'timed_out', 'rescinded', 'canceled',
        'reassigned', 'manager_told', 'customer_told', 'changed', 'amended', 'quarantined', 'released'));
COMMENT ON TABLE squad.ticket IS 'Requests as they came; written by intake. Where a ticket stands is in dispatch. squad.ticket_amend alone changes a row: what the customer corrects, with an event.';

CREATE OR REPLACE VIEW rpt.backlog AS
SELECT s.state,
       count(w.age) AS tickets,
       count(*) FILTER (WHERE w.age < interval '1 minute') AS under_1_min,
       count(*) FILTER (WHERE w.age >= interval '1 minute' AND w.age < interval '5 minutes') AS under_5_min,
       count(*) FILTER (WHERE w.age >= interval '5 minutes' AND w.age < interval '1 hour') AS under_1_h,
       count(*) FILTER (WHERE w.age >= interval '1 hour' AND w.age < interval '1 day') AS under_1_day,
       count(*) FILTER (WHERE w.age >= interval '1 day') AS older,
       floor(extract(epoch FROM max(w.age)))::bigint AS oldest_s
  FROM squad.state s
  LEFT JOIN (SELECT 'received' AS state, (SELECT squad.report_now()) - t.created_at AS age
               FROM squad.ticket t
              WHERE NOT EXISTS (SELECT FROM squad.dispatch d WHERE d.ticket_id = t.id)
             UNION ALL
             SELECT d.state, (SELECT squad.report_now()) - d.created_at
               FROM squad.dispatch d WHERE d.state NOT IN ('completed', 'canceled')) AS w ON w.state = s.state
 WHERE s.entity = 'ticket' AND s.live
 GROUP BY s.state
 ORDER BY array_position(ARRAY['received', 'quarantined', 'review', 'parked', 'assigned'], s.state);
COMMENT ON COLUMN rpt.backlog.state IS 'State of the tickets: received (no assigner has seen it), quarantined (a machine seems to have posted it; a person must look), review (a person must look), parked (nobody can take it now), assigned.';

COMMENT ON COLUMN rpt.timeline.what IS 'received, quarantined, released, review, parked, reserved, attempt_failed, offered, accepted, declined, timed_out, rescinded, reassigned, undeliverable, en_route, on_site, completed, canceled, amended, manager_told or customer_told.';

CREATE INDEX dispatch_quarantined ON squad.dispatch (created_at) WHERE state = 'quarantined';
COMMENT ON INDEX squad.dispatch_quarantined IS 'Forms that a person must look at.';

REVOKE EXECUTE ON FUNCTION squad.ticket_amend(integer, uuid, text, jsonb, text, text),
    squad.ticket_quarantine(uuid, text, integer, bytea, bytea, jsonb, text, text), squad.ticket_release(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION squad.ticket_amend(integer, uuid, text, jsonb, text, text),
    squad.ticket_quarantine(uuid, text, integer, bytea, bytea, jsonb, text, text) TO squad_intake;

SELECT squad.register_migration(13, 'amend');
