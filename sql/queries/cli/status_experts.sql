-- Experts, the fullest first; $1: how many.
SELECT e.id, e.name, e.active, l.load, l.capacity, count(*) OVER () AS total,
       sum(l.load) OVER () AS load_total, sum(l.capacity) FILTER (WHERE e.active) OVER () AS capacity_total,
       (SELECT string_agg(skill || ' ' || level, ', ' ORDER BY skill) FROM expert_skill s WHERE s.expert_id = e.id) AS skills
  FROM expert e JOIN expert_load l ON l.expert_id = e.id
 ORDER BY l.load::float8 / greatest(l.capacity, 1) DESC, l.load DESC, e.id
 LIMIT $1
