-- The assignment that ticket $1 (reference) or $2 (id) is with, or was last. (id, state, expert_id)
SELECT a.id, a.state, a.expert_id
  FROM ticket t JOIN assignment a ON a.ticket_id = t.id
 WHERE t.ref = $1 OR t.id = $2::uuid
 ORDER BY a.state IN ('accepted', 'en_route', 'on_site', 'completed') DESC, a.ended_at IS NULL DESC, a.attempt DESC LIMIT 1
