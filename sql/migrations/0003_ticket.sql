-- Tickets and the outbox: what intake writes, in one transaction.

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
CREATE UNIQUE INDEX ticket_call ON squad.ticket (call_provider, call_id) WHERE call_id IS NOT NULL;
COMMENT ON INDEX squad.ticket_call IS 'One ticket per call, whoever posts it.';
COMMENT ON TABLE  squad.ticket IS 'Requests as they came; written once by intake, never changed. Where a ticket stands is in dispatch.';
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

CREATE TABLE squad.outbox (
    seq            bigint GENERATED ALWAYS AS IDENTITY (CACHE 1),
    id             uuid NOT NULL DEFAULT gen_random_uuid(),
    aggregatetype  text NOT NULL,
    aggregateid    text NOT NULL,
    type           text NOT NULL,
    payload        json NOT NULL,
    traceparent    text,
    xid            xid8 NOT NULL DEFAULT pg_current_xact_id(),
    at             timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (seq)
) PARTITION BY RANGE (seq);
CREATE INDEX outbox_xid ON squad.outbox (xid);
COMMENT ON INDEX squad.outbox_xid IS 'For sql/queries/relay/window.sql: rows new between two snapshots.';
COMMENT ON TABLE  squad.outbox IS 'Events to publish, written in the transaction that made them true. Insert only; the relay reads it by the difference of two snapshots, and never writes it.';
COMMENT ON COLUMN squad.outbox.seq IS 'Order of writing; the order of events of one aggregate. Not the order of commits.';
COMMENT ON COLUMN squad.outbox.id IS 'Id of the event: ce_id in Kafka, the idempotency key of every consumer.';
COMMENT ON COLUMN squad.outbox.aggregatetype IS 'Names the topic: ticket -> squad.tickets, expert -> squad.experts, notice -> squad.notices.';
COMMENT ON COLUMN squad.outbox.aggregateid IS 'Key of the Kafka record: events of one key stay in order.';
COMMENT ON COLUMN squad.outbox.type IS 'Type of the event with its version, as squad.ticket.created.v1.';
COMMENT ON COLUMN squad.outbox.payload IS 'Value of the Kafka record: ids and facts for routing, no personal data.';
COMMENT ON COLUMN squad.outbox.traceparent IS 'W3C trace context of the request that led here.';
COMMENT ON COLUMN squad.outbox.xid IS 'Top-level transaction that wrote the row.';
COMMENT ON COLUMN squad.outbox.at IS 'When it was written (before the commit).';

CREATE FUNCTION squad.outbox_extend(p_ahead integer DEFAULT 2) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
DECLARE
    rows_per_partition constant bigint := 5000000;
    at_now bigint := coalesce((SELECT last_value FROM pg_sequences
                                WHERE schemaname = 'squad' AND sequencename = 'outbox_seq_seq'), 0);
    k bigint;
    made integer := 0;
BEGIN
    FOR k IN at_now / rows_per_partition .. at_now / rows_per_partition + p_ahead LOOP
        IF to_regclass(format('squad.outbox_%s', lpad(k::text, 6, '0'))) IS NULL THEN
            PERFORM pg_advisory_xact_lock(hashtext('squad.outbox_extend'));
            BEGIN
                EXECUTE format('CREATE TABLE squad.outbox_%s PARTITION OF squad.outbox FOR VALUES FROM (%s) TO (%s)',
                               lpad(k::text, 6, '0'), k * rows_per_partition, (k + 1) * rows_per_partition);
                EXECUTE format('COMMENT ON TABLE squad.outbox_%s IS %L', lpad(k::text, 6, '0'),
                               format('Outbox rows with seq from %s to below %s.', k * rows_per_partition, (k + 1) * rows_per_partition));
                made := made + 1;
            EXCEPTION WHEN duplicate_table OR check_violation THEN
                NULL; -- another relay made it, or its rows are in the default partition already
            END;
        END IF;
    END LOOP;
    RETURN made;
END $$;
COMMENT ON FUNCTION squad.outbox_extend(integer) IS 'Makes the partition of the present seq and p_ahead more; the relay calls it. Returns how many it made.';

CREATE TABLE squad.outbox_default PARTITION OF squad.outbox DEFAULT;
COMMENT ON TABLE squad.outbox_default IS 'Net for rows beyond the partitions made ahead: an insert never fails for want of one.';
SELECT squad.outbox_extend(2);

CREATE FUNCTION squad.refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = squad, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '%.% is insert only', TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME;
END $$;
COMMENT ON FUNCTION squad.refuse_change() IS 'Trigger: refuses UPDATE and DELETE.';
-- For each row, because a partition does not inherit a statement's trigger.
CREATE TRIGGER outbox_insert_only BEFORE UPDATE OR DELETE ON squad.outbox
    FOR EACH ROW EXECUTE FUNCTION squad.refuse_change();
COMMENT ON TRIGGER outbox_insert_only ON squad.outbox IS 'An event that was written stays as it is.';

CREATE TABLE squad.relay_progress (
    relay              text PRIMARY KEY,
    snapshot_prev      pg_snapshot NOT NULL,
    snapshot_cur       pg_snapshot,
    last_seq           bigint,
    rows_total         bigint NOT NULL,
    dead_total         bigint NOT NULL,
    transactions_total bigint NOT NULL,
    system_identifier  bigint NOT NULL,
    timeline           integer NOT NULL,
    leader             text NOT NULL,
    leader_since       timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL
);
COMMENT ON TABLE  squad.relay_progress IS 'Copy of the relay''s position, for people and retention. The truth is the last record of the topic squad.relay.progress.';
COMMENT ON COLUMN squad.relay_progress.relay IS 'Name of the relay: its topic prefix.';
COMMENT ON COLUMN squad.relay_progress.snapshot_prev IS 'Every row visible in this snapshot has been published.';
COMMENT ON COLUMN squad.relay_progress.snapshot_cur IS 'While a window is being published in pieces: the snapshot at its end.';
COMMENT ON COLUMN squad.relay_progress.last_seq IS 'While a window is being published in pieces: published up to this seq.';
COMMENT ON COLUMN squad.relay_progress.rows_total IS 'Outbox rows published since the beginning.';
COMMENT ON COLUMN squad.relay_progress.dead_total IS 'Of these, sent to the dead-letter topic.';
COMMENT ON COLUMN squad.relay_progress.transactions_total IS 'Kafka transactions committed since the beginning.';
COMMENT ON COLUMN squad.relay_progress.system_identifier IS 'PostgreSQL cluster that the position belongs to.';
COMMENT ON COLUMN squad.relay_progress.timeline IS 'Timeline of that cluster.';
COMMENT ON COLUMN squad.relay_progress.leader IS 'Host, process id and instance of the leader.';
COMMENT ON COLUMN squad.relay_progress.leader_since IS 'When it became leader.';
COMMENT ON COLUMN squad.relay_progress.updated_at IS 'When this copy was written.';

CREATE TABLE squad.relay_dead (
    event_id  uuid PRIMARY KEY,
    seq       bigint NOT NULL,
    topic     text NOT NULL,
    reason    text NOT NULL,
    at        timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE  squad.relay_dead IS 'Outbox rows that Kafka could not take and that went to the dead-letter topic instead.';
COMMENT ON COLUMN squad.relay_dead.event_id IS 'outbox.id.';
COMMENT ON COLUMN squad.relay_dead.seq IS 'outbox.seq.';
COMMENT ON COLUMN squad.relay_dead.topic IS 'Topic it was meant for.';
COMMENT ON COLUMN squad.relay_dead.reason IS 'Why Kafka refused it.';
COMMENT ON COLUMN squad.relay_dead.at IS 'When it was sent to the dead-letter topic.';

GRANT SELECT, INSERT ON squad.ticket, squad.outbox TO squad_intake;
GRANT SELECT ON squad.outbox TO squad_relay;
GRANT SELECT, INSERT, UPDATE ON squad.relay_progress, squad.relay_dead TO squad_relay;
GRANT EXECUTE ON FUNCTION squad.outbox_extend(integer) TO squad_relay;
REVOKE EXECUTE ON FUNCTION squad.outbox_extend(integer) FROM PUBLIC;
GRANT INSERT ON squad.outbox TO squad_assigner, squad_notifier;
GRANT SELECT ON squad.ticket TO squad_notifier;
GRANT SELECT (id, ref, client_id, source, type, area, contract, created_at) ON squad.ticket TO squad_assigner;

SELECT squad.register_migration(3, 'ticket');
