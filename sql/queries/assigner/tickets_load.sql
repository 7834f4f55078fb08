-- What is to be decided about, read after the locks.
SELECT t.id, t.type, t.area, epoch_us(t.created_at) AS created_us,
       CASE WHEN d.by_hand AND tt.type IS NOT NULL THEN d.priority ELSE tt.priority END AS priority, d.state,
       coalesce(NOT d.parked ? 'experts', false) AS requeued, x.experts AS excluded, epoch_us(x.ends) AS excluded_us,
       epoch_us(clock_timestamp()) AS now_us,
       epoch_us(coalesce(d.routable_at, CASE WHEN d.ticket_id IS NULL THEN t.created_at ELSE clock_timestamp() END)) AS routable_us,
       epoch_us(CASE WHEN d.state <> 'review' OR d.by_hand THEN d.assign_due
                     ELSE t.created_at + coalesce(p.due_s, 86400) * interval '1 second' END) AS due_us,
       (SELECT s.expert_id FROM sticky_expert s
         WHERE s.client_id = t.client_id AND s.customer_ref = t.customer_ref
           AND s.since > clock_timestamp() - tt.sticky_s * interval '1 second') AS sticky
  FROM ticket t
  LEFT JOIN ticket_type tt ON tt.type = t.type
  LEFT JOIN priority p ON p.priority = tt.priority
  LEFT JOIN dispatch d ON d.ticket_id = t.id
  LEFT JOIN LATERAL (SELECT string_agg(e.expert_id::text, ',' ORDER BY e.expert_id) AS experts, min(e.until) AS ends
                       FROM exclusion e
                      WHERE e.ticket_id = t.id AND (e.until IS NULL OR e.until > clock_timestamp())) AS x ON d.attempts > 0
 WHERE t.id = ANY ($1::uuid[])
