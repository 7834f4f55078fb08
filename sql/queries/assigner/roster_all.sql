-- Every expert, and the snapshot that the next roster_changes starts from.
SELECT pg_current_snapshot()::text AS snapshot, r.* FROM (SELECT) one LEFT JOIN roster r ON true ORDER BY r.id
