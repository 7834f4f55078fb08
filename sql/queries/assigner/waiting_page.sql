-- The net below the wake-ups: the next $2 waiting tickets behind ticket $1 (the nil UUID: from the first). An OR beside
-- the comparison would have each page read all that are before it.
SELECT d.ticket_id
  FROM dispatch d
 WHERE d.state = 'parked'
   AND (d.priority, d.assign_due, d.created_at, d.ticket_id)
       > (SELECT h.priority, h.assign_due, h.created_at, h.ticket_id FROM dispatch h WHERE h.ticket_id = $1
          UNION ALL
          SELECT 0::smallint, '-infinity', '-infinity', '00000000-0000-0000-0000-000000000000'
          ORDER BY 1 DESC LIMIT 1)
 ORDER BY d.priority, d.assign_due, d.created_at, d.ticket_id
 LIMIT $2::integer
