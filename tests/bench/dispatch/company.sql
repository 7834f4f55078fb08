-- A company for measurements: :experts experts, twelve skills and types, a hundred areas, so that every
-- type has experts everywhere. :capacity slots each. Triggers are off while it is made.
SET session_replication_role = replica;
TRUNCATE squad.expert, squad.skill, squad.ticket_type, squad.ticket CASCADE;
INSERT INTO squad.skill SELECT 's' || i, 'Skill ' || i FROM generate_series(0, 11) AS i;
INSERT INTO squad.ticket_type (type, title, priority) SELECT 't' || i, 'Type ' || i, 1 + i % 5 FROM generate_series(0, 11) AS i;
INSERT INTO squad.ticket_type_skill (type, skill, min_level) SELECT 't' || i, 's' || i, 2 FROM generate_series(0, 11) AS i;
INSERT INTO squad.expert (id, name) SELECT i, 'Expert ' || i FROM generate_series(1, :experts) AS i;
INSERT INTO squad.expert_skill (expert_id, skill, level)
SELECT i, 's' || (i / 100 * 3 + k) % 12, 2 + (i / 7 + k) % 4 FROM generate_series(1, :experts) AS i, generate_series(0, 2) AS k;
INSERT INTO squad.expert_area (expert_id, prefix)
SELECT DISTINCT i, lpad(((i + k * (i / 100 + 1)) % 100)::text, 3, '0') FROM generate_series(1, :experts) AS i, generate_series(0, 1) AS k;
INSERT INTO squad.expert_load (expert_id, capacity, idle_since)
SELECT i, :capacity, now() - i % 3600 * interval '1 second' FROM generate_series(1, :experts) AS i;
RESET session_replication_role;
VACUUM (ANALYZE) squad.expert, squad.expert_skill, squad.expert_area, squad.expert_load;
