-- Winners of a conflict by call: the n-th call of the arrays and its ticket.
SELECT i.n::integer, t.id, t.ref, t.body_hash, t.created_at,
       coalesce((SELECT d.state FROM dispatch d WHERE d.ticket_id = t.id), 'received') AS state
  FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS i (call_provider, call_id, n),
       LATERAL (SELECT * FROM ticket t
                 WHERE t.call_provider = i.call_provider AND t.call_id = i.call_id LIMIT 1) t
