-- P1: a ticket and its created event are written in one transaction.
SELECT count(*) OVER () AS total, t.id::text, format('ticket %s has no created event', t.ref)
  FROM ticket t
 WHERE NOT EXISTS (SELECT FROM outbox o
                    WHERE o.aggregatetype = 'ticket' AND o.type = 'squad.ticket.created.v1'
                      AND o.aggregateid = t.id::text)
 ORDER BY t.created_at LIMIT 20
