-- As experts_check without holding them (--no-advisory-locks: the constraints alone).
SELECT l.expert_id, e.version, l.load, l.capacity
  FROM expert_load l JOIN expert e ON e.id = l.expert_id
 WHERE l.expert_id = ANY ($1::integer[])
