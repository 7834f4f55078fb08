-- Why the ticket of reference $1 or id $2 waits, or who has it and why.
SELECT ticket_why(t.id) FROM ticket t WHERE t.ref = $1 OR t.id = $2::uuid
