-- As roster_all, for the experts given.
SELECT pg_current_snapshot()::text AS snapshot, e.id, e.version, e.active, l.load, l.capacity,
       (extract(epoch FROM l.idle_since) * 1000000)::bigint AS idle_since_us,
       coalesce((SELECT string_agg(s.skill || ':' || s.level, ',') FROM expert_skill s WHERE s.expert_id = e.id), '') AS skills,
       coalesce((SELECT string_agg(a.prefix, ',') FROM expert_area a WHERE a.expert_id = e.id), '') AS areas
  FROM expert e JOIN expert_load l ON l.expert_id = e.id
 WHERE e.id = ANY ($1::integer[])
 ORDER BY e.id
