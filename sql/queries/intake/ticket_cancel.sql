-- $1 client, $2 reference or $3 id, $4 reason, $5 who, $6 traceparent. (outcome, body)
SELECT CASE c.outcome WHEN 'gone' THEN 'conflict' ELSE 'ok' END,
       CASE c.outcome WHEN 'gone' THEN 'The ticket has been completed: there is nothing left to call off.'
                      ELSE json_build_object('ref', c.ref, 'state', c.state)::text END
  FROM (SELECT id, client_id FROM ticket WHERE ref = $2::text
        UNION ALL
        SELECT id, client_id FROM ticket WHERE id = $3::uuid) t,
       LATERAL ticket_cancel(t.id, $4::text, $5::text, $6::text) AS c
 WHERE t.client_id = $1::integer
