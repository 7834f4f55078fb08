-- A consumer has acted on an event that was never committed.
SELECT count(*) OVER () AS total, i.event_id::text, format('%s acted on an event that does not exist', i.consumer)
  FROM inbox i
 WHERE NOT EXISTS (SELECT FROM outbox o WHERE o.id = i.event_id)
 ORDER BY i.at LIMIT 20
