-- P2: nothing was invented.
SELECT count(*) OVER () AS total, o.id::text, format('event for ticket %s, which does not exist', o.aggregateid)
  FROM outbox o
 WHERE o.aggregatetype = 'ticket' AND o.type = 'squad.ticket.created.v1'
   AND NOT EXISTS (SELECT FROM ticket t WHERE t.id::text = o.aggregateid)
 ORDER BY o.seq LIMIT 20
