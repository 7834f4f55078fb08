-- Who has which ticket, who was told, and what happened: the tables of the
-- assigner and of the notifier, and the functions other programs call.

CREATE TABLE squad.inbox (
    consumer  text NOT NULL,
    event_id  uuid NOT NULL,
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (consumer, event_id)
);
COMMENT ON TABLE  squad.inbox IS 'Events that a consumer has acted on, written in the transaction of the effect: an event has one effect however often it arrives.';
COMMENT ON COLUMN squad.inbox.consumer IS 'Consumer, as assigner.';
COMMENT ON COLUMN squad.inbox.event_id IS 'outbox.id, in Kafka ce_id.';
COMMENT ON COLUMN squad.inbox.at IS 'When it acted.';

CREATE TABLE squad.dispatch (
    ticket_id   uuid PRIMARY KEY REFERENCES squad.ticket,
    state       text NOT NULL CHECK (state IN ('review', 'parked', 'assigned', 'completed')),
    type        text NOT NULL,
    area        text NOT NULL,
    priority    smallint NOT NULL CHECK (priority BETWEEN 1 AND 5),
    created_at  timestamptz NOT NULL,
    since       timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempts    integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    flags       text[] NOT NULL DEFAULT '{}' CHECK (flags <@ ARRAY['unknown_type', 'unknown_contract']),
    parked      jsonb,
    CONSTRAINT dispatch_parked_why CHECK ((state = 'parked') = (parked IS NOT NULL))
) WITH (fillfactor = 80);
CREATE INDEX dispatch_waiting ON squad.dispatch (priority, created_at, ticket_id) WHERE state = 'parked';
COMMENT ON INDEX squad.dispatch_waiting IS 'Best waiting ticket first: sql/queries/assigner/waiting_*.sql.';
CREATE INDEX dispatch_review ON squad.dispatch (created_at) WHERE state = 'review';
COMMENT ON INDEX squad.dispatch_review IS 'Tickets that need a person.';
COMMENT ON TABLE  squad.dispatch IS 'Where each ticket stands; one narrow row, made when an assigner first sees the ticket. A ticket without a row is in state received.';
COMMENT ON COLUMN squad.dispatch.ticket_id IS 'The ticket.';
COMMENT ON COLUMN squad.dispatch.state IS 'State of the ticket; see squad.state.';
COMMENT ON COLUMN squad.dispatch.type IS 'Copy of ticket.type.';
COMMENT ON COLUMN squad.dispatch.area IS 'Copy of ticket.area.';
COMMENT ON COLUMN squad.dispatch.priority IS 'Priority of its type, 1 (first) to 5.';
COMMENT ON COLUMN squad.dispatch.created_at IS 'Copy of ticket.created_at: within a priority the oldest goes first.';
COMMENT ON COLUMN squad.dispatch.since IS 'When it came into this state.';
COMMENT ON COLUMN squad.dispatch.attempts IS 'Experts tried so far.';
COMMENT ON COLUMN squad.dispatch.flags IS 'What a person should look at: unknown_type, unknown_contract.';
COMMENT ON COLUMN squad.dispatch.parked IS 'Why it waits: experts considered and how many each filter removed, in order: {"experts":12,"inactive":1,"area":8,"skill":2,"excluded":0,"capacity":1}.';
CREATE TRIGGER dispatch_transition BEFORE UPDATE ON squad.dispatch FOR EACH ROW
    WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION squad.check_transition('ticket');
COMMENT ON TRIGGER dispatch_transition ON squad.dispatch IS 'Only the changes of squad.transition.';

CREATE TABLE squad.assignment (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    ticket_id       uuid NOT NULL REFERENCES squad.dispatch,
    expert_id       integer NOT NULL REFERENCES squad.expert,
    attempt         integer NOT NULL CHECK (attempt > 0),
    state           text NOT NULL DEFAULT 'reserved'
                    CHECK (state IN ('reserved', 'offered', 'completed', 'undeliverable')),
    expert_version  integer NOT NULL,
    why             jsonb NOT NULL,
    reserved_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    offered_at      timestamptz,
    ended_at        timestamptz,
    reason          text,
    CONSTRAINT assignment_attempt UNIQUE (ticket_id, attempt),
    CONSTRAINT assignment_offered_at CHECK (state <> 'offered' OR offered_at IS NOT NULL),
    CONSTRAINT assignment_ended_at CHECK ((state IN ('reserved', 'offered')) = (ended_at IS NULL))
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX assignment_one_live ON squad.assignment (ticket_id) WHERE state IN ('reserved', 'offered');
COMMENT ON INDEX squad.assignment_one_live IS 'At every moment at most one expert has a ticket.';
CREATE INDEX assignment_expert_live ON squad.assignment (expert_id) WHERE state IN ('reserved', 'offered');
COMMENT ON INDEX squad.assignment_expert_live IS 'Live assignments of an expert, for the check of expert_load.';
CREATE INDEX assignment_reserved_at ON squad.assignment (reserved_at);
COMMENT ON INDEX squad.assignment_reserved_at IS 'For reports by time.';
COMMENT ON TABLE  squad.assignment IS 'One row per expert tried for a ticket, kept for ever. A live row (reserved, offered) is the expert''s slot.';
COMMENT ON COLUMN squad.assignment.id IS 'Id of the assignment.';
COMMENT ON COLUMN squad.assignment.ticket_id IS 'The ticket.';
COMMENT ON COLUMN squad.assignment.expert_id IS 'The expert.';
COMMENT ON COLUMN squad.assignment.attempt IS 'First, second, … expert tried for this ticket.';
COMMENT ON COLUMN squad.assignment.state IS 'reserved, offered, completed or undeliverable; see squad.state.';
COMMENT ON COLUMN squad.assignment.expert_version IS 'Version of the expert that the choice was made on; checked at insert.';
COMMENT ON COLUMN squad.assignment.why IS 'How the expert was chosen: {"experts":12,"fit":3,"load":0,"idle_s":532}.';
COMMENT ON COLUMN squad.assignment.reserved_at IS 'When the slot was taken.';
COMMENT ON COLUMN squad.assignment.offered_at IS 'When the expert had been notified.';
COMMENT ON COLUMN squad.assignment.ended_at IS 'When the slot was freed.';
COMMENT ON COLUMN squad.assignment.reason IS 'Why it ended, for people.';
CREATE TRIGGER assignment_transition BEFORE UPDATE ON squad.assignment FOR EACH ROW
    WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION squad.check_transition('assignment');
COMMENT ON TRIGGER assignment_transition ON squad.assignment IS 'Only the changes of squad.transition.';

-- P5 and P6 as the database sees them at the end of every statement. A slot is
-- taken or freed by one statement that changes assignment, expert_load and
-- dispatch together; these triggers refuse any other way.
CREATE FUNCTION squad.assignment_qualified() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
DECLARE
    bad record;
BEGIN
    -- A change of the expert that is under way is waited for, and none begins
    -- before this assignment is committed.
    PERFORM FROM expert e WHERE e.id IN (SELECT f.expert_id FROM fresh f) ORDER BY e.id FOR SHARE;
    SELECT f.ticket_id, f.expert_id,
           CASE WHEN NOT e.active THEN 'is not active'
                WHEN e.version <> f.expert_version THEN 'has changed since the choice'
                WHEN tt.type IS NULL THEN 'can not be matched to an unknown type'
                WHEN NOT EXISTS (SELECT FROM expert_area a
                                  WHERE a.expert_id = f.expert_id AND starts_with(t.area, a.prefix))
                     THEN 'does not serve the area'
                ELSE 'lacks a required skill' END AS what
      INTO bad
      FROM fresh f
      JOIN ticket t ON t.id = f.ticket_id
      JOIN expert e ON e.id = f.expert_id
      LEFT JOIN ticket_type tt ON tt.type = t.type
     WHERE NOT e.active OR e.version <> f.expert_version OR tt.type IS NULL
        OR NOT EXISTS (SELECT FROM expert_area a
                        WHERE a.expert_id = f.expert_id AND starts_with(t.area, a.prefix))
        OR EXISTS (SELECT FROM ticket_type_skill r
                     LEFT JOIN expert_skill s ON s.expert_id = f.expert_id AND s.skill = r.skill
                    WHERE r.type = t.type AND coalesce(s.level, 0) < r.min_level)
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'expert % %: ticket %', bad.expert_id, bad.what, bad.ticket_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'assignment_qualified',
                  SCHEMA = 'squad', TABLE = 'assignment';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION squad.assignment_qualified() IS 'Trigger: refuses an assignment to an expert who is inactive, lacks a required skill or does not serve the area.';
CREATE TRIGGER assignment_qualified AFTER INSERT ON squad.assignment REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION squad.assignment_qualified();
COMMENT ON TRIGGER assignment_qualified ON squad.assignment IS 'The right expert, whatever a program says.';

CREATE FUNCTION squad.assignment_consistent() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
DECLARE
    bad record;
BEGIN
    SELECT x.expert_id, coalesce(l.load, 0) AS load, a.live INTO bad
      FROM (SELECT DISTINCT f.expert_id FROM fresh f) x
      LEFT JOIN expert_load l ON l.expert_id = x.expert_id,
           LATERAL (SELECT count(*) AS live FROM assignment a
                     WHERE a.expert_id = x.expert_id AND a.state IN ('reserved', 'offered')) a
     WHERE coalesce(l.load, 0) <> a.live LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'load of expert % is % but % assignments are live', bad.expert_id, bad.load, bad.live
            USING ERRCODE = 'check_violation', CONSTRAINT = 'expert_load_counts',
                  SCHEMA = 'squad', TABLE = 'expert_load',
                  HINT = 'Change assignment, expert_load and dispatch in one statement.';
    END IF;
    SELECT d.ticket_id, d.state INTO bad
      FROM dispatch d
     WHERE d.ticket_id IN (SELECT f.ticket_id FROM fresh f)
       AND (d.state = 'assigned') <> EXISTS (SELECT FROM assignment a
                                              WHERE a.ticket_id = d.ticket_id AND a.state IN ('reserved', 'offered'))
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'ticket % is % but its assignments say otherwise', bad.ticket_id, bad.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'dispatch_matches_assignment',
                  SCHEMA = 'squad', TABLE = 'dispatch',
                  HINT = 'Change assignment, expert_load and dispatch in one statement.';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION squad.assignment_consistent() IS 'Trigger: expert_load.load equals the live assignments, and dispatch.state agrees with them.';
CREATE TRIGGER assignment_consistent_insert AFTER INSERT ON squad.assignment REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION squad.assignment_consistent();
CREATE TRIGGER assignment_consistent_update AFTER UPDATE ON squad.assignment REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION squad.assignment_consistent();
CREATE TRIGGER assignment_consistent_delete AFTER DELETE ON squad.assignment REFERENCING OLD TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION squad.assignment_consistent();
COMMENT ON TRIGGER assignment_consistent_insert ON squad.assignment IS 'Slots and states agree.';
COMMENT ON TRIGGER assignment_consistent_update ON squad.assignment IS 'Slots and states agree.';
COMMENT ON TRIGGER assignment_consistent_delete ON squad.assignment IS 'Slots and states agree.';

CREATE FUNCTION squad.expert_load_consistent() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
DECLARE
    bad record;
BEGIN
    SELECT f.expert_id, CASE TG_OP WHEN 'DELETE' THEN 0 ELSE f.load END AS load, a.live INTO bad
      FROM fresh f, LATERAL (SELECT count(*) AS live FROM assignment a
                              WHERE a.expert_id = f.expert_id AND a.state IN ('reserved', 'offered')) a
     WHERE CASE TG_OP WHEN 'DELETE' THEN 0 ELSE f.load END <> a.live LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'load of expert % can not be %: % assignments are live', bad.expert_id, bad.load, bad.live
            USING ERRCODE = 'check_violation', CONSTRAINT = 'expert_load_counts',
                  SCHEMA = 'squad', TABLE = 'expert_load',
                  HINT = 'Change assignment, expert_load and dispatch in one statement.';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION squad.expert_load_consistent() IS 'Trigger: nobody changes expert_load.load without the assignments.';
CREATE TRIGGER expert_load_consistent AFTER UPDATE ON squad.expert_load REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION squad.expert_load_consistent();
CREATE TRIGGER expert_load_consistent_insert AFTER INSERT ON squad.expert_load REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION squad.expert_load_consistent();
CREATE TRIGGER expert_load_consistent_delete AFTER DELETE ON squad.expert_load REFERENCING OLD TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION squad.expert_load_consistent();
COMMENT ON TRIGGER expert_load_consistent ON squad.expert_load IS 'load equals the live assignments.';
COMMENT ON TRIGGER expert_load_consistent_insert ON squad.expert_load IS 'load equals the live assignments.';
COMMENT ON TRIGGER expert_load_consistent_delete ON squad.expert_load IS 'An expert who holds tickets keeps the row.';

CREATE FUNCTION squad.dispatch_consistent() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
DECLARE
    bad record;
BEGIN
    SELECT f.ticket_id, f.state INTO bad
      FROM fresh f
     WHERE (f.state = 'assigned') <> EXISTS (SELECT FROM assignment a
                                              WHERE a.ticket_id = f.ticket_id AND a.state IN ('reserved', 'offered'))
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'ticket % can not be %: its assignments say otherwise', bad.ticket_id, bad.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'dispatch_matches_assignment',
                  SCHEMA = 'squad', TABLE = 'dispatch',
                  HINT = 'Change assignment, expert_load and dispatch in one statement.';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION squad.dispatch_consistent() IS 'Trigger: a ticket is assigned when it has a live assignment, and only then.';
CREATE TRIGGER dispatch_consistent_insert AFTER INSERT ON squad.dispatch REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION squad.dispatch_consistent();
CREATE TRIGGER dispatch_consistent_update AFTER UPDATE ON squad.dispatch REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION squad.dispatch_consistent();
COMMENT ON TRIGGER dispatch_consistent_insert ON squad.dispatch IS 'Slots and states agree.';
COMMENT ON TRIGGER dispatch_consistent_update ON squad.dispatch IS 'Slots and states agree.';

CREATE TABLE squad.notice (
    id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    assignment_id    uuid NOT NULL REFERENCES squad.assignment,
    ticket_id        uuid NOT NULL,
    expert_id        integer NOT NULL,
    channel          text NOT NULL CHECK (channel IN ('webhook')),
    message          text NOT NULL CHECK (message IN ('offer')),
    state            text NOT NULL DEFAULT 'pending'
                     CHECK (state IN ('pending', 'sending', 'delivered', 'undeliverable')),
    attempts         integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    next_attempt_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    claimed_by       text,
    last_status      integer,
    last_error       text,
    traceparent      text,
    created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at         timestamptz,
    CONSTRAINT notice_once UNIQUE (assignment_id, channel, message),
    CONSTRAINT notice_ended_at CHECK ((state IN ('pending', 'sending')) = (ended_at IS NULL)),
    CONSTRAINT notice_attempted CHECK (state = 'pending' OR attempts > 0)
) WITH (fillfactor = 70);
CREATE INDEX notice_due ON squad.notice (next_attempt_at) WHERE state IN ('pending', 'sending');
COMMENT ON INDEX squad.notice_due IS 'Notices to be sent or sent again: sql/queries/notifier/claim_due.sql.';
CREATE INDEX notice_ticket ON squad.notice (ticket_id);
COMMENT ON INDEX squad.notice_ticket IS 'For the timeline of a ticket.';
COMMENT ON TABLE  squad.notice IS 'Messages to experts, one per recipient and message; the state never goes back. id is the webhook-id, the receiver''s idempotency key.';
COMMENT ON COLUMN squad.notice.id IS 'Id of the notice, sent as webhook-id.';
COMMENT ON COLUMN squad.notice.assignment_id IS 'What it is about.';
COMMENT ON COLUMN squad.notice.ticket_id IS 'The ticket.';
COMMENT ON COLUMN squad.notice.expert_id IS 'The recipient.';
COMMENT ON COLUMN squad.notice.channel IS 'webhook.';
COMMENT ON COLUMN squad.notice.message IS 'offer.';
COMMENT ON COLUMN squad.notice.state IS 'pending, sending (claimed, or waiting for its next attempt), delivered, undeliverable; see squad.state.';
COMMENT ON COLUMN squad.notice.attempts IS 'Attempts begun.';
COMMENT ON COLUMN squad.notice.next_attempt_at IS 'When it may be claimed (again): the retry''s time, or the end of the present claim.';
COMMENT ON COLUMN squad.notice.claimed_by IS 'Notifier instance of the last attempt.';
COMMENT ON COLUMN squad.notice.last_status IS 'HTTP status of the last answer; null when there was none.';
COMMENT ON COLUMN squad.notice.last_error IS 'Why the last attempt failed.';
COMMENT ON COLUMN squad.notice.traceparent IS 'W3C trace context of the request that led here.';
COMMENT ON COLUMN squad.notice.created_at IS 'When it was made, with the assignment.';
COMMENT ON COLUMN squad.notice.ended_at IS 'When it was delivered or given up.';
CREATE TRIGGER notice_transition BEFORE UPDATE ON squad.notice FOR EACH ROW
    WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION squad.check_transition('notice');
COMMENT ON TRIGGER notice_transition ON squad.notice IS 'Only the changes of squad.transition.';

CREATE TABLE squad.ticket_event (
    seq        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticket_id  uuid NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('review', 'parked', 'reserved', 'attempt_failed', 'offered',
                                             'undeliverable', 'completed')),
    actor      text NOT NULL,
    detail     jsonb NOT NULL DEFAULT '{}',
    at         timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TRIGGER ticket_event_insert_only BEFORE UPDATE OR DELETE ON squad.ticket_event
    FOR EACH ROW EXECUTE FUNCTION squad.refuse_change();
COMMENT ON TRIGGER ticket_event_insert_only ON squad.ticket_event IS 'History stays as it was written.';
CREATE INDEX ticket_event_ticket ON squad.ticket_event (ticket_id);
COMMENT ON INDEX squad.ticket_event_ticket IS 'For the timeline of a ticket.';
COMMENT ON TABLE  squad.ticket_event IS 'History: what happened to a ticket after it was received. Insert only; no personal data.';
COMMENT ON COLUMN squad.ticket_event.seq IS 'Order of writing.';
COMMENT ON COLUMN squad.ticket_event.ticket_id IS 'The ticket.';
COMMENT ON COLUMN squad.ticket_event.kind IS 'What happened.';
COMMENT ON COLUMN squad.ticket_event.actor IS 'Program and instance, or the client that asked for it.';
COMMENT ON COLUMN squad.ticket_event.detail IS 'Facts: ids, counts, reasons.';
COMMENT ON COLUMN squad.ticket_event.at IS 'When.';

-- Changes of experts: version, xid and an event that wakes waiting tickets.
CREATE FUNCTION squad.expert_stamp() RETURNS trigger
LANGUAGE plpgsql SET search_path = squad, pg_temp AS $$
BEGIN
    NEW.version := OLD.version + 1;
    NEW.xid := pg_current_xact_id();
    NEW.changed_at := clock_timestamp();
    RETURN NEW;
END $$;
COMMENT ON FUNCTION squad.expert_stamp() IS 'Trigger: raises expert.version.';
CREATE TRIGGER expert_stamp BEFORE UPDATE ON squad.expert FOR EACH ROW EXECUTE FUNCTION squad.expert_stamp();
COMMENT ON TRIGGER expert_stamp ON squad.expert IS 'Every change is a new version.';

CREATE FUNCTION squad.expert_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO expert_load (expert_id) SELECT f.id FROM fresh f ON CONFLICT DO NOTHING;
    END IF;
    INSERT INTO outbox (aggregatetype, aggregateid, type, payload)
    SELECT 'expert', f.id::text, 'squad.expert.changed.v1',
           json_build_object('expert_id', f.id, 'version', f.version, 'active', f.active)
      FROM fresh f ORDER BY f.id;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION squad.expert_changed() IS 'Trigger: gives a new expert a row in expert_load and publishes squad.expert.changed.v1.';
CREATE TRIGGER expert_added AFTER INSERT ON squad.expert REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION squad.expert_changed();
CREATE TRIGGER expert_changed AFTER UPDATE ON squad.expert REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION squad.expert_changed();
COMMENT ON TRIGGER expert_added ON squad.expert IS 'Wakes waiting tickets.';
COMMENT ON TRIGGER expert_changed ON squad.expert IS 'Wakes waiting tickets.';

CREATE FUNCTION squad.expert_touch() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
BEGIN
    UPDATE expert SET version = version WHERE id IN (SELECT f.expert_id FROM fresh f);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION squad.expert_touch() IS 'Trigger: a changed skill, area or capacity is a new version of the expert.';
CREATE TRIGGER expert_skill_insert AFTER INSERT ON squad.expert_skill REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION squad.expert_touch();
CREATE TRIGGER expert_skill_update AFTER UPDATE ON squad.expert_skill REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION squad.expert_touch();
CREATE TRIGGER expert_skill_delete AFTER DELETE ON squad.expert_skill REFERENCING OLD TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION squad.expert_touch();
CREATE TRIGGER expert_area_insert AFTER INSERT ON squad.expert_area REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION squad.expert_touch();
CREATE TRIGGER expert_area_update AFTER UPDATE ON squad.expert_area REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION squad.expert_touch();
CREATE TRIGGER expert_area_delete AFTER DELETE ON squad.expert_area REFERENCING OLD TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION squad.expert_touch();
COMMENT ON TRIGGER expert_skill_insert ON squad.expert_skill IS 'New version of the expert.';
COMMENT ON TRIGGER expert_skill_update ON squad.expert_skill IS 'New version of the expert.';
COMMENT ON TRIGGER expert_skill_delete ON squad.expert_skill IS 'New version of the expert.';
COMMENT ON TRIGGER expert_area_insert ON squad.expert_area IS 'New version of the expert.';
COMMENT ON TRIGGER expert_area_update ON squad.expert_area IS 'New version of the expert.';
COMMENT ON TRIGGER expert_area_delete ON squad.expert_area IS 'New version of the expert.';

CREATE FUNCTION squad.expert_capacity_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
BEGIN
    UPDATE expert SET version = version WHERE id = NEW.expert_id;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION squad.expert_capacity_changed() IS 'Trigger: a changed capacity is a new version of the expert.';
CREATE TRIGGER expert_capacity_changed AFTER UPDATE ON squad.expert_load FOR EACH ROW
    WHEN (OLD.capacity IS DISTINCT FROM NEW.capacity) EXECUTE FUNCTION squad.expert_capacity_changed();
COMMENT ON TRIGGER expert_capacity_changed ON squad.expert_load IS 'New version of the expert.';

-- Functions that other programs call. All lock in one order, dispatch, then
-- assignment, then expert_load, each sorted by its key.
CREATE FUNCTION squad.assignment_complete(p_assignment uuid, p_actor text, p_traceparent text DEFAULT NULL)
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
    PERFORM FROM dispatch d WHERE d.ticket_id = v_ticket FOR UPDATE;
    v_was := (SELECT a.state FROM assignment a WHERE a.id = p_assignment FOR UPDATE);
    IF v_was IN ('reserved', 'offered') THEN
        WITH done AS (
            UPDATE assignment a SET state = 'completed', ended_at = clock_timestamp(), reason = 'completed'
             WHERE a.id = p_assignment RETURNING a.id, a.ticket_id, a.expert_id
        ), freed AS (
            UPDATE expert_load l SET load = l.load - 1, idle_since = clock_timestamp()
              FROM done WHERE l.expert_id = done.expert_id RETURNING l.expert_id
        ), moved AS (
            UPDATE dispatch d SET state = 'completed', since = clock_timestamp()
              FROM done WHERE d.ticket_id = done.ticket_id RETURNING d.ticket_id
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
    SELECT CASE WHEN v_was IN ('reserved', 'offered') THEN 'completed'
                WHEN v_was = 'completed' THEN 'already'
                ELSE 'gone' END,
           a.ticket_id, t.ref, a.expert_id, a.state, a.ended_at
      FROM assignment a JOIN ticket t ON t.id = a.ticket_id WHERE a.id = p_assignment;
END $$;
COMMENT ON FUNCTION squad.assignment_complete(uuid, text, text) IS
    'Completes a live assignment and frees its slot. outcome: completed, already (it was before: no effect), gone (it had ended otherwise), missing.';

CREATE FUNCTION squad.notice_finish(p_notices uuid[], p_delivered boolean[], p_statuses integer[], p_errors text[], p_actor text)
RETURNS TABLE (notice_id uuid, notice_state text, assignment_state text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM FROM dispatch d
      WHERE d.ticket_id IN (SELECT n.ticket_id FROM notice n WHERE n.id = ANY (p_notices))
      ORDER BY d.ticket_id FOR UPDATE;
    PERFORM FROM assignment a
      WHERE a.id IN (SELECT n.assignment_id FROM notice n WHERE n.id = ANY (p_notices))
      ORDER BY a.ticket_id FOR UPDATE;
    PERFORM FROM expert_load l
      WHERE l.expert_id IN (SELECT n.expert_id
                              FROM notice n JOIN unnest(p_notices, p_delivered) AS i (id, delivered) USING (id)
                             WHERE NOT i.delivered)
      ORDER BY l.expert_id FOR UPDATE;
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
                  n.last_error, n.traceparent, n.channel
    ), moved AS (
        UPDATE assignment a
           SET state = CASE e.state WHEN 'delivered' THEN 'offered' ELSE 'undeliverable' END,
               offered_at = CASE e.state WHEN 'delivered' THEN clock_timestamp() END,
               ended_at = CASE e.state WHEN 'delivered' THEN NULL ELSE clock_timestamp() END,
               reason = CASE e.state WHEN 'delivered' THEN NULL ELSE 'the notice could not be delivered' END
          FROM ended e WHERE a.id = e.assignment_id AND a.state = 'reserved'
        RETURNING a.id, a.ticket_id, a.expert_id, a.state, e.id AS notice_id, e.traceparent
    ), freed AS (
        UPDATE expert_load l SET load = l.load - m.n
          FROM (SELECT expert_id, count(*)::integer AS n FROM moved WHERE state = 'undeliverable' GROUP BY 1) m
         WHERE l.expert_id = m.expert_id RETURNING l.expert_id
    ), requeued AS (
        UPDATE dispatch d SET state = 'parked', since = clock_timestamp(),
               parked = '{"undeliverable": true}'
          FROM moved m WHERE d.ticket_id = m.ticket_id AND m.state = 'undeliverable' RETURNING d.ticket_id
    ), history AS (
        INSERT INTO ticket_event (ticket_id, kind, actor, detail)
        SELECT e.ticket_id, CASE e.state WHEN 'delivered' THEN 'offered' ELSE 'undeliverable' END, p_actor,
               jsonb_strip_nulls(jsonb_build_object('assignment_id', e.assignment_id, 'expert_id', e.expert_id,
                   'notice_id', e.id, 'channel', e.channel, 'attempts', e.attempts, 'status', e.last_status,
                   'error', e.last_error))
          FROM ended e ORDER BY e.ticket_id
    ), published AS (
        INSERT INTO outbox (aggregatetype, aggregateid, type, payload, traceparent)
        SELECT x.aggregatetype, x.aggregateid, x.type, x.payload, x.traceparent FROM (
            SELECT 'ticket', m.ticket_id::text,
                   CASE m.state WHEN 'offered' THEN 'squad.ticket.offered.v1' ELSE 'squad.ticket.requeued.v1' END,
                   json_build_object('ticket_id', m.ticket_id, 'assignment_id', m.id, 'expert_id', m.expert_id,
                                     'notice_id', m.notice_id), m.traceparent
              FROM moved m
            UNION ALL
            SELECT 'expert', f.expert_id::text, 'squad.expert.freed.v1',
                   json_build_object('expert_id', f.expert_id), NULL
              FROM freed f
        ) AS x (aggregatetype, aggregateid, type, payload, traceparent)
    )
    SELECT e.id, e.state, m.state FROM ended e LEFT JOIN moved m ON m.id = e.assignment_id;
END $$;
COMMENT ON FUNCTION squad.notice_finish(uuid[], boolean[], integer[], text[], text) IS
    'Records final results of notices, set-wise. Delivered: the assignment is offered. Not delivered: its slot is freed, the ticket waits again and squad.ticket.requeued.v1 sends it to the next expert. A notice that has ended already is left as it is.';

-- Trigger functions too: they have their owner's rights, and whoever may execute
-- one could hang it on a table of its own.
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA squad FROM PUBLIC;
GRANT EXECUTE ON FUNCTION squad.schema_version() TO PUBLIC;
GRANT EXECUTE ON FUNCTION squad.assignment_complete(uuid, text, text) TO squad_intake;
GRANT EXECUTE ON FUNCTION squad.notice_finish(uuid[], boolean[], integer[], text[], text) TO squad_notifier;
GRANT SELECT ON squad.dispatch, squad.assignment TO squad_intake, squad_notifier;
GRANT SELECT ON squad.notice TO squad_intake;
GRANT SELECT, INSERT ON squad.inbox TO squad_assigner, squad_notifier;
GRANT SELECT, INSERT, UPDATE ON squad.dispatch TO squad_assigner;
GRANT SELECT, INSERT, UPDATE ON squad.assignment TO squad_assigner;
GRANT INSERT, SELECT ON squad.notice TO squad_assigner;
GRANT SELECT, UPDATE ON squad.notice TO squad_notifier;
GRANT INSERT ON squad.ticket_event TO squad_assigner, squad_notifier;

SELECT squad.register_migration(4, 'dispatch');
