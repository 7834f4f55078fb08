-- Takes the events that nobody has acted on yet; sorted, because two batches that insert the same
-- keys in different order deadlock.
INSERT INTO inbox (consumer, event_id)
SELECT 'assigner', e FROM (SELECT DISTINCT e FROM unnest($1::uuid[]) AS e ORDER BY e) AS events
ON CONFLICT DO NOTHING
RETURNING event_id
