-- Which database this is, for comparison with the position.
SELECT (SELECT system_identifier FROM pg_control_system()), (SELECT timeline_id FROM pg_control_checkpoint()),
       pg_current_snapshot()::text, pg_is_in_recovery(),
       (SELECT oid FROM pg_database WHERE datname = current_database())
