-- Why ticket $1 (reference) or $2 (id) waits, or who has it and why. (outcome, body)
SELECT 'ok', ticket_why(t.id)::text FROM ticket t WHERE t.ref = $1 OR t.id = $2::uuid
