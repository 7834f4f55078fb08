-- Of the next $3 tickets behind $1 (ids are in order of time, but of intake's clock), those at least $2 milliseconds
-- old that no event has brought. Always one row at least: n says how many there were, last the last of them, now_ms
-- the time.
WITH page AS MATERIALIZED (
    SELECT id FROM ticket WHERE id > $1::uuid ORDER BY id LIMIT $3::integer
), facts AS (
    SELECT (SELECT count(*) FROM page) AS n, (SELECT id FROM page ORDER BY id DESC LIMIT 1) AS last,
           (extract(epoch FROM statement_timestamp()) * 1000)::bigint AS now_ms
), undecided AS MATERIALIZED (
    SELECT p.id FROM page p LEFT JOIN dispatch d ON d.ticket_id = p.id WHERE d.ticket_id IS NULL
)
SELECT f.n, f.last, m.id, f.now_ms
  FROM facts f
  LEFT JOIN (SELECT t.id FROM undecided u JOIN ticket t USING (id)
              WHERE t.created_at <= statement_timestamp() - $2::bigint * interval '1 millisecond') AS m ON true
