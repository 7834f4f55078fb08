-- P6: judged only while the expert is still as at the choice.
SELECT count(*) OVER () AS total, a.id::text,
       format('ticket %s (%s, %s) went to expert %s (%s), who %s', t.ref, t.type, t.area, e.id, e.name,
              CASE WHEN NOT e.active THEN 'is not active'
                   WHEN NOT served.yes THEN 'does not serve the area'
                   ELSE 'lacks a skill' END)
  FROM assignment a
  JOIN expert e ON e.id = a.expert_id AND e.version = a.expert_version
  JOIN ticket t ON t.id = a.ticket_id,
       LATERAL (SELECT EXISTS (SELECT FROM expert_area x
                                WHERE x.expert_id = e.id AND starts_with(t.area, x.prefix)) AS yes) AS served,
       LATERAL (SELECT EXISTS (SELECT FROM ticket_type_skill r
                                 LEFT JOIN expert_skill s ON s.expert_id = e.id AND s.skill = r.skill
                                WHERE r.type = t.type AND coalesce(s.level, 0) < r.min_level) AS yes) AS lacks
 WHERE NOT e.active OR NOT served.yes OR lacks.yes
 ORDER BY a.reserved_at LIMIT 20
