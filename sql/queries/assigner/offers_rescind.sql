-- Takes back the offers of experts who are off. Without a ticket: an expert who has offers that somebody else holds.
SELECT DISTINCT ticket_id, CASE WHEN ticket_id IS NULL THEN expert_id END FROM offers_rescind($1::integer[], $2)
