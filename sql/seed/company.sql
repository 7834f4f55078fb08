-- A small company around Madrid: twelve experts, five skills, six types of ticket.
-- Settings of the transaction: squad.seed_hook_url, squad.seed_secret (empty: one made from the
-- expert's number), squad.seed_capacity (empty: as below; given, it is for a load test, and offers do
-- not time out). Running it again changes nothing.

DO $$
DECLARE
    other record;
BEGIN
    SELECT e.id, e.name INTO other
      FROM squad.expert e
      JOIN (VALUES (1, 'Alba Beltrán'), (12, 'Lucía Vega')) AS demo (id, name) USING (id)
     WHERE e.name <> demo.name LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'this database has experts of its own: expert % is %', other.id, other.name
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'squad seed is for trying squad out on an empty database.';
    END IF;
END $$;

INSERT INTO squad.skill (skill, title) VALUES
    ('tv',        'Television and set-top boxes'),
    ('internet',  'Internet access and routers'),
    ('phone',     'Fixed telephony'),
    ('wiring',    'Cabling and sockets'),
    ('appliance', 'Household appliances')
ON CONFLICT DO NOTHING;

INSERT INTO squad.ticket_type (type, title, priority) VALUES
    ('tv',           'Television does not work',  3),
    ('internet',     'Internet does not work',    2),
    ('phone',        'Telephone does not work',   3),
    ('wiring',       'Cabling at home',           4),
    ('appliance',    'Household appliance',       4),
    ('installation', 'New connection',            5)
ON CONFLICT DO NOTHING;

INSERT INTO squad.ticket_type_skill (type, skill, min_level) VALUES
    ('tv',           'tv',        2),
    ('internet',     'internet',  2),
    ('phone',        'phone',     2),
    ('wiring',       'wiring',    3),
    ('appliance',    'appliance', 2),
    ('installation', 'internet',  3),
    ('installation', 'wiring',    2)
ON CONFLICT DO NOTHING;

INSERT INTO squad.contract (contract, title) VALUES
    ('basic',    'Repair within three days'),
    ('plus',     'Repair on the next day'),
    ('business', 'Repair on the same day')
ON CONFLICT DO NOTHING;

INSERT INTO squad.expert (id, name) VALUES
    (1, 'Alba Beltrán'),    (2, 'Bruno Castillo'),  (3, 'Carmen Díaz'),    (4, 'Diego Esteban'),
    (5, 'Elena Fuentes'),   (6, 'Fermín Gil'),      (7, 'Gloria Herrero'), (8, 'Hugo Iglesias'),
    (9, 'Inés Jiménez'),    (10, 'Javier Lozano'),  (11, 'Karim Mansour'), (12, 'Lucía Vega')
ON CONFLICT DO NOTHING;
SELECT setval(pg_get_serial_sequence('squad.expert', 'id'),
              greatest((SELECT max(id) FROM squad.expert),
                       (SELECT last_value FROM pg_sequences
                         WHERE schemaname = 'squad' AND sequencename = 'expert_id_seq')));

INSERT INTO squad.expert_skill (expert_id, skill, level) VALUES
    (1, 'tv', 5),        (1, 'internet', 3),
    (2, 'tv', 3),        (2, 'phone', 3),      (2, 'wiring', 2),
    (3, 'internet', 5),  (3, 'wiring', 3),
    (4, 'appliance', 4), (4, 'wiring', 4),
    (5, 'tv', 2),        (5, 'internet', 4),   (5, 'phone', 2),
    (6, 'phone', 5),     (6, 'internet', 2),
    (7, 'tv', 4),        (7, 'appliance', 2),
    (8, 'wiring', 5),    (8, 'internet', 3),   (8, 'phone', 3),
    (9, 'appliance', 5), (9, 'tv', 1),
    (10, 'internet', 4), (10, 'wiring', 2),    (10, 'tv', 3),
    (11, 'phone', 4),    (11, 'tv', 2),        (11, 'appliance', 3),
    (12, 'tv', 3),       (12, 'internet', 3),  (12, 'phone', 3), (12, 'wiring', 3), (12, 'appliance', 3)
ON CONFLICT DO NOTHING;

-- 280: the city; 281 to 289: the towns around it.
INSERT INTO squad.expert_area (expert_id, prefix) VALUES
    (1, '280'),  (2, '280'),  (3, '280'), (3, '282'),  (4, '280'),
    (5, '2801'), (5, '2802'), (6, '280'), (6, '281'),  (7, '280'), (7, '289'),
    (8, '281'),  (8, '282'),  (9, '28'),  (10, '289'), (10, '283'), (10, '280'),
    (11, '281'), (11, '288'), (12, '28')
ON CONFLICT DO NOTHING;

-- Where the postcodes and the experts' homes are.
INSERT INTO squad.place (prefix, lat, lon) VALUES
    ('280', 40.417, -3.704), ('2801', 40.420, -3.700), ('2802', 40.408, -3.672), ('281', 40.544, -3.642), ('282', 40.493, -3.874),
    ('283', 40.150, -3.640), ('288', 40.482, -3.364), ('289', 40.328, -3.765)
ON CONFLICT DO NOTHING;
UPDATE squad.expert e SET home_lat = h.lat, home_lon = h.lon, zone = 'Europe/Madrid', schedule = 'shifts'
  FROM (VALUES (1, 40.43, -3.69), (2, 40.40, -3.70), (3, 40.45, -3.72), (4, 40.39, -3.66), (5, 40.42, -3.71), (6, 40.50, -3.68),
               (7, 40.36, -3.74), (8, 40.55, -3.64), (9, 40.33, -3.77), (10, 40.31, -3.73), (11, 40.48, -3.37), (12, 40.41, -3.60))
       AS h (expert_id, lat, lon)
 WHERE e.id = h.expert_id AND e.created_at >= transaction_timestamp();

-- Round the clock, so that it can be tried at any hour.
INSERT INTO squad.shift_pattern (expert_id, weekday, starts, ends)
SELECT e.id, day, '00:00', '24:00' FROM squad.expert e, generate_series(1, 7) AS day
 WHERE e.id BETWEEN 1 AND 12 AND e.created_at >= transaction_timestamp();
SELECT squad.shifts_extend();

-- Only of experts made just now: a capacity that someone has changed stays.
UPDATE squad.expert_load l
   SET capacity = demo.capacity
  FROM (VALUES (1, 3), (2, 2), (3, 3), (4, 2), (5, 3), (6, 2), (7, 3), (8, 2), (9, 2), (10, 3), (11, 1), (12, 4))
       AS demo (expert_id, capacity)
  JOIN squad.expert e ON e.id = demo.expert_id AND e.created_at >= transaction_timestamp()
 WHERE l.expert_id = demo.expert_id
   AND nullif(current_setting('squad.seed_capacity'), '') IS NULL;

UPDATE squad.expert_load
   SET capacity = nullif(current_setting('squad.seed_capacity'), '')::integer
 WHERE expert_id BETWEEN 1 AND 12
   AND capacity <> nullif(current_setting('squad.seed_capacity'), '')::integer;

UPDATE squad.ticket_type SET offer_timeout_s = 604800
 WHERE nullif(current_setting('squad.seed_capacity'), '') IS NOT NULL AND offer_timeout_s <> 604800;

INSERT INTO squad.expert_contact (expert_id, channel, address, secret)
SELECT id, 'webhook', rtrim(current_setting('squad.seed_hook_url'), '/') || '/experts/' || id,
       coalesce(nullif(current_setting('squad.seed_secret'), ''),
                'whsec_' || encode(substring(sha256(convert_to('squad demo ' || id, 'UTF8')) FOR 24), 'base64'))
  FROM generate_series(1, 12) AS demo (id)
ON CONFLICT (expert_id, channel) DO UPDATE
   SET address = excluded.address, secret = excluded.secret
 WHERE (expert_contact.address, expert_contact.secret) IS DISTINCT FROM (excluded.address, excluded.secret);
