-- As tickets_lock without waiting: those that somebody else holds are returned.
WITH seen AS MATERIALIZED (
    SELECT ticket_id FROM dispatch WHERE ticket_id = ANY ($1::uuid[]) ORDER BY ticket_id FOR UPDATE SKIP LOCKED
), unseen AS MATERIALIZED (
    SELECT t AS ticket_id
      FROM unseen_tickets_hold_free(ARRAY(SELECT i FROM unnest($1::uuid[]) AS i
                                          EXCEPT SELECT ticket_id FROM dispatch WHERE ticket_id = ANY ($1::uuid[]))) AS t
)
SELECT id FROM ticket
 WHERE id = ANY ($1::uuid[]) AND id NOT IN (SELECT ticket_id FROM seen UNION ALL SELECT ticket_id FROM unseen)
