-- As roster_page, for the experts given.
SELECT pg_current_snapshot()::text AS snapshot, r.* FROM roster r WHERE r.id = ANY ($1::integer[]) ORDER BY r.id
