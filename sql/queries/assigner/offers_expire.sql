-- Offers that were not answered in time.
SELECT ticket_id, expert_id, on_break FROM offers_expire($1::integer, $2)
