-- P6: judged at the time of the choice, while expert and rules are still as then; an elapsed shift may have been
-- deleted since. What a manager broke knowingly is in override; capacity is P5's.
SELECT count(*) OVER () AS total, a.id::text,
       format('ticket %s (%s, %s) went to expert %s (%s), who %s', t.ref, t.type, t.area, e.id, e.name,
              (SELECT string_agg(rule_words(r), ' and ') FROM unnest(b.rules) AS r))
  FROM assignment a
  JOIN expert e ON e.id = a.expert_id AND e.version = a.expert_version
  JOIN ticket t ON t.id = a.ticket_id
  JOIN ticket_type y ON y.type = t.type AND y.changed_at <= a.reserved_at,
       LATERAL (SELECT array_remove(array_remove(array_remove(expert_breaks(a.ticket_id, e.id, a.reserved_at), 'capacity'), 'excluded'),
                                    CASE WHEN a.reserved_at + y.duration_s * interval '1 second' <= now() THEN 'shift' END)) AS b (rules)
 WHERE NOT b.rules <@ coalesce(a.override, '{}')
   AND NOT EXISTS (SELECT FROM ticket_event v
                    WHERE v.ticket_id = a.ticket_id AND v.kind = 'prioritized' AND v.at >= a.reserved_at)
 ORDER BY a.reserved_at LIMIT 20
