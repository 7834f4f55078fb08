-- The best waiting tickets of each expert given, at most as many as free slots: first by priority,
-- then the oldest. $3: for so many milliseconds an expert who could not be told is passed over.
SELECT x.expert_id, w.ticket_id
  FROM unnest($1::integer[], $2::integer[]) AS x (expert_id, free),
       LATERAL (SELECT d.ticket_id
                  FROM dispatch d
                 WHERE d.state = 'parked'
                   AND EXISTS (SELECT FROM expert_area a
                                WHERE a.expert_id = x.expert_id AND starts_with(d.area, a.prefix))
                   AND NOT EXISTS (SELECT FROM ticket_type_skill r
                                     LEFT JOIN expert_skill s ON s.expert_id = x.expert_id AND s.skill = r.skill
                                    WHERE r.type = d.type AND coalesce(s.level, 0) < r.min_level)
                   AND NOT EXISTS (SELECT FROM assignment a
                                    WHERE a.ticket_id = d.ticket_id AND a.expert_id = x.expert_id
                                      AND a.state = 'undeliverable'
                                      AND a.ended_at > clock_timestamp() - $3::bigint * interval '1 millisecond')
                 ORDER BY d.priority, d.created_at, d.ticket_id
                 LIMIT x.free) AS w
