-- The first outbox row from a seq on, and when it was written; for a search by halves.
SELECT seq, (extract(epoch FROM at) * 1000000)::bigint AS at_us
  FROM outbox WHERE seq >= $1 ORDER BY seq LIMIT 1
