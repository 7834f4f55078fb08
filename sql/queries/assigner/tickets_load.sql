-- What is to be decided about, read after the locks. excluded: experts who could not be told of the
-- ticket within the last $2 milliseconds.
SELECT t.id, t.type, t.area, (extract(epoch FROM t.created_at) * 1000000)::bigint AS created_us,
       tt.priority, d.state, coalesce(d.parked ? 'undeliverable', false) AS requeued,
       CASE WHEN d.attempts > 0 THEN
           (SELECT string_agg(a.expert_id::text, ',') FROM assignment a
             WHERE a.ticket_id = t.id AND a.state = 'undeliverable'
               AND a.ended_at > clock_timestamp() - $2::bigint * interval '1 millisecond')
       END AS excluded
  FROM ticket t
  LEFT JOIN ticket_type tt ON tt.type = t.type
  LEFT JOIN dispatch d ON d.ticket_id = t.id
 WHERE t.id = ANY ($1::uuid[])
