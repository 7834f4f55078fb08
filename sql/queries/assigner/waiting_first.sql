-- The $1 waiting tickets whose turn is first: past due before those that are not, each part read in
-- the order of its index.
SELECT w.ticket_id
  FROM (SELECT d.*, false AS early
          FROM generate_series(1, 5) AS p (priority),
               LATERAL (SELECT ticket_id, priority, assign_due, created_at FROM dispatch
                         WHERE state = 'parked' AND priority = p.priority AND assign_due <= statement_timestamp()
                         ORDER BY assign_due, created_at, ticket_id LIMIT $1::integer) AS d
        UNION ALL
        SELECT d.*, true
          FROM generate_series(1, 5) AS p (priority),
               LATERAL (SELECT ticket_id, priority, assign_due, created_at FROM dispatch
                         WHERE state = 'parked' AND priority = p.priority AND assign_due > statement_timestamp()
                         ORDER BY assign_due, created_at, ticket_id LIMIT $1::integer) AS d) AS w
 ORDER BY w.early, w.priority, w.assign_due, w.created_at, w.ticket_id
 LIMIT $1::integer
