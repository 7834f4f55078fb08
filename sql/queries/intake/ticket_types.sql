-- What a form offers.
SELECT type, title FROM ticket_type ORDER BY title, type
