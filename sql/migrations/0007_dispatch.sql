-- Where each ticket stands, who has it and who was told.
--
-- First of several: a ticket may be offered to dispatch.offers experts at once. Each offer holds a slot of its expert
-- and has a place of its own, 1 to offers; a ticket with offers = 1 has one live assignment at most. At most one is
-- ever taken (accepted, en_route, on_site, completed), and none is live beside it.

CREATE TABLE squad.dispatch (
    ticket_id         uuid PRIMARY KEY REFERENCES squad.ticket,
    state             text NOT NULL
                      CHECK (state IN ('review', 'parked', 'assigned', 'completed', 'canceled', 'quarantined')),
    type              text NOT NULL,
    area              text NOT NULL,
    priority          smallint NOT NULL CHECK (priority BETWEEN 1 AND 5),
    created_at        timestamptz NOT NULL,
    since             timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempts          integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    flags             text[] NOT NULL DEFAULT '{}' CHECK (flags <@ ARRAY['unknown_type', 'unknown_contract']),
    parked            jsonb,
    assign_due        timestamptz NOT NULL DEFAULT clock_timestamp() + interval '1 day',
    routable_at       timestamptz DEFAULT clock_timestamp(),
    retry_at          timestamptz,
    tell_at           timestamptz,
    manager_told_at   timestamptz,
    customer_told_at  timestamptz,
    offers            smallint NOT NULL DEFAULT 1 CHECK (offers BETWEEN 1 AND 5),
    holder            integer CHECK (holder > 0),
    by_hand           boolean NOT NULL DEFAULT false,
    CONSTRAINT dispatch_parked_why CHECK ((state = 'parked') = (parked IS NOT NULL)),
    CONSTRAINT dispatch_routable CHECK (routable_at IS NOT NULL OR state IN ('review', 'canceled', 'quarantined'))
) WITH (fillfactor = 80);
COMMENT ON TABLE  squad.dispatch IS 'Where each ticket stands; one narrow row, made when an assigner first sees the ticket. A ticket without a row is in state received.';
COMMENT ON COLUMN squad.dispatch.ticket_id IS 'The ticket.';
COMMENT ON COLUMN squad.dispatch.state IS 'State of the ticket: quarantined, review, parked, assigned, completed or canceled; see squad.state.';
COMMENT ON COLUMN squad.dispatch.type IS 'Copy of ticket.type.';
COMMENT ON COLUMN squad.dispatch.area IS 'Copy of ticket.area.';
COMMENT ON COLUMN squad.dispatch.priority IS 'Its priority, 1 (first) to 5: its type''s, or what a person has set; every time of squad.priority counts by this one.';
COMMENT ON COLUMN squad.dispatch.created_at IS 'Copy of ticket.created_at.';
COMMENT ON COLUMN squad.dispatch.since IS 'When it came into this state.';
COMMENT ON COLUMN squad.dispatch.attempts IS 'Experts tried so far.';
COMMENT ON COLUMN squad.dispatch.flags IS 'What a person should look at: unknown_type, unknown_contract.';
COMMENT ON COLUMN squad.dispatch.parked IS 'Why it waits: experts considered and how many each filter removed, in order: {"experts":12,"inactive":1,"area":8,"skill":2,"shift":0,"absent":0,"presence":0,"excluded":0,"capacity":1}; or the end of its last offer: {"declined":true}.';
COMMENT ON COLUMN squad.dispatch.assign_due IS 'Until when it should have an expert: stored plus priority.due_s. Past it the ticket goes before all that are not; within a priority the earliest due, among equals the oldest, goes first.';
COMMENT ON COLUMN squad.dispatch.routable_at IS 'Since when an expert is sought: requirements are dropped counted from here. Set once.';
COMMENT ON COLUMN squad.dispatch.retry_at IS 'While parked: when the clock alone changes who may take it (a requirement is dropped, an exclusion ends).';
COMMENT ON COLUMN squad.dispatch.tell_at IS 'When the manager (then the customer) is told that it waits; null: nobody is to be told.';
COMMENT ON COLUMN squad.dispatch.manager_told_at IS 'When the manager was told that it waits (T1).';
COMMENT ON COLUMN squad.dispatch.customer_told_at IS 'When the customer was told that it waits (T2).';
COMMENT ON COLUMN squad.dispatch.offers IS 'To how many experts at once it was last offered, 1 to 5.';
COMMENT ON COLUMN squad.dispatch.holder IS 'Number of the attempt that has it, when that is not the last one; else null.';
COMMENT ON COLUMN squad.dispatch.by_hand IS 'Priority and due time were set by a person (squad.ticket_prioritize) and stay; else they follow the type.';
CREATE INDEX dispatch_waiting ON squad.dispatch (priority, assign_due, created_at, ticket_id) WHERE state = 'parked';
COMMENT ON INDEX squad.dispatch_waiting IS 'Best waiting ticket first: sql/queries/assigner/waiting_*.sql.';
CREATE INDEX dispatch_review ON squad.dispatch (created_at) WHERE state = 'review';
COMMENT ON INDEX squad.dispatch_review IS 'Tickets that need a person.';
CREATE INDEX dispatch_waiting_kind ON squad.dispatch (type, area COLLATE "C", priority, assign_due, created_at, ticket_id) WHERE state = 'parked';
COMMENT ON INDEX squad.dispatch_waiting_kind IS 'Best waiting ticket of each type and postcode: squad.waiting_for.';
CREATE INDEX dispatch_retry ON squad.dispatch (retry_at) WHERE state = 'parked' AND retry_at IS NOT NULL;
COMMENT ON INDEX squad.dispatch_retry IS 'For sql/queries/assigner/waiting_due.sql.';
CREATE INDEX dispatch_tell ON squad.dispatch (tell_at) WHERE state = 'parked' AND tell_at IS NOT NULL;
COMMENT ON INDEX squad.dispatch_tell IS 'For squad.waiting_tell.';
CREATE INDEX dispatch_quarantined ON squad.dispatch (created_at) WHERE state = 'quarantined';
COMMENT ON INDEX squad.dispatch_quarantined IS 'Forms that a person must look at.';

CREATE TRIGGER dispatch_transition BEFORE UPDATE ON squad.dispatch FOR EACH ROW
    WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION squad.check_transition('ticket');
COMMENT ON TRIGGER dispatch_transition ON squad.dispatch IS 'Only the changes of squad.transition.';

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

CREATE FUNCTION squad.tell_at(p_priority squad.priority, p_from timestamptz, p_manager_told timestamptz, p_customer_told timestamptz)
RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
RETURN least(CASE WHEN p_manager_told IS NULL THEN p_from + p_priority.manager_s * interval '1 second' END,
             CASE WHEN p_customer_told IS NULL THEN p_from + p_priority.customer_s * interval '1 second' END);
COMMENT ON FUNCTION squad.tell_at(squad.priority, timestamptz, timestamptz, timestamptz) IS
    'dispatch.tell_at of a ticket of this priority that has been routable since p_from: the next of manager and customer who has not been told. Null: nobody is to be told.';

CREATE FUNCTION squad.ticket_version(p_ticket uuid) RETURNS text
LANGUAGE sql STABLE SET search_path = squad, pg_temp AS $$
    SELECT left(md5(concat_ws('|', (SELECT d FROM dispatch d WHERE d.ticket_id = p_ticket)::text,
                                   (SELECT max(e.seq) FROM ticket_event e WHERE e.ticket_id = p_ticket))), 16)
$$;
COMMENT ON FUNCTION squad.ticket_version(uuid) IS 'Changes whenever the ticket does: a digest of where it stands and of its last event. The ETag of GET /v1/tickets/{ref}.';

CREATE TABLE squad.assignment (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    ticket_id       uuid NOT NULL REFERENCES squad.dispatch,
    expert_id       integer NOT NULL REFERENCES squad.expert,
    attempt         integer NOT NULL CHECK (attempt > 0),
    state           text NOT NULL DEFAULT 'reserved'
                    CHECK (state IN ('reserved', 'offered', 'accepted', 'en_route', 'on_site', 'completed',
                                     'declined', 'timed_out', 'rescinded', 'undeliverable', 'canceled')),
    expert_version  integer NOT NULL,
    why             jsonb NOT NULL,
    reserved_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    offered_at      timestamptz,
    ended_at        timestamptz,
    reason          text,
    place           smallint NOT NULL DEFAULT 1 CHECK (place BETWEEN 1 AND 5),
    token           uuid NOT NULL DEFAULT gen_random_uuid(),
    expires_at      timestamptz,
    accepted_at     timestamptz,
    en_route_at     timestamptz,
    on_site_at      timestamptz,
    code            text CHECK (code IN ('busy', 'too_far', 'wrong_skill', 'unwell', 'other')),
    override        text[],
    CONSTRAINT assignment_attempt UNIQUE (ticket_id, attempt),
    CONSTRAINT assignment_ended_at CHECK ((state IN ('reserved', 'offered', 'accepted', 'en_route', 'on_site')) = (ended_at IS NULL)),
    CONSTRAINT assignment_offered_at CHECK (state <> 'offered' OR offered_at IS NOT NULL),
    CONSTRAINT assignment_expires_at CHECK (state <> 'offered' OR expires_at IS NOT NULL),
    CONSTRAINT assignment_accepted_at CHECK (state NOT IN ('accepted', 'en_route', 'on_site') OR accepted_at IS NOT NULL),
    CONSTRAINT assignment_declined_why CHECK ((state = 'declined') = (code IS NOT NULL))
) WITH (fillfactor = 80);
COMMENT ON TABLE  squad.assignment IS 'One row per expert tried for a ticket, kept for ever. A live row (ended_at is null) is the expert''s slot.';
COMMENT ON COLUMN squad.assignment.id IS 'Id of the assignment.';
COMMENT ON COLUMN squad.assignment.ticket_id IS 'The ticket.';
COMMENT ON COLUMN squad.assignment.expert_id IS 'The expert.';
COMMENT ON COLUMN squad.assignment.attempt IS 'First, second, … expert tried for this ticket.';
COMMENT ON COLUMN squad.assignment.state IS 'reserved, offered, accepted, en_route, on_site; completed, declined, timed_out, rescinded, undeliverable, canceled; see squad.state.';
COMMENT ON COLUMN squad.assignment.expert_version IS 'Version of the expert that the choice was made on; checked at insert.';
COMMENT ON COLUMN squad.assignment.why IS 'How the expert was chosen: {"experts":12,"fit":3,"load":0,"idle_s":532}.';
COMMENT ON COLUMN squad.assignment.reserved_at IS 'When the slot was taken.';
COMMENT ON COLUMN squad.assignment.offered_at IS 'When the expert had been notified.';
COMMENT ON COLUMN squad.assignment.ended_at IS 'When the slot was freed.';
COMMENT ON COLUMN squad.assignment.reason IS 'Why it ended, for people.';
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
CREATE INDEX assignment_expert_live ON squad.assignment (expert_id) WHERE ended_at IS NULL;
COMMENT ON INDEX squad.assignment_expert_live IS 'Live assignments of an expert, for the check of expert_load.';
CREATE INDEX assignment_reserved_at ON squad.assignment (reserved_at);
COMMENT ON INDEX squad.assignment_reserved_at IS 'For reports by time.';
CREATE UNIQUE INDEX assignment_one_holder ON squad.assignment (ticket_id) WHERE state IN ('accepted', 'en_route', 'on_site', 'completed');
COMMENT ON INDEX squad.assignment_one_holder IS 'One expert at most accepts a ticket.';
CREATE INDEX assignment_expires ON squad.assignment (expires_at) WHERE state = 'offered';
COMMENT ON INDEX squad.assignment_expires IS 'For squad.offers_expire.';

CREATE TRIGGER assignment_transition BEFORE UPDATE ON squad.assignment FOR EACH ROW
    WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION squad.check_transition('assignment');
COMMENT ON TRIGGER assignment_transition ON squad.assignment IS 'Only the changes of squad.transition.';

CREATE TABLE squad.notice (
    id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    assignment_id    uuid REFERENCES squad.assignment,
    ticket_id        uuid,
    expert_id        integer,
    channel          text NOT NULL CHECK (channel IN ('webhook')),
    message          text NOT NULL CHECK (message IN ('offer', 'over', 'amended', 'break', 'waiting')),
    state            text NOT NULL DEFAULT 'pending'
                     CHECK (state IN ('pending', 'sending', 'delivered', 'undeliverable', 'dropped')),
    attempts         integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    next_attempt_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    claimed_by       text,
    last_status      integer,
    last_error       text,
    traceparent      text,
    created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at         timestamptz,
    recipient        text NOT NULL DEFAULT 'expert' CHECK (recipient IN ('expert', 'manager', 'customer')),
    CONSTRAINT notice_ended_at CHECK ((state IN ('pending', 'sending')) = (ended_at IS NULL)),
    CONSTRAINT notice_attempted CHECK (state IN ('pending', 'dropped') OR attempts > 0),
    CONSTRAINT notice_subject CHECK ((message IN ('offer', 'over', 'amended')) = (assignment_id IS NOT NULL)
                                   AND (message = 'break') = (ticket_id IS NULL)
                                   AND (message = 'waiting') = (expert_id IS NULL)
                                   AND (message = 'waiting') = (recipient <> 'expert'))
) WITH (fillfactor = 70);
COMMENT ON TABLE  squad.notice IS 'Messages to experts, to the manager and to customers, one per recipient and message; the state never goes back. id is the webhook-id, the receiver''s idempotency key.';
COMMENT ON COLUMN squad.notice.id IS 'Id of the notice, sent as webhook-id.';
COMMENT ON COLUMN squad.notice.assignment_id IS 'The offer it is about; null: break, waiting.';
COMMENT ON COLUMN squad.notice.ticket_id IS 'The ticket; null: break.';
COMMENT ON COLUMN squad.notice.expert_id IS 'The expert who hears it; null: it is for the manager or the customer.';
COMMENT ON COLUMN squad.notice.channel IS 'webhook.';
COMMENT ON COLUMN squad.notice.message IS 'offer; over (the offer was rescinded, timed out or canceled); amended (the ticket has been changed); break (offers in a row timed out); waiting (T1, T2).';
COMMENT ON COLUMN squad.notice.state IS 'pending, sending (claimed, or waiting for its next attempt), delivered, undeliverable, dropped (had become pointless before it was sent); see squad.state.';
COMMENT ON COLUMN squad.notice.attempts IS 'Attempts begun.';
COMMENT ON COLUMN squad.notice.next_attempt_at IS 'When it may be claimed (again): the retry''s time, or the end of the present claim.';
COMMENT ON COLUMN squad.notice.claimed_by IS 'Notifier instance of the last attempt.';
COMMENT ON COLUMN squad.notice.last_status IS 'HTTP status of the last answer; null when there was none.';
COMMENT ON COLUMN squad.notice.last_error IS 'Why the last attempt failed.';
COMMENT ON COLUMN squad.notice.traceparent IS 'W3C trace context of the request that led here.';
COMMENT ON COLUMN squad.notice.created_at IS 'When it was made, with the assignment.';
COMMENT ON COLUMN squad.notice.ended_at IS 'When it was delivered or given up.';
COMMENT ON COLUMN squad.notice.recipient IS 'expert (at his own address); manager or customer (at the company''s address, squad-notifier --company-webhook).';
CREATE INDEX notice_due ON squad.notice (next_attempt_at) WHERE state IN ('pending', 'sending');
COMMENT ON INDEX squad.notice_due IS 'Notices to be sent or sent again: sql/queries/notifier/claim.sql.';
CREATE INDEX notice_ticket ON squad.notice (ticket_id);
COMMENT ON INDEX squad.notice_ticket IS 'For the timeline of a ticket.';
CREATE INDEX notice_undeliverable ON squad.notice (ended_at) WHERE state = 'undeliverable';
COMMENT ON INDEX squad.notice_undeliverable IS 'For rpt.notice_problem.';
CREATE UNIQUE INDEX notice_once ON squad.notice (assignment_id, channel, message) WHERE message IN ('offer', 'over');
COMMENT ON INDEX squad.notice_once IS 'An expert hears once of an offer, and once that it is over.';
CREATE UNIQUE INDEX notice_waiting_once ON squad.notice (ticket_id, recipient, channel) WHERE message = 'waiting';
COMMENT ON INDEX squad.notice_waiting_once IS 'Manager and customer hear once that a ticket waits.';

CREATE TRIGGER notice_transition BEFORE UPDATE ON squad.notice FOR EACH ROW
    WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION squad.check_transition('notice');
COMMENT ON TRIGGER notice_transition ON squad.notice IS 'Only the changes of squad.transition.';

CREATE TABLE squad.exclusion (
    ticket_id   uuid NOT NULL REFERENCES squad.ticket,
    expert_id   integer NOT NULL REFERENCES squad.expert ON DELETE CASCADE,
    until       timestamptz,
    reason      text NOT NULL CHECK (reason IN ('declined', 'wrong_skill', 'timed_out', 'undeliverable', 'reassigned')),
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (ticket_id, expert_id)
);
COMMENT ON TABLE  squad.exclusion IS 'Who is not asked for a ticket again, and how long.';
COMMENT ON COLUMN squad.exclusion.ticket_id IS 'The ticket.';
COMMENT ON COLUMN squad.exclusion.expert_id IS 'The expert.';
COMMENT ON COLUMN squad.exclusion.until IS 'Until when; null: for ever.';
COMMENT ON COLUMN squad.exclusion.reason IS 'declined, wrong_skill, timed_out, undeliverable or reassigned.';
COMMENT ON COLUMN squad.exclusion.created_at IS 'When it was made.';

CREATE TABLE squad.sticky_expert (
    client_id     integer NOT NULL,
    customer_ref  text NOT NULL,
    expert_id     integer NOT NULL REFERENCES squad.expert ON DELETE CASCADE,
    since         timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (client_id, customer_ref)
);
COMMENT ON TABLE  squad.sticky_expert IS 'Who did a customer''s last job; for the objective sticky, as long as ticket_type.sticky_s.';
COMMENT ON COLUMN squad.sticky_expert.client_id IS 'Client whose customer it is.';
COMMENT ON COLUMN squad.sticky_expert.customer_ref IS 'The client''s number of the customer.';
COMMENT ON COLUMN squad.sticky_expert.expert_id IS 'The expert.';
COMMENT ON COLUMN squad.sticky_expert.since IS 'When that job was completed.';

CREATE TABLE squad.skill_review (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    expert_id      integer NOT NULL REFERENCES squad.expert ON DELETE CASCADE,
    ticket_id      uuid NOT NULL REFERENCES squad.ticket,
    type           text NOT NULL,
    opened_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at      timestamptz,
    closed_by      text,
    CONSTRAINT skill_review_once UNIQUE (expert_id, ticket_id),
    CONSTRAINT skill_review_closed CHECK ((closed_at IS NULL) = (closed_by IS NULL))
);
COMMENT ON TABLE  squad.skill_review IS 'An expert said wrong_skill: a person looks at the skills of the expert or of the type.';
COMMENT ON COLUMN squad.skill_review.id IS 'Number.';
COMMENT ON COLUMN squad.skill_review.expert_id IS 'The expert.';
COMMENT ON COLUMN squad.skill_review.ticket_id IS 'The ticket that was declined.';
COMMENT ON COLUMN squad.skill_review.type IS 'Its type.';
COMMENT ON COLUMN squad.skill_review.opened_at IS 'When the expert declined.';
COMMENT ON COLUMN squad.skill_review.closed_at IS 'When a person had looked at it; null: open.';
COMMENT ON COLUMN squad.skill_review.closed_by IS 'Who.';

SELECT squad.register_migration(7, 'dispatch');
