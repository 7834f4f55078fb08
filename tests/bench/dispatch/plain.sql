-- The plain version's own tables: what somebody would build first. No events, no history, no notice.
DROP SCHEMA IF EXISTS plain CASCADE;
CREATE SCHEMA plain;
CREATE TABLE plain.expert AS
SELECT e.id, l.capacity, 0 AS load, l.idle_since,
       ARRAY(SELECT a.prefix FROM squad.expert_area a WHERE a.expert_id = e.id) AS areas,
       ARRAY(SELECT s.skill FROM squad.expert_skill s WHERE s.expert_id = e.id AND s.level >= 2) AS skills
  FROM squad.expert e JOIN squad.expert_load l ON l.expert_id = e.id;
ALTER TABLE plain.expert ADD PRIMARY KEY (id), SET (fillfactor = 50), ADD CHECK (load <= capacity);
CREATE INDEX ON plain.expert USING gin (areas, skills);
CREATE TABLE plain.ticket AS
SELECT t.id, t.type, t.area, tt.priority, t.created_at, 'waiting' AS state
  FROM squad.ticket t JOIN squad.ticket_type tt USING (type);
ALTER TABLE plain.ticket ADD PRIMARY KEY (id), SET (fillfactor = 80);
CREATE INDEX ON plain.ticket (priority, created_at) WHERE state = 'waiting';
CREATE TABLE plain.assignment (ticket_id uuid PRIMARY KEY, expert_id integer NOT NULL, at timestamptz NOT NULL DEFAULT now());
VACUUM (ANALYZE) plain.expert, plain.ticket;
CHECKPOINT;
