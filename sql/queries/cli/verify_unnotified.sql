-- P7: every assignment notified; $1: seconds that a notice may be overdue.
SELECT count(*) OVER () AS total, a.id::text,
       format('ticket %s, expert %s: %s', t.ref, a.expert_id,
              CASE WHEN n.id IS NULL THEN 'there is no notice'
                   WHEN a.state = 'offered' THEN 'offered, but its notice is ' || n.state
                   WHEN n.state IN ('delivered', 'undeliverable') THEN 'still reserved, but its notice is ' || n.state
                   ELSE format('its notice is %s and overdue since %s s', n.state,
                               extract(epoch FROM now() - n.next_attempt_at)::integer) END)
  FROM assignment a
  LEFT JOIN ticket t ON t.id = a.ticket_id
  LEFT JOIN notice n ON n.assignment_id = a.id AND n.message = 'offer'
 WHERE (a.ended_at IS NULL AND n.id IS NULL)
    OR (a.state = 'offered' AND n.state <> 'delivered')
    OR (a.state = 'reserved' AND (n.state IN ('delivered', 'undeliverable')
                                  OR n.next_attempt_at < now() - make_interval(secs => $1)))
 ORDER BY a.reserved_at LIMIT 20
