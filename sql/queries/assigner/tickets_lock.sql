-- Holds the tickets that have been seen before, in one order for all programs.
SELECT FROM dispatch WHERE ticket_id = ANY ($1::uuid[]) ORDER BY ticket_id FOR UPDATE
