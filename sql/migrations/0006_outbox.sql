-- The outbox, written with whatever an event tells of, and where relay and consumers are.

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
CREATE INDEX outbox_xid ON squad.outbox (xid);
COMMENT ON INDEX squad.outbox_xid IS 'For sql/queries/relay/window.sql: rows new between two snapshots.';

-- For each row, because a partition does not inherit a statement's trigger.
CREATE TRIGGER outbox_insert_only BEFORE UPDATE OR DELETE ON squad.outbox
    FOR EACH ROW EXECUTE FUNCTION squad.refuse_change();
COMMENT ON TRIGGER outbox_insert_only ON squad.outbox IS 'An event that was written stays as it is.';

-- A new partition needs a lock that waits for every reader of the outbox, and every writer waits behind it. So the
-- function gives up soon: partitions are made ahead, and the default one is the net.
CREATE FUNCTION squad.outbox_extend(p_ahead integer DEFAULT 2) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp SET lock_timeout = '50ms' AS $$
DECLARE
    rows_per_partition constant bigint := 5000000;
    at_now bigint := coalesce((SELECT last_value FROM pg_sequences
                                WHERE schemaname = 'squad' AND sequencename = 'outbox_seq_seq'), 0);
    k bigint;
    made integer := 0;
BEGIN
    FOR k IN at_now / rows_per_partition .. at_now / rows_per_partition + p_ahead LOOP
        -- Rows that the net has caught stay there: to try would lock out every writer, and read the net, each time.
        IF to_regclass(format('squad.outbox_%s', lpad(k::text, 6, '0'))) IS NULL
           AND NOT EXISTS (SELECT FROM outbox_default d
                            WHERE d.seq >= k * rows_per_partition AND d.seq < (k + 1) * rows_per_partition) THEN
            BEGIN
                PERFORM pg_advisory_xact_lock(hashtext('squad.outbox_extend'));
                EXECUTE format('CREATE TABLE squad.outbox_%s PARTITION OF squad.outbox FOR VALUES FROM (%s) TO (%s)',
                               lpad(k::text, 6, '0'), k * rows_per_partition, (k + 1) * rows_per_partition);
                EXECUTE format('COMMENT ON TABLE squad.outbox_%s IS %L', lpad(k::text, 6, '0'),
                               format('Outbox rows with seq from %s to below %s.', k * rows_per_partition, (k + 1) * rows_per_partition));
                made := made + 1;
            EXCEPTION
                WHEN duplicate_table OR check_violation THEN
                    NULL; -- another relay made it, or a row of it has just come into the default partition
                WHEN lock_not_available THEN
                    EXIT; -- the next call tries again
            END;
        END IF;
    END LOOP;
    RETURN made;
END $$;
COMMENT ON FUNCTION squad.outbox_extend(integer) IS
    'Makes the partition of the present seq and p_ahead more; the relay calls it. Returns how many it made: fewer when a reader of the outbox is in the way for longer than 50 ms.';

CREATE TABLE squad.outbox_default PARTITION OF squad.outbox DEFAULT;
COMMENT ON TABLE squad.outbox_default IS 'Net for rows beyond the partitions made ahead: an insert never fails for want of one.';

SELECT squad.outbox_extend(2);

-- min(seq) over the whole outbox would be answered by walking the key from its beginning, past every row that was
-- published long ago. So each partition is asked first whether it has such rows at all, by the last entry of its index.
CREATE FUNCTION squad.outbox_first(p_since pg_snapshot) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = squad, pg_temp AS $$
DECLARE
    v_first bigint := (SELECT min(o.seq)
                         FROM (SELECT x.seq FROM outbox x WHERE x.xid = ANY (ARRAY(SELECT pg_snapshot_xip(p_since))) OFFSET 0) AS o);
    v_partition regclass;
    v_from bigint;
    v_last xid8;
BEGIN
    FOR v_partition IN SELECT i.inhrelid::regclass FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                        WHERE i.inhparent = 'outbox'::regclass AND NOT i.inhdetachpending ORDER BY c.relname LOOP
        EXECUTE format('SELECT min(seq), max(xid) FROM %s', v_partition) INTO v_from, v_last;
        IF v_last >= pg_snapshot_xmax(p_since) AND (v_first IS NULL OR v_from < v_first) THEN
            EXECUTE format('SELECT min(o.seq) FROM (SELECT seq FROM %s WHERE xid >= $1 OFFSET 0) AS o', v_partition)
               INTO v_from USING pg_snapshot_xmax(p_since);
            v_first := least(v_first, v_from);
        END IF;
    END LOOP;
    RETURN v_first;
END $$;
COMMENT ON FUNCTION squad.outbox_first(pg_snapshot) IS
    'The lowest seq of the rows whose transactions were not complete in the snapshot; null: there is none. Reads no more than those rows, and of those with new transactions only one partition''s.';

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

SELECT squad.register_migration(6, 'outbox');
