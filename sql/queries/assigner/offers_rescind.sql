-- Takes back the offers of experts who are off.
SELECT DISTINCT ticket_id FROM offers_rescind($1::integer[], $2)
