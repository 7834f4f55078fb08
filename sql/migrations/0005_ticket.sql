-- Tickets as they came, and their history.

CREATE TABLE squad.ticket (
    id              uuid PRIMARY KEY,
    ref             text NOT NULL CONSTRAINT ticket_ref UNIQUE
                    CHECK (ref ~ '^[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}$'),
    client_id       integer NOT NULL,
    key_hash        bytea NOT NULL CHECK (octet_length(key_hash) = 16),
    body_hash       bytea NOT NULL CHECK (octet_length(body_hash) = 32),
    source          text NOT NULL CHECK (length(source) BETWEEN 1 AND 32),
    type            text NOT NULL CHECK (length(type) BETWEEN 1 AND 64),
    area            text NOT NULL CHECK (length(area) BETWEEN 1 AND 16),
    problem         text NOT NULL CHECK (length(problem) BETWEEN 1 AND 4000),
    contract        text CHECK (length(contract) BETWEEN 1 AND 64),
    customer_ref    text CHECK (length(customer_ref) BETWEEN 1 AND 64),
    customer_name   text CHECK (length(customer_name) BETWEEN 1 AND 200),
    customer_phone  text CHECK (length(customer_phone) BETWEEN 1 AND 32),
    customer_email  text CHECK (length(customer_email) BETWEEN 3 AND 254),
    call_provider   text CHECK (length(call_provider) BETWEEN 1 AND 32),
    call_id         text CHECK (length(call_id) BETWEEN 1 AND 128),
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT ticket_key UNIQUE (client_id, key_hash),
    CONSTRAINT ticket_call_both CHECK ((call_provider IS NULL) = (call_id IS NULL))
);
COMMENT ON TABLE squad.ticket IS 'Requests as they came; written by intake. Where a ticket stands is in dispatch. squad.ticket_amend alone changes a row: what the customer corrects, with an event.';
COMMENT ON COLUMN squad.ticket.id IS 'UUID version 7 (RFC 9562): time-ordered.';
COMMENT ON COLUMN squad.ticket.ref IS 'Reference for people: nine random symbols of Crockford''s base 32 and a check symbol (Luhn mod 32), made from the id.';
COMMENT ON COLUMN squad.ticket.client_id IS 'Client that posted it: squad.client.id. No foreign key: intake has checked the client''s key, and the check would cost every insert.';
COMMENT ON COLUMN squad.ticket.key_hash IS 'First 16 bytes of the SHA-256 of the idempotency key (for a call: of the call).';
COMMENT ON COLUMN squad.ticket.body_hash IS 'SHA-256 of the request''s body; the same key with another body is refused.';
COMMENT ON COLUMN squad.ticket.source IS 'Where it came from: web, phone, …';
COMMENT ON COLUMN squad.ticket.type IS 'Type as posted; known types are in ticket_type.';
COMMENT ON COLUMN squad.ticket.area IS 'Postcode, in capitals.';
COMMENT ON COLUMN squad.ticket.problem IS 'The customer''s words. Personal data.';
COMMENT ON COLUMN squad.ticket.contract IS 'Service contract as posted, if any.';
COMMENT ON COLUMN squad.ticket.customer_ref IS 'The client''s number of the customer.';
COMMENT ON COLUMN squad.ticket.customer_name IS 'Personal data.';
COMMENT ON COLUMN squad.ticket.customer_phone IS 'Personal data; E.164 preferred.';
COMMENT ON COLUMN squad.ticket.customer_email IS 'Personal data.';
COMMENT ON COLUMN squad.ticket.call_provider IS 'Telephone system of the call it came from, if any.';
COMMENT ON COLUMN squad.ticket.call_id IS 'The call''s id in that system.';
COMMENT ON COLUMN squad.ticket.created_at IS 'When it was stored.';
CREATE UNIQUE INDEX ticket_call ON squad.ticket (call_provider, call_id) WHERE call_id IS NOT NULL;
COMMENT ON INDEX squad.ticket_call IS 'One ticket per call, whoever posts it.';

CREATE TABLE squad.ticket_event (
    seq        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticket_id  uuid NOT NULL,
    kind       text NOT NULL CHECK (kind IN (
                   'review', 'parked', 'reserved', 'attempt_failed', 'offered', 'undeliverable', 'completed', 'accepted',
                   'en_route', 'on_site', 'declined', 'timed_out', 'rescinded', 'canceled', 'reassigned', 'manager_told',
                   'customer_told', 'changed', 'amended', 'quarantined', 'released', 'prioritized')),
    actor      text NOT NULL,
    detail     jsonb NOT NULL DEFAULT '{}',
    at         timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE  squad.ticket_event IS 'History: what happened to a ticket after it was received. Insert only; no personal data.';
COMMENT ON COLUMN squad.ticket_event.seq IS 'Order of writing.';
COMMENT ON COLUMN squad.ticket_event.ticket_id IS 'The ticket.';
COMMENT ON COLUMN squad.ticket_event.kind IS 'What happened.';
COMMENT ON COLUMN squad.ticket_event.actor IS 'Program and instance, or the client that asked for it.';
COMMENT ON COLUMN squad.ticket_event.detail IS 'Facts: ids, counts, reasons.';
COMMENT ON COLUMN squad.ticket_event.at IS 'When.';
CREATE INDEX ticket_event_ticket ON squad.ticket_event (ticket_id);
COMMENT ON INDEX squad.ticket_event_ticket IS 'For the timeline of a ticket.';

CREATE TRIGGER ticket_event_insert_only BEFORE UPDATE OR DELETE ON squad.ticket_event
    FOR EACH ROW EXECUTE FUNCTION squad.refuse_change();
COMMENT ON TRIGGER ticket_event_insert_only ON squad.ticket_event IS 'History stays as it was written.';

SELECT squad.register_migration(5, 'ticket');
