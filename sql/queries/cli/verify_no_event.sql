-- P1: a ticket and its created event are written in one transaction. Materialized, because LIMIT
-- makes the planner hope for an early end, by comparing each row with each.
WITH found AS MATERIALIZED (
    SELECT t.id::text AS id, format('ticket %s has no created event', t.ref) AS what, t.created_at
      FROM ticket t
     WHERE NOT EXISTS (SELECT FROM outbox o
                        WHERE o.aggregatetype = 'ticket' AND o.type = 'squad.ticket.created.v1'
                          AND o.aggregateid = t.id::text)
)
SELECT count(*) OVER () AS total, id, what FROM found ORDER BY created_at LIMIT 20
