-- P5: at most one live assignment per ticket, as many as dispatch.offers while it is offered to several
-- at once; one alone once it is accepted; never accepted twice.
SELECT count(*) OVER () AS total, a.ticket_id::text,
       format('ticket %s has %s experts: %s', t.ref, count(*),
              string_agg(a.expert_id || ' ' || a.state, ', ' ORDER BY a.expert_id))
  FROM assignment a
  LEFT JOIN ticket t ON t.id = a.ticket_id
  LEFT JOIN dispatch d ON d.ticket_id = a.ticket_id
 WHERE a.ended_at IS NULL OR a.state = 'completed'
 GROUP BY a.ticket_id, t.ref, d.offers
HAVING count(*) > 1
   AND (count(*) > coalesce(d.offers, 1) OR bool_or(a.state IN ('accepted', 'en_route', 'on_site', 'completed')))
 LIMIT 20
