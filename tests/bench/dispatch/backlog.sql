-- :tickets tickets that nobody has seen yet, received over the last ten minutes, and with :events = 1
-- their events in the outbox, as intake writes them.
SET session_replication_role = replica;
TRUNCATE squad.ticket, squad.dispatch, squad.assignment, squad.notice, squad.outbox, squad.inbox, squad.ticket_event CASCADE;
UPDATE squad.expert_load SET load = 0 WHERE load <> 0;
INSERT INTO squad.ticket (id, ref, client_id, key_hash, body_hash, source, type, area, problem, customer_ref,
                          customer_name, customer_phone, created_at)
SELECT (lpad(to_hex(ms), 12, '0') || '7' || substr(h, 1, 3) || 'a' || substr(h, 4, 15))::uuid,
       substr(upper(lpad(to_hex(i), 10, '0')), 1, 5) || '-' || substr(upper(lpad(to_hex(i), 10, '0')), 6, 5),
       1, decode(h, 'hex'), sha256(decode(h, 'hex')), 'web', 't' || i % 12,
       lpad((i / 12 % 100)::text, 3, '0') || lpad((i % 97)::text, 2, '0'), 'No picture since this morning', 'C-' || i,
       'Ana Ruiz', '+34600123456', to_timestamp(ms / 1000.0)
  FROM (SELECT i, md5(i::text) AS h,
               (extract(epoch FROM now() - interval '10 minutes') * 1000)::bigint + i * 590000 / :tickets AS ms
          FROM generate_series(1, :tickets::bigint) AS i) AS x;
INSERT INTO squad.outbox (aggregatetype, aggregateid, type, payload)
SELECT 'ticket', id::text, 'squad.ticket.created.v1',
       json_build_object('ticket_id', id, 'ref', ref, 'type', type, 'area', area, 'source', source)
  FROM squad.ticket WHERE :events = 1 ORDER BY id;
RESET session_replication_role;
VACUUM (ANALYZE) squad.ticket, squad.outbox, squad.inbox, squad.dispatch, squad.assignment, squad.notice, squad.expert_load;
CHECKPOINT;
