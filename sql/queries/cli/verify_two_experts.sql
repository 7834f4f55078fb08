-- P5: at most one live assignment per ticket.
SELECT count(*) OVER () AS total, a.ticket_id::text,
       format('ticket %s has %s experts: %s', t.ref, count(*), string_agg(a.expert_id::text, ', ' ORDER BY a.expert_id))
  FROM assignment a LEFT JOIN ticket t ON t.id = a.ticket_id
 WHERE a.state IN ('reserved', 'offered')
 GROUP BY a.ticket_id, t.ref HAVING count(*) > 1
 LIMIT 20
