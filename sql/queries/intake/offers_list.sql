-- What expert $1 has: offers to answer, accepted work. (outcome, body, version)
SELECT CASE WHEN e.id IS NULL THEN 'not-found' ELSE 'ok' END,
       CASE WHEN e.id IS NULL THEN 'There is no such expert.' ELSE json_build_object('expert_id', e.id, 'offers', coalesce((
           SELECT json_agg(json_strip_nulls(json_build_object(
                      'id', a.id, 'state', a.state, 'ref', t.ref, 'type', t.type, 'area', t.area, 'problem', t.problem,
                      'contract', t.contract, 'customer', json_build_object('name', t.customer_name, 'phone', t.customer_phone),
                      'reserved_at', to_char(a.reserved_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                      'expires_at', CASE a.state WHEN 'offered' THEN to_char(a.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') END,
                      'accepted_at', to_char(a.accepted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')))
                  ORDER BY a.state IN ('reserved', 'offered') DESC, a.reserved_at, a.id)
             FROM assignment a JOIN ticket t ON t.id = a.ticket_id
            WHERE a.expert_id = e.id AND a.ended_at IS NULL), '[]'))::text END,
       offers_version(e.id)
  FROM (SELECT) AS one LEFT JOIN expert e ON e.id = $1::integer
