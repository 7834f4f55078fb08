-- One ticket by reference or id, without personal data; the assignment is the live one or the last.
SELECT t.id, t.ref, coalesce(d.state, 'received') AS state, t.type, t.area, t.source, t.contract,
       c.name AS client, (extract(epoch FROM t.created_at) * 1000000)::bigint AS created_at_us,
       d.priority, array_to_string(d.flags, ', ') AS flags, d.attempts,
       a.id AS assignment_id, a.state AS assignment_state, a.expert_id, e.name AS expert
  FROM ticket t
  LEFT JOIN client c ON c.id = t.client_id
  LEFT JOIN dispatch d ON d.ticket_id = t.id
  LEFT JOIN LATERAL (SELECT * FROM assignment a WHERE a.ticket_id = t.id ORDER BY a.attempt DESC LIMIT 1) AS a ON true
  LEFT JOIN expert e ON e.id = a.expert_id
 WHERE CASE WHEN $1::text IS NOT NULL THEN t.ref = $1 ELSE t.id = $2::uuid END
