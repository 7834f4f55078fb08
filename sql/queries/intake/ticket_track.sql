-- What a customer sees of the ticket behind a link; of several ids at most one exists.
SELECT t.ref, split_part(btrim(t.customer_name), ' ', 1) AS first_name,
       coalesce(y.title, t.type) AS title,
       CASE WHEN a.state IN ('en_route', 'on_site') THEN a.state ELSE coalesce(d.state, 'received') END AS state,
       to_char(t.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS created_at,
       to_char(coalesce(d.since, t.created_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS since
  FROM ticket t
  LEFT JOIN dispatch d ON d.ticket_id = t.id
  LEFT JOIN ticket_type y ON y.type = t.type
  LEFT JOIN LATERAL (SELECT a.state FROM assignment a WHERE a.ticket_id = t.id AND a.ended_at IS NULL
                      ORDER BY a.state IN ('accepted', 'en_route', 'on_site') DESC LIMIT 1) a ON true
 WHERE t.id = ANY ($1::uuid[])
