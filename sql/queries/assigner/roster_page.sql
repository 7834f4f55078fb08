-- The next $2 experts behind number $1, and the snapshot that the next roster_changes starts from. In pages,
-- so that a large company's roster never is in memory twice.
SELECT pg_current_snapshot()::text AS snapshot, r.*, epoch_us(statement_timestamp()) AS now_us
  FROM (SELECT) one LEFT JOIN (SELECT * FROM roster WHERE id > $1::integer ORDER BY id LIMIT $2::integer) AS r ON true
 ORDER BY r.id
