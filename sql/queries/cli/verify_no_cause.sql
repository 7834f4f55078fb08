-- A consumer has acted on an event that was never committed. Materialized, because LIMIT
-- makes the planner hope for an early end, by comparing each row with each.
WITH found AS MATERIALIZED (
    SELECT i.event_id::text AS id, format('%s acted on an event that does not exist', i.consumer) AS what, i.at
      FROM inbox i
     WHERE NOT EXISTS (SELECT FROM outbox o WHERE o.id = i.event_id)
)
SELECT count(*) OVER () AS total, id, what FROM found ORDER BY at LIMIT 20
