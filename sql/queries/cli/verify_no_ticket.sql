-- P2: nothing was invented. Materialized, because LIMIT
-- makes the planner hope for an early end, by comparing each row with each.
WITH found AS MATERIALIZED (
    SELECT o.id::text AS id, format('event for ticket %s, which does not exist', o.aggregateid) AS what, o.seq
      FROM outbox o
     WHERE o.aggregatetype = 'ticket' AND o.type = 'squad.ticket.created.v1'
       AND NOT EXISTS (SELECT FROM ticket t WHERE t.id::text = o.aggregateid)
)
SELECT count(*) OVER () AS total, id, what FROM found ORDER BY seq LIMIT 20
