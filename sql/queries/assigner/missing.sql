-- Of the next $3 tickets behind $1 and at least $2 milliseconds old (ids are in order of time), those that no
-- event has brought. Always one row at least: n says how many there were, last the last of them, now_ms the time.
WITH clock AS MATERIALIZED (
    SELECT (extract(epoch FROM statement_timestamp()) * 1000)::bigint AS now_ms
), page AS MATERIALIZED (
    SELECT id FROM ticket
     WHERE id > $1::uuid
       AND id < (SELECT (lpad(to_hex(c.now_ms - $2::bigint + 1), 12, '0') || repeat('0', 20))::uuid FROM clock c)
     ORDER BY id LIMIT $3::integer
), facts AS (
    SELECT (SELECT count(*) FROM page) AS n, (SELECT id FROM page ORDER BY id DESC LIMIT 1) AS last,
           (SELECT now_ms FROM clock) AS now_ms
)
SELECT f.n, f.last, m.id, f.now_ms
  FROM facts f
  LEFT JOIN (SELECT p.id FROM page p LEFT JOIN dispatch d ON d.ticket_id = p.id WHERE d.ticket_id IS NULL) AS m ON true
