-- A client's own ticket as GET /v1/tickets/{ref} shows it, by reference ($2) or
-- by id ($3); the other one is null. (outcome, body, version, id)
SELECT 'ok', json_strip_nulls(json_build_object(
           'ref', t.ref,
           'id', t.id,
           'state', coalesce(d.state, 'received'),
           'created_at', to_char(t.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
           'type', t.type,
           'area', t.area,
           'flags', coalesce(to_json(d.flags), '[]'),
           'since', to_char(coalesce(d.since, t.created_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
           'parked', d.parked,
           'assignment', CASE WHEN a.id IS NOT NULL THEN json_build_object(
               'id', a.id,
               'state', a.state,
               'expert', json_build_object('id', e.id, 'name', e.name),
               'reserved_at', to_char(a.reserved_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
               'offered_at', to_char(a.offered_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) END)),
       ticket_version(t.id), t.id
  FROM (SELECT * FROM ticket WHERE ref = $2::text
        UNION ALL
        SELECT * FROM ticket WHERE id = $3::uuid) t
  LEFT JOIN dispatch d ON d.ticket_id = t.id
  LEFT JOIN LATERAL (SELECT * FROM assignment a
                      WHERE a.ticket_id = t.id AND (a.ended_at IS NULL OR a.state = 'completed')
                      ORDER BY a.state IN ('accepted', 'en_route', 'on_site', 'completed') DESC, a.attempt DESC LIMIT 1) a ON true
  LEFT JOIN expert e ON e.id = a.expert_id
 WHERE t.client_id = $1::integer
