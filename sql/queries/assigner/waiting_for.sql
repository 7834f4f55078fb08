-- The best waiting tickets of each expert given, at most as many as free slots.
SELECT expert_id, ticket_id FROM waiting_best($1::integer[], $2::integer[])
