-- What an assigner would decide about the backlog of backlog.sql, ready to be written: one row of arrays
-- for every :batch tickets. Experts of a type and an area take turns.
DROP SCHEMA IF EXISTS plan CASCADE;
CREATE SCHEMA plan;
CREATE TABLE plan.batch AS
WITH able AS (
    SELECT r.type, a.prefix, e.id, e.version, row_number() OVER w - 1 AS turn, count(*) OVER (PARTITION BY r.type, a.prefix) AS n
      FROM squad.ticket_type_skill r
      JOIN squad.expert_skill s ON s.skill = r.skill AND s.level >= r.min_level
      JOIN squad.expert_area a ON a.expert_id = s.expert_id
      JOIN squad.expert e ON e.id = s.expert_id
    WINDOW w AS (PARTITION BY r.type, a.prefix ORDER BY e.id)
), given AS (
    SELECT t.id, t.type, left(t.area, 3) AS prefix, row_number() OVER (PARTITION BY t.type, left(t.area, 3) ORDER BY t.id) - 1 AS turn,
           (row_number() OVER (ORDER BY t.id) - 1) / :batch AS n
      FROM squad.ticket t
)
SELECT g.n::integer AS n, array_agg(g.id ORDER BY g.id) AS tickets, array_agg('assigned'::text) AS states,
       array_agg(a.id ORDER BY g.id) AS experts, array_agg(a.version ORDER BY g.id) AS versions,
       array_agg(1) AS places, array_agg(1) AS offers, array_agg(NULL::bigint) AS retries,
       array_agg('{"experts":10000,"fit":12,"load":2,"idle_s":532}'::text) AS facts,
       array_agg(false) AS announce, array_agg(NULL::text) AS traceparents,
       array_agg(gen_random_uuid()) AS events
  FROM given g JOIN able a ON a.type = g.type AND a.prefix = g.prefix AND a.turn = g.turn % a.n
 GROUP BY g.n;
ALTER TABLE plan.batch ADD PRIMARY KEY (n);
VACUUM (ANALYZE) plan.batch;
CHECKPOINT;
