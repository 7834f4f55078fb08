-- The net below the wake-ups: the next $2 waiting tickets behind ticket $1 (the nil UUID: from the first).
WITH here AS (
    SELECT priority, assign_due, created_at, ticket_id FROM dispatch WHERE ticket_id = $1
)
SELECT d.ticket_id
  FROM dispatch d
 WHERE d.state = 'parked'
   AND (NOT EXISTS (SELECT FROM here)
        OR (d.priority, d.assign_due, d.created_at, d.ticket_id)
           > (SELECT priority, assign_due, created_at, ticket_id FROM here))
 ORDER BY d.priority, d.assign_due, d.created_at, d.ticket_id
 LIMIT $2::integer
