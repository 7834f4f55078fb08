-- Tickets of client $1, newest first, before ticket $2; of state $3 and customer $4 when these are not
-- null; at most $5. Looks at no more than $6 tickets, whoever's, so that a page has a bounded cost
-- without an index of its own that every insert would pay for: a page may be short, and next says
-- where to go on. (outcome, body, version, next)
WITH seen AS MATERIALIZED (
    SELECT t.id, t.client_id, t.customer_ref FROM ticket t
     WHERE t.id < coalesce($2::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
     ORDER BY t.id DESC LIMIT $6::integer
), page AS MATERIALIZED (
    SELECT s.id, coalesce(d.state, 'received') AS state, d.since
      FROM seen s LEFT JOIN dispatch d ON d.ticket_id = s.id
     WHERE s.client_id = $1::integer AND ($4::text IS NULL OR s.customer_ref = $4::text)
       AND ($3::text IS NULL OR coalesce(d.state, 'received') = $3::text)
     ORDER BY s.id DESC LIMIT $5::integer
)
SELECT 'ok', json_build_object('tickets', coalesce((SELECT json_agg(json_strip_nulls(json_build_object(
               'ref', t.ref, 'id', t.id, 'state', p.state,
               'created_at', to_char(t.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
               'since', to_char(coalesce(p.since, t.created_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
               'type', t.type, 'area', t.area, 'customer', nullif(json_strip_nulls(json_build_object('ref', t.customer_ref))::text, '{}')::json
               )) ORDER BY t.id DESC) FROM page p JOIN ticket t ON t.id = p.id), '[]')),
       NULL,
       CASE WHEN (SELECT count(*) FROM page) = $5::integer THEN (SELECT id FROM page ORDER BY id LIMIT 1)
            WHEN (SELECT count(*) FROM seen) = $6::integer THEN (SELECT id FROM seen ORDER BY id LIMIT 1) END
