-- Of the next $3 tickets behind $1 and before $2 (ids are in order of time), those that no event has
-- brought. Always one row at least: n says how many there were, last the last of them.
WITH page AS MATERIALIZED (
    SELECT id FROM ticket WHERE id > $1::uuid AND id < $2::uuid ORDER BY id LIMIT $3::integer
), facts AS (
    SELECT (SELECT count(*) FROM page) AS n, (SELECT id FROM page ORDER BY id DESC LIMIT 1) AS last
)
SELECT f.n, f.last, m.id
  FROM facts f
  LEFT JOIN (SELECT p.id FROM page p LEFT JOIN dispatch d ON d.ticket_id = p.id WHERE d.ticket_id IS NULL) AS m ON true
