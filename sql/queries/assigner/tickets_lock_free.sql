-- As tickets_lock without waiting: those that somebody else holds are returned.
WITH held AS MATERIALIZED (
    SELECT ticket_id FROM dispatch WHERE ticket_id = ANY ($1::uuid[]) ORDER BY ticket_id FOR UPDATE SKIP LOCKED
)
SELECT ticket_id FROM dispatch
 WHERE ticket_id = ANY ($1::uuid[]) AND ticket_id NOT IN (SELECT h.ticket_id FROM held h)
