-- P5: no expert above capacity, and the count kept is the count there is.
SELECT count(*) OVER () AS total, e.id::text,
       format('expert %s (%s) has %s live assignments, load %s, capacity %s', e.id, e.name,
              coalesce(live.n, 0), l.load, l.capacity)
  FROM expert e
  LEFT JOIN expert_load l ON l.expert_id = e.id
  LEFT JOIN (SELECT expert_id, count(*) AS n FROM assignment
              WHERE ended_at IS NULL GROUP BY expert_id) AS live ON live.expert_id = e.id
 WHERE l.expert_id IS NULL OR l.load <> coalesce(live.n, 0) OR l.load > l.capacity
 ORDER BY e.id LIMIT 20
