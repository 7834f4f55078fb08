-- The life of an offer: states, the columns they need, and the constraints that refuse wrong ones.
--
-- First of several: a ticket may be offered to dispatch.offers experts at once. Each offer holds a
-- slot of its expert and has a place of its own, 1 to offers; a ticket with offers = 1 has one live
-- assignment at most. At most one is ever taken (accepted, en_route, on_site, completed), and none
-- is live beside it.

INSERT INTO squad.state (entity, state, live, description) VALUES
    ('ticket',     'canceled',  false, 'called off'),
    ('assignment', 'accepted',  true,  'the expert will do it'),
    ('assignment', 'en_route',  true,  'the expert is on the way'),
    ('assignment', 'on_site',   true,  'the expert has arrived'),
    ('assignment', 'declined',  false, 'the expert will not do it; slot freed'),
    ('assignment', 'timed_out', false, 'the expert did not answer in time; slot freed'),
    ('assignment', 'rescinded', false, 'taken back: another one was faster, or a manager or a rule said so; slot freed'),
    ('assignment', 'canceled',  false, 'the ticket was called off; slot freed');
UPDATE squad.state SET description = 'one expert has it, or several have an offer' WHERE entity = 'ticket' AND state = 'assigned';

UPDATE squad.transition SET why = 'nobody has it any more: declined, timed out, rescinded or not notified'
 WHERE entity = 'ticket' AND from_state = 'assigned' AND to_state = 'parked';
INSERT INTO squad.transition (entity, from_state, to_state, why) VALUES
    ('ticket',     'received', 'canceled',  'called off'),
    ('ticket',     'review',   'canceled',  'called off'),
    ('ticket',     'parked',   'canceled',  'called off'),
    ('ticket',     'assigned', 'canceled',  'called off'),
    ('assignment', 'reserved', 'accepted',  'accepted before the delivery was recorded'),
    ('assignment', 'reserved', 'declined',  'declined before the delivery was recorded'),
    ('assignment', 'reserved', 'rescinded', 'taken back'),
    ('assignment', 'reserved', 'canceled',  'the ticket was called off'),
    ('assignment', 'offered',  'accepted',  'the expert accepted'),
    ('assignment', 'offered',  'declined',  'the expert declined'),
    ('assignment', 'offered',  'timed_out', 'no answer in time'),
    ('assignment', 'offered',  'rescinded', 'taken back'),
    ('assignment', 'offered',  'canceled',  'the ticket was called off'),
    ('assignment', 'accepted', 'en_route',  'the expert set out'),
    ('assignment', 'accepted', 'on_site',   'the expert arrived'),
    ('assignment', 'accepted', 'completed', 'the expert completed it'),
    ('assignment', 'accepted', 'declined',  'given back'),
    ('assignment', 'accepted', 'rescinded', 'taken back'),
    ('assignment', 'accepted', 'canceled',  'the ticket was called off'),
    ('assignment', 'en_route', 'on_site',   'the expert arrived'),
    ('assignment', 'en_route', 'completed', 'the expert completed it'),
    ('assignment', 'en_route', 'declined',  'given back'),
    ('assignment', 'en_route', 'rescinded', 'taken back'),
    ('assignment', 'en_route', 'canceled',  'the ticket was called off'),
    ('assignment', 'on_site',  'completed', 'the expert completed it'),
    ('assignment', 'on_site',  'declined',  'given back'),
    ('assignment', 'on_site',  'rescinded', 'taken back'),
    ('assignment', 'on_site',  'canceled',  'the ticket was called off');

ALTER TABLE squad.dispatch
    DROP CONSTRAINT dispatch_state_check,
    ADD CONSTRAINT dispatch_state_check CHECK (state IN ('review', 'parked', 'assigned', 'completed', 'canceled')),
    ADD assign_due timestamptz NOT NULL DEFAULT clock_timestamp() + interval '1 day',
    ADD routable_at timestamptz DEFAULT clock_timestamp(),
    ADD retry_at timestamptz,
    ADD tell_at timestamptz,
    ADD manager_told_at timestamptz,
    ADD customer_told_at timestamptz,
    ADD offers smallint NOT NULL DEFAULT 1 CHECK (offers BETWEEN 1 AND 5),
    ADD holder integer CHECK (holder > 0),
    ADD CONSTRAINT dispatch_routable CHECK (routable_at IS NOT NULL OR state IN ('review', 'canceled'));
COMMENT ON COLUMN squad.dispatch.state IS 'State of the ticket: review, parked, assigned, completed or canceled; see squad.state.';
COMMENT ON COLUMN squad.dispatch.created_at IS 'Copy of ticket.created_at.';
COMMENT ON COLUMN squad.dispatch.assign_due IS 'Until when it should have an expert: stored plus priority.due_s. Past it the ticket goes before all that are not; within a priority the earliest due, among equals the oldest, goes first.';
COMMENT ON COLUMN squad.dispatch.routable_at IS 'Since when an expert is sought: requirements are dropped counted from here. Set once.';
COMMENT ON COLUMN squad.dispatch.retry_at IS 'While parked: when the clock alone changes who may take it (a requirement is dropped, an exclusion ends).';
COMMENT ON COLUMN squad.dispatch.tell_at IS 'When the manager (then the customer) is told that it waits; null: nobody is to be told.';
COMMENT ON COLUMN squad.dispatch.manager_told_at IS 'When the manager was told that it waits (T1).';
COMMENT ON COLUMN squad.dispatch.customer_told_at IS 'When the customer was told that it waits (T2).';
COMMENT ON COLUMN squad.dispatch.offers IS 'To how many experts at once it was last offered, 1 to 5.';
COMMENT ON COLUMN squad.dispatch.holder IS 'Number of the attempt that has it, when that is not the last one; else null.';
COMMENT ON COLUMN squad.dispatch.parked IS 'Why it waits: experts considered and how many each filter removed, in order: {"experts":12,"inactive":1,"area":8,"skill":2,"shift":0,"absent":0,"presence":0,"excluded":0,"capacity":1}; or the end of its last offer: {"declined":true}.';
DROP INDEX squad.dispatch_waiting;
CREATE INDEX dispatch_waiting ON squad.dispatch (priority, assign_due, created_at, ticket_id) WHERE state = 'parked';
COMMENT ON INDEX squad.dispatch_waiting IS 'Best waiting ticket first: sql/queries/assigner/waiting_*.sql.';
CREATE INDEX dispatch_waiting_kind ON squad.dispatch (type, area COLLATE "C", priority, assign_due, created_at, ticket_id) WHERE state = 'parked';
COMMENT ON INDEX squad.dispatch_waiting_kind IS 'Best waiting ticket of each type and postcode: squad.waiting_for.';
CREATE INDEX dispatch_retry ON squad.dispatch (retry_at) WHERE state = 'parked' AND retry_at IS NOT NULL;
COMMENT ON INDEX squad.dispatch_retry IS 'For sql/queries/assigner/waiting_due.sql.';
CREATE INDEX dispatch_tell ON squad.dispatch (tell_at) WHERE state = 'parked' AND tell_at IS NOT NULL;
COMMENT ON INDEX squad.dispatch_tell IS 'For squad.waiting_tell.';

CREATE FUNCTION squad.dispatch_routable_once() RETURNS trigger
LANGUAGE plpgsql SET search_path = squad, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'the time since when an expert is sought for ticket % stays', OLD.ticket_id
        USING ERRCODE = 'check_violation', CONSTRAINT = 'dispatch_routable_once', SCHEMA = 'squad', TABLE = 'dispatch';
END $$;
COMMENT ON FUNCTION squad.dispatch_routable_once() IS 'Trigger: declines do not set the clock of the requirements back.';
CREATE TRIGGER dispatch_routable_once BEFORE UPDATE ON squad.dispatch FOR EACH ROW
    WHEN (OLD.routable_at IS NOT NULL AND OLD.routable_at IS DISTINCT FROM NEW.routable_at)
    EXECUTE FUNCTION squad.dispatch_routable_once();
COMMENT ON TRIGGER dispatch_routable_once ON squad.dispatch IS 'Set once.';

DROP INDEX squad.assignment_one_live, squad.assignment_expert_live;
ALTER TABLE squad.assignment
    DROP CONSTRAINT assignment_state_check,
    DROP CONSTRAINT assignment_ended_at,
    ADD CONSTRAINT assignment_state_check CHECK (state IN ('reserved', 'offered', 'accepted', 'en_route', 'on_site', 'completed',
                                                           'declined', 'timed_out', 'rescinded', 'undeliverable', 'canceled')),
    ADD CONSTRAINT assignment_ended_at CHECK ((state IN ('reserved', 'offered', 'accepted', 'en_route', 'on_site')) = (ended_at IS NULL)),
    ADD place smallint NOT NULL DEFAULT 1 CHECK (place BETWEEN 1 AND 5),
    ADD token uuid NOT NULL DEFAULT gen_random_uuid(),
    ADD expires_at timestamptz,
    ADD accepted_at timestamptz,
    ADD en_route_at timestamptz,
    ADD on_site_at timestamptz,
    ADD code text CHECK (code IN ('busy', 'too_far', 'wrong_skill', 'unwell', 'other')),
    ADD override text[],
    ADD CONSTRAINT assignment_expires_at CHECK (state <> 'offered' OR expires_at IS NOT NULL),
    ADD CONSTRAINT assignment_accepted_at CHECK (state NOT IN ('accepted', 'en_route', 'on_site') OR accepted_at IS NOT NULL),
    ADD CONSTRAINT assignment_declined_why CHECK ((state = 'declined') = (code IS NOT NULL));
COMMENT ON TABLE  squad.assignment IS 'One row per expert tried for a ticket, kept for ever. A live row (ended_at is null) is the expert''s slot.';
COMMENT ON COLUMN squad.assignment.state IS 'reserved, offered, accepted, en_route, on_site; completed, declined, timed_out, rescinded, undeliverable, canceled; see squad.state.';
COMMENT ON COLUMN squad.assignment.place IS 'Which of the offers made at once, 1 to dispatch.offers.';
COMMENT ON COLUMN squad.assignment.token IS 'Secret of the link in the offer''s message: /o/{id}.{token}.';
COMMENT ON COLUMN squad.assignment.expires_at IS 'When the offer times out; set when the expert has been notified.';
COMMENT ON COLUMN squad.assignment.accepted_at IS 'When the expert accepted.';
COMMENT ON COLUMN squad.assignment.en_route_at IS 'When the expert set out.';
COMMENT ON COLUMN squad.assignment.on_site_at IS 'When the expert arrived.';
COMMENT ON COLUMN squad.assignment.code IS 'Why it was declined: busy, too_far, wrong_skill, unwell or other.';
COMMENT ON COLUMN squad.assignment.override IS 'Rules that a manager knowingly broke by this assignment; null: none, the rules were checked.';
CREATE UNIQUE INDEX assignment_one_live ON squad.assignment (ticket_id, place) WHERE ended_at IS NULL;
COMMENT ON INDEX squad.assignment_one_live IS 'At every moment one expert at most per place of a ticket; a ticket has dispatch.offers places.';
CREATE UNIQUE INDEX assignment_one_holder ON squad.assignment (ticket_id) WHERE state IN ('accepted', 'en_route', 'on_site', 'completed');
COMMENT ON INDEX squad.assignment_one_holder IS 'One expert at most accepts a ticket.';
CREATE INDEX assignment_expert_live ON squad.assignment (expert_id) WHERE ended_at IS NULL;
COMMENT ON INDEX squad.assignment_expert_live IS 'Live assignments of an expert, for the check of expert_load.';
CREATE INDEX assignment_expires ON squad.assignment (expires_at) WHERE state = 'offered';
COMMENT ON INDEX squad.assignment_expires IS 'For squad.offers_expire.';

ALTER TABLE squad.expert_load ADD timeouts smallint NOT NULL DEFAULT 0 CHECK (timeouts >= 0);
COMMENT ON COLUMN squad.expert_load.timeouts IS 'Offers in a row that timed out; an answer sets it to 0.';
COMMENT ON COLUMN squad.expert_load.idle_since IS 'When the expert last completed a job (or was added); a decline does not change it.';

ALTER TABLE squad.ticket_event DROP CONSTRAINT ticket_event_kind_check;
ALTER TABLE squad.ticket_event ADD CONSTRAINT ticket_event_kind_check
    CHECK (kind IN ('review', 'parked', 'reserved', 'attempt_failed', 'offered', 'undeliverable', 'completed', 'accepted',
                    'en_route', 'on_site', 'declined', 'timed_out', 'rescinded', 'canceled', 'reassigned',
                    'manager_told', 'customer_told', 'changed'));

-- P6 at the end of every statement. The rules of squad.expert_breaks, set-wise.
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
      JOIN dispatch d ON d.ticket_id = f.ticket_id
      JOIN expert e ON e.id = f.expert_id
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
     ORDER BY (f.override IS NOT NULL AND f.override @> expert_breaks(f.ticket_id, f.expert_id, f.reserved_at))
     LIMIT 1;
    IF FOUND AND (bad.override IS NULL OR NOT bad.override @> expert_breaks(bad.ticket_id, bad.expert_id, bad.reserved_at)) THEN
        RAISE EXCEPTION 'expert % %: ticket %', bad.expert_id,
            CASE WHEN bad.stale THEN 'has changed since the choice'
                 ELSE coalesce((SELECT rule_words(r) FROM unnest(expert_breaks(bad.ticket_id, bad.expert_id, bad.reserved_at)) AS r
                                 WHERE r <> 'capacity' LIMIT 1), 'breaks a rule') END, bad.ticket_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'assignment_qualified',
                  SCHEMA = 'squad', TABLE = 'assignment';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION squad.assignment_qualified() IS 'Trigger: refuses an assignment to an expert who does not pass every filter at its time, unless a manager broke exactly those rules knowingly (override).';

CREATE FUNCTION squad.expert_breaks(p_ticket uuid, p_expert integer, p_at timestamptz DEFAULT clock_timestamp()) RETURNS text[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = squad, pg_temp
BEGIN ATOMIC
    SELECT array_remove(ARRAY[
               CASE WHEN tt.type IS NULL THEN 'type' END,
               CASE WHEN NOT e.active THEN 'inactive' END,
               CASE WHEN NOT EXISTS (SELECT FROM squad.expert_area a WHERE a.expert_id = e.id AND starts_with(t.area, a.prefix))
                    THEN 'area' END,
               CASE WHEN EXISTS (SELECT FROM squad.ticket_type_skill r
                                   LEFT JOIN squad.expert_skill s ON s.expert_id = e.id AND s.skill = r.skill
                                  WHERE r.type = t.type AND coalesce(s.level, 0) < r.min_level
                                    AND (r.importance = 0 OR d.routable_at IS NULL OR p_at < d.routable_at + interval '1 second' *
                                         CASE r.importance WHEN 3 THEN p.relax_3_s WHEN 2 THEN p.relax_2_s ELSE p.relax_1_s END))
                    THEN 'skill' END,
               CASE WHEN e.schedule = 'shifts'
                     AND NOT coalesce((SELECT range_agg(s.during) @> j.job FROM squad.expert_shift s
                                        WHERE s.expert_id = e.id AND s.during && j.job), false) THEN 'shift' END,
               CASE WHEN EXISTS (SELECT FROM squad.absence x WHERE x.expert_id = e.id AND x.during && j.job) THEN 'absent' END,
               CASE WHEN e.status <> 'available' THEN 'presence' END,
               CASE WHEN EXISTS (SELECT FROM squad.exclusion x WHERE x.ticket_id = t.id AND x.expert_id = e.id
                                                                 AND (x.until IS NULL OR x.until > p_at)) THEN 'excluded' END,
               CASE WHEN l.load >= l.capacity THEN 'capacity' END], NULL)
      FROM squad.ticket t
      JOIN squad.expert e ON e.id = p_expert
      LEFT JOIN squad.dispatch d ON d.ticket_id = t.id
      LEFT JOIN squad.expert_load l ON l.expert_id = e.id
      LEFT JOIN squad.ticket_type tt ON tt.type = t.type
      LEFT JOIN squad.priority p ON p.priority = coalesce(d.priority, tt.priority),
           LATERAL (SELECT tstzrange(p_at, p_at + coalesce(tt.duration_s, 0) * interval '1 second') AS job) AS j
     WHERE t.id = p_ticket;
END;
COMMENT ON FUNCTION squad.expert_breaks(uuid, integer, timestamptz) IS
    'The filters that an expert does not pass for a ticket at a moment, in order: type, inactive, area, skill, shift, absent, presence, excluded, capacity. Empty: may take it. Null: no such ticket or expert.';

CREATE FUNCTION squad.rule_words(p_rule text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = squad, pg_temp
RETURN CASE p_rule WHEN 'type' THEN 'can not be matched to an unknown type' WHEN 'inactive' THEN 'is not active'
                   WHEN 'area' THEN 'does not serve the area' WHEN 'skill' THEN 'lacks a required skill'
                   WHEN 'shift' THEN 'is not on shift until the job would end' WHEN 'absent' THEN 'is absent'
                   WHEN 'presence' THEN 'is not available' WHEN 'excluded' THEN 'is excluded from this ticket'
                   WHEN 'capacity' THEN 'has no free slot' ELSE p_rule END;
COMMENT ON FUNCTION squad.rule_words(text) IS 'A filter''s name as words after "the expert".';

CREATE OR REPLACE FUNCTION squad.assignment_consistent() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
DECLARE
    bad record;
BEGIN
    SELECT x.expert_id, coalesce(l.load, 0) AS load, a.live INTO bad
      FROM (SELECT DISTINCT f.expert_id FROM fresh f) x
      LEFT JOIN expert_load l ON l.expert_id = x.expert_id,
           LATERAL (SELECT count(*) AS live FROM assignment a
                     WHERE a.expert_id = x.expert_id AND a.ended_at IS NULL) a
     WHERE coalesce(l.load, 0) <> a.live LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'load of expert % is % but % assignments are live', bad.expert_id, bad.load, bad.live
            USING ERRCODE = 'check_violation', CONSTRAINT = 'expert_load_counts',
                  SCHEMA = 'squad', TABLE = 'expert_load',
                  HINT = 'Change assignment, expert_load and dispatch in one statement.';
    END IF;
    SELECT d.ticket_id, d.state, d.offers, a.live, a.last, a.taken INTO bad
      FROM dispatch d,
           LATERAL (SELECT count(*) AS live, coalesce(max(a.place), 0) AS last,
                           coalesce(bool_or(a.state IN ('accepted', 'en_route', 'on_site')), false) AS taken
                      FROM assignment a WHERE a.ticket_id = d.ticket_id AND a.ended_at IS NULL) AS a
     WHERE d.ticket_id IN (SELECT f.ticket_id FROM fresh f)
       AND ((d.state = 'assigned') <> (a.live > 0) OR a.last > d.offers OR a.taken AND a.live > 1)
     LIMIT 1;
    IF FOUND AND (bad.state = 'assigned') = (bad.live > 0) THEN
        RAISE EXCEPTION 'ticket % has % live assignments, place %: it is offered to % at once', bad.ticket_id, bad.live, bad.last, bad.offers
            USING ERRCODE = 'check_violation', CONSTRAINT = 'assignment_one_taken',
                  SCHEMA = 'squad', TABLE = 'assignment',
                  HINT = 'The other offers end in the statement before the one that accepts.';
    ELSIF FOUND THEN
        RAISE EXCEPTION 'ticket % is % but its assignments say otherwise', bad.ticket_id, bad.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'dispatch_matches_assignment',
                  SCHEMA = 'squad', TABLE = 'dispatch',
                  HINT = 'Change assignment, expert_load and dispatch in one statement.';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION squad.assignment_consistent() IS 'Trigger: expert_load.load equals the live assignments, dispatch.state agrees with them, no more than dispatch.offers are live, and one alone once it is accepted.';

CREATE OR REPLACE FUNCTION squad.expert_load_consistent() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
DECLARE
    bad record;
BEGIN
    SELECT f.expert_id, CASE TG_OP WHEN 'DELETE' THEN 0 ELSE f.load END AS load, a.live INTO bad
      FROM fresh f, LATERAL (SELECT count(*) AS live FROM assignment a
                              WHERE a.expert_id = f.expert_id AND a.ended_at IS NULL) a
     WHERE CASE TG_OP WHEN 'DELETE' THEN 0 ELSE f.load END <> a.live LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'load of expert % can not be %: % assignments are live', bad.expert_id, bad.load, bad.live
            USING ERRCODE = 'check_violation', CONSTRAINT = 'expert_load_counts',
                  SCHEMA = 'squad', TABLE = 'expert_load',
                  HINT = 'Change assignment, expert_load and dispatch in one statement.';
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION squad.dispatch_consistent() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
DECLARE
    bad record;
BEGIN
    SELECT f.ticket_id, f.state INTO bad
      FROM fresh f
     WHERE (f.state = 'assigned') <> EXISTS (SELECT FROM assignment a
                                              WHERE a.ticket_id = f.ticket_id AND a.ended_at IS NULL)
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'ticket % can not be %: its assignments say otherwise', bad.ticket_id, bad.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'dispatch_matches_assignment',
                  SCHEMA = 'squad', TABLE = 'dispatch',
                  HINT = 'Change assignment, expert_load and dispatch in one statement.';
    END IF;
    RETURN NULL;
END $$;

REVOKE EXECUTE ON FUNCTION squad.dispatch_routable_once(), squad.expert_breaks(uuid, integer, timestamptz),
                           squad.rule_words(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION squad.expert_breaks(uuid, integer, timestamptz), squad.rule_words(text) TO squad_intake;

SELECT squad.register_migration(8, 'offer');
