-- Winners of a conflict by key: the n-th key of the arrays and its ticket.
SELECT i.n::integer, t.id, t.ref, t.body_hash, t.created_at, 'received' AS state
  FROM unnest($1::integer[], $2::bytea[]) WITH ORDINALITY AS i (client_id, key_hash, n),
       LATERAL (SELECT * FROM ticket t
                 WHERE t.client_id = i.client_id AND t.key_hash = i.key_hash LIMIT 1) t
