-- The net below the wake-ups: the next $2 waiting tickets behind ticket $1 (the nil UUID: from the first).
WITH here AS (
    SELECT priority, created_at, ticket_id FROM dispatch WHERE ticket_id = $1
)
SELECT d.ticket_id
  FROM dispatch d
 WHERE d.state = 'parked'
   AND (NOT EXISTS (SELECT FROM here)
        OR (d.priority, d.created_at, d.ticket_id) > (SELECT priority, created_at, ticket_id FROM here))
 ORDER BY d.priority, d.created_at, d.ticket_id
 LIMIT $2::integer
