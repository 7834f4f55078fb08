-- Events of a ticket, from a seq on.
SELECT id, CASE aggregatetype WHEN 'ticket' THEN 0 ELSE 1 END AS topic, type,
       (extract(epoch FROM at) * 1000000)::bigint AS at_us
  FROM outbox
 WHERE seq >= $1 AND aggregateid = $2 AND aggregatetype IN ('ticket', 'notice')
 ORDER BY seq
