-- P6: judged at the time of the choice, while the expert is still as then. What a manager broke
-- knowingly is in override; capacity is P5's.
SELECT count(*) OVER () AS total, a.id::text,
       format('ticket %s (%s, %s) went to expert %s (%s), who %s', t.ref, t.type, t.area, e.id, e.name,
              (SELECT string_agg(rule_words(r), ' and ') FROM unnest(b.rules) AS r))
  FROM assignment a
  JOIN expert e ON e.id = a.expert_id AND e.version = a.expert_version
  JOIN ticket t ON t.id = a.ticket_id,
       LATERAL (SELECT array_remove(array_remove(expert_breaks(a.ticket_id, e.id, a.reserved_at), 'capacity'), 'excluded')) AS b (rules)
 WHERE NOT b.rules <@ coalesce(a.override, '{}')
 ORDER BY a.reserved_at LIMIT 20
