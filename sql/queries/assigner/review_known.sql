-- Tickets in review whose type has been made known since.
SELECT d.ticket_id FROM dispatch d JOIN ticket_type t USING (type)
 WHERE d.state = 'review' ORDER BY d.created_at LIMIT $1::integer
