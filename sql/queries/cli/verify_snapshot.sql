SELECT pg_current_snapshot()::text, (SELECT coalesce(max(seq), 0) FROM outbox)
