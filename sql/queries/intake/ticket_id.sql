-- Id of a client's ticket, by reference ($2) or by id ($3).
SELECT t.id
  FROM (SELECT id, client_id FROM ticket WHERE ref = $2::text
        UNION ALL
        SELECT id, client_id FROM ticket WHERE id = $3::uuid) t
 WHERE t.client_id = $1::integer
