-- A new partition needs a lock that waits for every reader of the outbox, and every writer waits behind it. So the
-- function gives up soon: partitions are made ahead, and the default one is the net.

CREATE OR REPLACE FUNCTION squad.outbox_extend(p_ahead integer DEFAULT 2) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp SET lock_timeout = '50ms' AS $$
DECLARE
    rows_per_partition constant bigint := 5000000;
    at_now bigint := coalesce((SELECT last_value FROM pg_sequences
                                WHERE schemaname = 'squad' AND sequencename = 'outbox_seq_seq'), 0);
    k bigint;
    made integer := 0;
BEGIN
    FOR k IN at_now / rows_per_partition .. at_now / rows_per_partition + p_ahead LOOP
        IF to_regclass(format('squad.outbox_%s', lpad(k::text, 6, '0'))) IS NULL THEN
            BEGIN
                PERFORM pg_advisory_xact_lock(hashtext('squad.outbox_extend'));
                EXECUTE format('CREATE TABLE squad.outbox_%s PARTITION OF squad.outbox FOR VALUES FROM (%s) TO (%s)',
                               lpad(k::text, 6, '0'), k * rows_per_partition, (k + 1) * rows_per_partition);
                EXECUTE format('COMMENT ON TABLE squad.outbox_%s IS %L', lpad(k::text, 6, '0'),
                               format('Outbox rows with seq from %s to below %s.', k * rows_per_partition, (k + 1) * rows_per_partition));
                made := made + 1;
            EXCEPTION
                WHEN duplicate_table OR check_violation THEN
                    NULL; -- another relay made it, or its rows are in the default partition already
                WHEN lock_not_available THEN
                    EXIT; -- the next call tries again
            END;
        END IF;
    END LOOP;
    RETURN made;
END $$;
COMMENT ON FUNCTION squad.outbox_extend(integer) IS
    'Makes the partition of the present seq and p_ahead more; the relay calls it. Returns how many it made: fewer when a reader of the outbox is in the way for longer than 50 ms.';

SELECT squad.register_migration(14, 'outbox_extend');
