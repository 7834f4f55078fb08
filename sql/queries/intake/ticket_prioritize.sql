-- $1 reference or $2 id, $3 priority or null, $4 due or null, $5 reason, $6 who, $7 traceparent. (outcome, body)
SELECT CASE outcome WHEN 'set' THEN 'ok' WHEN 'missing' THEN 'not-found' ELSE 'conflict' END,
       CASE outcome WHEN 'gone' THEN format('The ticket is %s.', p.state)
                    WHEN 'early' THEN 'No assigner has seen the ticket yet; try again in a moment.'
                    WHEN 'set' THEN json_build_object('ref', t.ref, 'state', p.state, 'priority', p.priority,
                                        'assign_due', to_char(p.assign_due AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::text END
  FROM (SELECT t.id, t.ref FROM ticket t WHERE t.ref = $1 OR t.id = $2::uuid) AS t,
       LATERAL ticket_prioritize(t.id, $3::integer, $4::timestamptz, $5::text, $6::text, $7::text) AS p
