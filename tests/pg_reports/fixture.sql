-- Rows with fixed ids and times, as they could have come about; triggers off, so that no clock and no
-- random number has a part in them. "Now" is 2026-11-24 12:00 UTC: the setting squad.report_now.
SET session_replication_role = replica;
SET TimeZone = 'UTC';
SET search_path = squad;

INSERT INTO skill VALUES ('tv', 'Television'), ('internet', 'Internet');
INSERT INTO ticket_type (type, title, priority, changed_at) VALUES ('tv', 'Television', 3, '2026-11-01'), ('internet', 'Internet', 2, '2026-11-01');
INSERT INTO ticket_type_skill VALUES ('tv', 'tv', 2), ('internet', 'internet', 2);
INSERT INTO contract VALUES ('basic', 'Basic');
INSERT INTO client (name, key_hash) VALUES ('form', sha256('form'));
INSERT INTO expert (id, name, active, created_at) VALUES
    (1, 'Alba', true, '2026-11-01'), (2, 'Bruno', true, '2026-11-01'), (3, 'Carmen', false, '2026-11-01'),
    (4, 'Diego', true, '2026-11-01');
SELECT setval('expert_id_seq', 4) \g /dev/null
INSERT INTO expert_skill VALUES (1, 'tv', 3), (2, 'tv', 2), (2, 'internet', 4), (3, 'internet', 5);
INSERT INTO expert_area VALUES (1, '280'), (2, '280'), (2, '281'), (3, '28'), (4, '41');
INSERT INTO expert_load (expert_id, load, capacity, idle_since) VALUES
    (1, 2, 2, '2026-11-24 11:00'), (2, 1, 3, '2026-11-24 11:30'), (3, 0, 1, '2026-11-24 00:00'), (4, 0, 0, '2026-11-23 12:00');

-- n: number; ref; type; area; stored so long ago.
CREATE TEMP TABLE posted (n integer, ref text, type text, area text, ago interval);
INSERT INTO posted VALUES
    (1, '00000-00001', 'tv', '28001', '3 days'),        -- completed
    (2, '00000-00002', 'tv', '28001', '90 minutes'),    -- offered to 1
    (3, '00000-00003', 'tv', '28002', '80 minutes'),    -- offered to 1 after 2 could not be told
    (4, '00000-00004', 'internet', '28101', '2 seconds'), -- reserved for 2
    (5, '00000-00005', 'internet', '41001', '26 hours'), -- parked
    (6, '00000-00006', 'tv', '28003', '4 minutes'),     -- parked: capacity
    (7, '00000-00007', 'tv', '28003', '3 minutes'),     -- parked: capacity
    (8, '00000-00008', 'teleport', '28003', '10 minutes'), -- review
    (9, '00000-00009', 'tv', '28009', '5 seconds');     -- received
INSERT INTO ticket (id, ref, client_id, key_hash, body_hash, source, type, area, problem, contract, customer_name,
                    customer_phone, customer_email, created_at)
SELECT lpad(n::text, 32, '0')::uuid, ref, 1, substr(sha256(ref::bytea), 1, 16), sha256(ref::bytea), 'web', type, area,
       'SECRET words', CASE n WHEN 6 THEN 'gold' END, 'SECRET name', 'SECRET phone', 'SECRET mail',
       timestamptz '2026-11-24 12:00' - ago
  FROM posted;

INSERT INTO dispatch (ticket_id, state, type, area, priority, created_at, assign_due, since, attempts, flags, parked)
SELECT t.id, d.state, t.type, t.area, d.priority, t.created_at, t.created_at + interval '1 day', t.created_at + d.after, d.attempts, d.flags, d.parked::jsonb
  FROM (VALUES
    (1, 'completed', 3, interval '2 days', 1, '{}'::text[], NULL),
    (2, 'assigned', 3, '20 milliseconds', 1, '{}', NULL),
    (3, 'assigned', 3, '10 minutes', 2, '{}', NULL),
    (4, 'assigned', 2, '15 milliseconds', 1, '{}', NULL),
    (5, 'parked', 2, '1 second', 0, '{}', '{"experts":4,"inactive":1,"area":2,"skill":1,"excluded":0,"capacity":0}'),
    (6, 'parked', 3, '1 second', 0, '{unknown_contract}', '{"experts":4,"inactive":1,"area":1,"skill":0,"excluded":1,"capacity":1}'),
    (7, 'parked', 3, '1 second', 1, '{}', '{"undeliverable":true}'),
    (8, 'review', 3, '1 second', 0, '{unknown_type}', NULL)) AS d (n, state, priority, after, attempts, flags, parked)
  JOIN ticket t ON t.ref = lpad('', 5, '0') || '-' || lpad(d.n::text, 5, '0');

-- A manager has put 5 back, which is past due all the same, and 7 before 6.
UPDATE dispatch d SET by_hand = true, priority = v.priority, assign_due = coalesce(v.due, d.assign_due)
  FROM (VALUES ('00000-00005', 4, NULL), ('00000-00007', 3, timestamptz '2026-11-24 13:00')) AS v (ref, priority, due)
  JOIN ticket t USING (ref)
 WHERE d.ticket_id = t.id;

INSERT INTO assignment (id, ticket_id, expert_id, attempt, state, expert_version, why, reserved_at, offered_at, expires_at, ended_at,
                        reason)
SELECT lpad(a.n::text || '0' || a.attempt, 32, 'a')::uuid, t.id, a.expert, a.attempt, a.state, 1,
       '{"experts":4,"fit":2,"load":0,"idle_s":60}', t.created_at + a.reserved, t.created_at + a.offered,
       CASE WHEN a.offered IS NOT NULL THEN t.created_at + a.offered + interval '2 hours' END, t.created_at + a.ended, a.reason
  FROM (VALUES
    (1, 1, 1, 'completed', interval '1 second', interval '2 seconds', interval '2 days', 'completed'),
    (2, 1, 1, 'offered', '20 milliseconds', '50 milliseconds', NULL, NULL),
    (3, 1, 2, 'undeliverable', '30 milliseconds', NULL, '9 minutes', 'the notice could not be delivered'),
    (3, 2, 1, 'offered', '10 minutes', '10 minutes 40 milliseconds', NULL, NULL),
    (4, 1, 2, 'reserved', '15 milliseconds', NULL, NULL, NULL),
    (7, 1, 1, 'undeliverable', '40 milliseconds', NULL, '1 second', 'the notice could not be delivered'))
       AS a (n, attempt, expert, state, reserved, offered, ended, reason)
  JOIN ticket t ON t.ref = '00000-' || lpad(a.n::text, 5, '0');

INSERT INTO notice (id, assignment_id, ticket_id, expert_id, channel, message, state, attempts, next_attempt_at,
                    last_status, last_error, created_at, ended_at)
SELECT replace(a.id::text, 'a', 'b')::uuid, a.id, a.ticket_id, a.expert_id, 'webhook', 'offer',
       CASE a.state WHEN 'undeliverable' THEN 'undeliverable' WHEN 'reserved' THEN 'sending' ELSE 'delivered' END,
       CASE a.state WHEN 'undeliverable' THEN 5 ELSE 1 END, a.reserved_at + interval '1 second',
       CASE a.state WHEN 'undeliverable' THEN 503 WHEN 'reserved' THEN NULL ELSE 204 END,
       CASE a.state WHEN 'undeliverable' THEN 'HTTP status 503' WHEN 'reserved' THEN 'no answer within 5000 ms' END,
       a.reserved_at, coalesce(a.offered_at, a.ended_at)
  FROM assignment a;

INSERT INTO ticket_event (ticket_id, kind, actor, detail, at)
SELECT t.id, e.kind, e.actor, e.detail::jsonb, t.created_at + e.after
  FROM (VALUES
    (3, 'reserved', 'assigner/1', '{"expert_id":2,"attempt":1}', interval '30 milliseconds'),
    (3, 'attempt_failed', 'notifier/1', '{"expert_id":2,"attempt":1,"status":503}', '60 milliseconds'),
    (3, 'undeliverable', 'notifier/1', '{"expert_id":2,"attempts":5,"status":503}', '9 minutes'),
    (3, 'reserved', 'assigner/1', '{"expert_id":1,"attempt":2}', '10 minutes'),
    (3, 'offered', 'notifier/1', '{"expert_id":1,"status":204}', '10 minutes 40 milliseconds'),
    (5, 'parked', 'assigner/1', '{"experts":4}', '1 second')) AS e (n, kind, actor, detail, after)
  JOIN ticket t ON t.ref = '00000-' || lpad(e.n::text, 5, '0');

-- Published: everything up to here; then two rows that are not.
INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, at)
SELECT replace(t.id::text, '0000-', 'cccc-')::uuid, 'ticket', t.id::text, 'squad.ticket.created.v1', '{}', t.created_at
  FROM ticket t WHERE t.ref <> '00000-00009' ORDER BY t.created_at;
INSERT INTO relay_progress (relay, snapshot_prev, rows_total, dead_total, transactions_total, system_identifier, timeline,
                            leader, leader_since, updated_at)
SELECT 'squad', pg_current_snapshot(), 8, 1, 5, 1, 1, 'host pid 1 instance 1', '2026-11-24 08:00', '2026-11-24 11:59:58';
INSERT INTO relay_dead (event_id, seq, topic, reason, at)
SELECT id, seq, 'squad.tickets', 'Broker: Message size too large', '2026-11-24 11:00' FROM outbox ORDER BY seq LIMIT 1;
INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, at)
SELECT 'dddddddd-0000-0000-0000-000000000009', 'ticket', t.id::text, 'squad.ticket.created.v1', '{}', t.created_at
  FROM ticket t WHERE t.ref = '00000-00009';
