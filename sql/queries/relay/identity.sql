-- Which database this is, for comparison with the position. The timeline is that of what is written now: the last
-- checkpoint's is for some minutes the old one after a promotion.
SELECT (SELECT system_identifier FROM pg_control_system()),
       CASE WHEN pg_is_in_recovery() THEN 0
            ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::integer END,
       pg_current_snapshot()::text, pg_is_in_recovery(),
       (SELECT oid FROM pg_database WHERE datname = current_database())
