-- The chosen experts as they are now, held until the commit.
SELECT l.expert_id, e.version, l.load, l.capacity
  FROM expert_load l JOIN expert e ON e.id = l.expert_id
 WHERE l.expert_id = ANY ($1::integer[])
 ORDER BY l.expert_id FOR UPDATE OF l
