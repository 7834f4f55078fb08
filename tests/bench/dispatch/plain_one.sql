BEGIN;
SELECT id AS t_id, left(area, 3) AS t_prefix, 's' || substr(type, 2) AS t_skill FROM plain.ticket
 WHERE state = 'waiting' ORDER BY priority, created_at LIMIT 1 FOR UPDATE SKIP LOCKED \gset
WITH best AS (
    SELECT id FROM plain.expert
     WHERE areas @> ARRAY[:t_prefix] AND skills @> ARRAY[:t_skill] AND load < capacity
     ORDER BY load, idle_since, id LIMIT 1 FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE plain.expert e SET load = load + 1 FROM best WHERE e.id = best.id RETURNING e.id
), moved AS (
    UPDATE plain.ticket SET state = 'assigned' WHERE id = :t_id AND EXISTS (SELECT FROM taken)
)
INSERT INTO plain.assignment (ticket_id, expert_id) SELECT :t_id, id FROM taken;
COMMIT;
