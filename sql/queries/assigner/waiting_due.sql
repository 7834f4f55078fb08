-- Waiting tickets for which the clock has changed who may take them.
SELECT ticket_id FROM dispatch WHERE state = 'parked' AND retry_at <= statement_timestamp() ORDER BY retry_at LIMIT $1::integer
