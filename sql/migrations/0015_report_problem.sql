-- Reports for whoever keeps squad running: what is not published, not delivered or not right, and how large it is.

-- Rows that the copied position does not cover: not visible in snapshot_prev and,
-- inside a window that is being published in pieces, beyond last_seq.
CREATE VIEW squad.unpublished AS
SELECT p.relay, o.seq, o.at
  FROM squad.relay_progress p
  JOIN squad.outbox o
    ON o.xid >= pg_snapshot_xmin(p.snapshot_prev) AND NOT pg_visible_in_snapshot(o.xid, p.snapshot_prev)
   AND (p.snapshot_cur IS NULL OR o.seq > coalesce(p.last_seq, 0) OR NOT pg_visible_in_snapshot(o.xid, p.snapshot_cur))
UNION ALL
SELECT NULL, o.seq, o.at FROM squad.outbox o WHERE NOT EXISTS (SELECT FROM squad.relay_progress);
COMMENT ON VIEW   squad.unpublished IS 'Outbox rows that the copy of the relay''s position does not cover yet. For rpt.outbox_lag and rpt.outbox_partition.';
COMMENT ON COLUMN squad.unpublished.relay IS 'Name of the relay; null when none has run yet.';
COMMENT ON COLUMN squad.unpublished.seq IS 'outbox.seq.';
COMMENT ON COLUMN squad.unpublished.at IS 'outbox.at.';

CREATE VIEW rpt.relay AS
SELECT p.relay, p.leader, p.leader_since, p.rows_total, p.dead_total, p.transactions_total,
       p.updated_at AS position_at,
       floor(extract(epoch FROM (SELECT squad.report_now()) - p.updated_at))::bigint AS position_age_s,
       p.snapshot_prev::text AS snapshot_prev, p.snapshot_cur::text AS snapshot_cur, p.last_seq,
       p.system_identifier, p.timeline
  FROM squad.relay_progress p;
COMMENT ON VIEW   rpt.relay IS 'The relay: who leads, since when, what it has published, and the copy of its position. No row: no relay has run yet.';
COMMENT ON COLUMN rpt.relay.relay IS 'Name of the relay: its topic prefix.';
COMMENT ON COLUMN rpt.relay.leader IS 'Host, process id and instance of the leader that wrote the copy.';
COMMENT ON COLUMN rpt.relay.leader_since IS 'When it became leader.';
COMMENT ON COLUMN rpt.relay.rows_total IS 'Number of outbox rows published since the beginning.';
COMMENT ON COLUMN rpt.relay.dead_total IS 'Of these, the number sent to the dead-letter topic.';
COMMENT ON COLUMN rpt.relay.transactions_total IS 'Number of Kafka transactions committed since the beginning.';
COMMENT ON COLUMN rpt.relay.position_at IS 'When the copy was written; the truth is in Kafka.';
COMMENT ON COLUMN rpt.relay.position_age_s IS 'Seconds since the copy was written.';
COMMENT ON COLUMN rpt.relay.snapshot_prev IS 'Every row visible in this snapshot has been published.';
COMMENT ON COLUMN rpt.relay.snapshot_cur IS 'While a window is published in pieces: the snapshot at its end.';
COMMENT ON COLUMN rpt.relay.last_seq IS 'While a window is published in pieces: published up to this outbox.seq.';
COMMENT ON COLUMN rpt.relay.system_identifier IS 'PostgreSQL cluster that the position belongs to.';
COMMENT ON COLUMN rpt.relay.timeline IS 'Timeline of that cluster.';

CREATE VIEW rpt.outbox_lag AS
SELECT p.relay, coalesce(u.rows, 0) AS unpublished,
       floor(extract(epoch FROM (SELECT squad.report_now()) - u.oldest))::bigint AS oldest_s,
       floor(extract(epoch FROM (SELECT squad.report_now()) - p.updated_at))::bigint AS position_age_s
  FROM squad.relay_progress p
  FULL JOIN (SELECT u.relay, count(*) AS rows, min(u.at) AS oldest FROM squad.unpublished u GROUP BY u.relay) AS u
    ON u.relay = p.relay;
COMMENT ON VIEW   rpt.outbox_lag IS 'How far the relay is behind, by the copy of its position.';
COMMENT ON COLUMN rpt.outbox_lag.relay IS 'Name of the relay; null when none has run yet.';
COMMENT ON COLUMN rpt.outbox_lag.unpublished IS 'Number of outbox rows that are not published yet.';
COMMENT ON COLUMN rpt.outbox_lag.oldest_s IS 'Age of the oldest of them in seconds; null when there is none.';
COMMENT ON COLUMN rpt.outbox_lag.position_age_s IS 'Age of the copy of the position in seconds; rows published since then still count as unpublished.';

CREATE VIEW rpt.outbox_partition AS
SELECT p.partition, p.from_seq, p.below_seq, p.rows_estimate, p.bytes,
       (SELECT o.at FROM squad.outbox o WHERE o.seq >= p.from_seq AND o.seq < p.below_seq
         ORDER BY o.seq LIMIT 1) AS first_at,
       (SELECT o.at FROM squad.outbox o WHERE o.seq >= p.from_seq AND o.seq < p.below_seq
         ORDER BY o.seq DESC LIMIT 1) AS last_at,
       (SELECT count(*) FROM squad.unpublished u WHERE u.seq >= p.from_seq AND u.seq < p.below_seq) AS unpublished,
       EXISTS (SELECT FROM squad.relay_progress)
           AND p.below_seq + (p.below_seq - p.from_seq) <= s.last_seq
           AND NOT EXISTS (SELECT FROM squad.unpublished u
                            WHERE u.seq >= p.from_seq AND u.seq < p.below_seq) AS droppable
  FROM (SELECT c.relname::text AS partition, b.range[1]::bigint AS from_seq, b.range[2]::bigint AS below_seq,
               greatest(c.reltuples, 0)::bigint AS rows_estimate, pg_total_relation_size(c.oid) AS bytes
          FROM pg_inherits i
          JOIN pg_class c ON c.oid = i.inhrelid,
               LATERAL regexp_match(pg_get_expr(c.relpartbound, c.oid), '\(''(\d+)''\) TO \(''(\d+)''\)') AS b (range)
         WHERE i.inhparent = 'squad.outbox'::regclass AND b.range IS NOT NULL) AS p,
       (SELECT coalesce(max(o.seq), 0) AS last_seq FROM squad.outbox o) AS s
 ORDER BY p.from_seq;
COMMENT ON VIEW   rpt.outbox_partition IS 'Partitions of squad.outbox, oldest first, and which may be dropped.';
COMMENT ON COLUMN rpt.outbox_partition.partition IS 'Name of the table in schema squad.';
COMMENT ON COLUMN rpt.outbox_partition.from_seq IS 'Its rows have outbox.seq from this on.';
COMMENT ON COLUMN rpt.outbox_partition.below_seq IS 'Its rows have outbox.seq below this.';
COMMENT ON COLUMN rpt.outbox_partition.rows_estimate IS 'Number of rows as of the last ANALYZE.';
COMMENT ON COLUMN rpt.outbox_partition.bytes IS 'Size with indexes in bytes.';
COMMENT ON COLUMN rpt.outbox_partition.first_at IS 'When its first row was written; null when it is empty.';
COMMENT ON COLUMN rpt.outbox_partition.last_at IS 'When its last row was written; null when it is empty.';
COMMENT ON COLUMN rpt.outbox_partition.unpublished IS 'Number of its rows that are not published yet.';
COMMENT ON COLUMN rpt.outbox_partition.droppable IS 'True: everything in it has been published, and writers are past it by at least its own length.';

CREATE VIEW rpt.dead_letter AS
SELECT x.event_id, x.seq, x.topic, o.type, o.aggregateid AS key, t.ref, x.reason, x.at,
       octet_length(o.payload::text) AS payload_bytes,
       floor(extract(epoch FROM (SELECT squad.report_now()) - x.at))::bigint AS age_s
  FROM squad.relay_dead x
  LEFT JOIN squad.outbox o ON o.seq = x.seq
  LEFT JOIN squad.ticket t
    ON t.id = CASE WHEN o.aggregateid ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN o.aggregateid::uuid END;
COMMENT ON VIEW   rpt.dead_letter IS 'Events that Kafka could not take and that went to the dead-letter topic.';
COMMENT ON COLUMN rpt.dead_letter.event_id IS 'Id of the event.';
COMMENT ON COLUMN rpt.dead_letter.seq IS 'outbox.seq of the event.';
COMMENT ON COLUMN rpt.dead_letter.topic IS 'Topic that it was meant for.';
COMMENT ON COLUMN rpt.dead_letter.type IS 'Type of the event; null when its outbox partition has been dropped.';
COMMENT ON COLUMN rpt.dead_letter.key IS 'Key of the event: id of the ticket or number of the expert.';
COMMENT ON COLUMN rpt.dead_letter.ref IS 'Reference of the ticket, when it belongs to one.';
COMMENT ON COLUMN rpt.dead_letter.reason IS 'Why Kafka refused it.';
COMMENT ON COLUMN rpt.dead_letter.at IS 'When it went to the dead-letter topic.';
COMMENT ON COLUMN rpt.dead_letter.payload_bytes IS 'Size of the payload in bytes.';
COMMENT ON COLUMN rpt.dead_letter.age_s IS 'Seconds since it went to the dead-letter topic.';

CREATE VIEW rpt.notice_problem AS
SELECT n.id AS notice_id, t.ref, n.expert_id, e.name AS expert, n.channel,
       CASE n.state WHEN 'undeliverable' THEN 'undeliverable' ELSE 'retrying' END AS state,
       n.attempts, n.last_status, n.last_error, n.created_at,
       CASE WHEN n.state <> 'undeliverable' THEN n.next_attempt_at END AS next_attempt_at, n.ended_at,
       floor(extract(epoch FROM (SELECT squad.report_now()) - n.created_at))::bigint AS age_s, n.recipient, n.message
  FROM squad.notice n
  LEFT JOIN squad.ticket t ON t.id = n.ticket_id
  LEFT JOIN squad.expert e ON e.id = n.expert_id
 WHERE n.state = 'undeliverable'
    OR (n.state IN ('pending', 'sending') AND (n.last_error IS NOT NULL OR n.last_status IS NOT NULL));
COMMENT ON VIEW   rpt.notice_problem IS 'Notices that failed: those tried again (retrying) and those given up (undeliverable; the ticket of an offer went on to the next expert).';
COMMENT ON COLUMN rpt.notice_problem.notice_id IS 'Id of the notice; webhook-id at the receiver.';
COMMENT ON COLUMN rpt.notice_problem.ref IS 'Reference of the ticket; null: it is not about one.';
COMMENT ON COLUMN rpt.notice_problem.expert_id IS 'Number of the expert; null: it is for the manager or a customer.';
COMMENT ON COLUMN rpt.notice_problem.expert IS 'Name of the expert.';
COMMENT ON COLUMN rpt.notice_problem.channel IS 'webhook.';
COMMENT ON COLUMN rpt.notice_problem.state IS 'retrying or undeliverable.';
COMMENT ON COLUMN rpt.notice_problem.attempts IS 'Number of attempts begun.';
COMMENT ON COLUMN rpt.notice_problem.last_status IS 'HTTP status of the last answer; null when there was none.';
COMMENT ON COLUMN rpt.notice_problem.last_error IS 'Why the last attempt failed.';
COMMENT ON COLUMN rpt.notice_problem.created_at IS 'When the notice was made, with the assignment.';
COMMENT ON COLUMN rpt.notice_problem.next_attempt_at IS 'When it is tried again; null when given up.';
COMMENT ON COLUMN rpt.notice_problem.ended_at IS 'When it was given up; null while it is retried.';
COMMENT ON COLUMN rpt.notice_problem.age_s IS 'Seconds since the notice was made.';
COMMENT ON COLUMN rpt.notice_problem.recipient IS 'expert, manager or customer.';
COMMENT ON COLUMN rpt.notice_problem.message IS 'offer, over, amended, break or waiting.';

CREATE VIEW rpt.table_size AS
SELECT c.relname::text AS name, greatest(s.rows, 0)::bigint AS rows_estimate, s.heap AS table_bytes, s.idx AS index_bytes,
       s.heap + s.idx AS total_bytes
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'squad',
       LATERAL (SELECT sum(pg_table_size(l.oid))::bigint AS heap, sum(pg_indexes_size(l.oid))::bigint AS idx,
                       sum(greatest(l.reltuples, 0)) AS rows
                  FROM pg_class l
                 WHERE l.oid = c.oid OR l.oid IN (SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = c.oid)) AS s
 WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition;
COMMENT ON VIEW   rpt.table_size IS 'Size of each table of squad; partitions are counted with their table.';
COMMENT ON COLUMN rpt.table_size.name IS 'Name of the table in schema squad.';
COMMENT ON COLUMN rpt.table_size.rows_estimate IS 'Number of rows as of the last ANALYZE.';
COMMENT ON COLUMN rpt.table_size.table_bytes IS 'Bytes of the rows.';
COMMENT ON COLUMN rpt.table_size.index_bytes IS 'Bytes of the indexes.';
COMMENT ON COLUMN rpt.table_size.total_bytes IS 'Both together, in bytes.';

-- When old partitions of the outbox have been dropped, only tickets that are
-- younger than its first row can be expected to have an event.
-- Each branch is one promise or one rule between tables. Constraints and triggers
-- hold most of them; this finds what a restore, a switched-off trigger, a broken
-- index or a bug has left.
CREATE VIEW rpt.audit AS
SELECT 'two experts' AS check_name, t.ref AS id,
       format('%s live assignments: %s', count(*), string_agg('expert ' || a.expert_id, ', ' ORDER BY a.expert_id)) AS what
  FROM squad.assignment a
  LEFT JOIN squad.ticket t ON t.id = a.ticket_id
  LEFT JOIN squad.dispatch d ON d.ticket_id = a.ticket_id
 WHERE a.ended_at IS NULL
 GROUP BY a.ticket_id, t.ref, d.offers
HAVING count(*) > coalesce(d.offers, 1)
    OR count(*) > 1 AND bool_or(a.state IN ('accepted', 'en_route', 'on_site'))
UNION ALL
SELECT 'accepted twice', t.ref, format('accepted by %s', string_agg('expert ' || a.expert_id, ', ' ORDER BY a.expert_id))
  FROM squad.assignment a LEFT JOIN squad.ticket t ON t.id = a.ticket_id
 WHERE a.state IN ('accepted', 'en_route', 'on_site', 'completed')
 GROUP BY a.ticket_id, t.ref HAVING count(*) > 1
UNION ALL
SELECT 'load is not the live count', e.id::text,
       format('%s: load %s, live assignments %s', e.name, coalesce(l.load::text, 'missing'), coalesce(v.n, 0))
  FROM squad.expert e
  LEFT JOIN squad.expert_load l ON l.expert_id = e.id
  LEFT JOIN (SELECT a.expert_id, count(*) AS n FROM squad.assignment a
              WHERE a.ended_at IS NULL GROUP BY a.expert_id) AS v ON v.expert_id = e.id
 WHERE l.load IS DISTINCT FROM coalesce(v.n, 0)
UNION ALL
SELECT 'above capacity', e.id::text, format('%s: load %s, capacity %s', e.name, l.load, l.capacity)
  FROM squad.expert e JOIN squad.expert_load l ON l.expert_id = e.id
 WHERE l.load > l.capacity OR l.load < 0
UNION ALL
SELECT 'wrong expert', t.ref,
       format('%s %s', e.name, (SELECT string_agg(squad.rule_words(r), ' and ') FROM unnest(b.rules) AS r))
  FROM squad.assignment a
  JOIN squad.expert e ON e.id = a.expert_id AND e.version = a.expert_version
  JOIN squad.ticket t ON t.id = a.ticket_id
  JOIN squad.ticket_type y ON y.type = t.type AND y.changed_at <= a.reserved_at,
       LATERAL (SELECT array_remove(array_remove(squad.expert_breaks(a.ticket_id, a.expert_id, a.reserved_at), 'capacity'),
                                    CASE WHEN a.reserved_at + y.duration_s * interval '1 second' <= (SELECT squad.report_now()) THEN 'shift' END))
           AS b (rules)
 WHERE a.ended_at IS NULL
   AND NOT b.rules <@ coalesce(a.override, '{}')
   AND NOT EXISTS (SELECT FROM squad.ticket_event v
                    WHERE v.ticket_id = a.ticket_id AND v.kind = 'prioritized' AND v.at >= a.reserved_at)
UNION ALL
SELECT 'assigned to nobody', t.ref, 'the ticket is assigned but has no live assignment'
  FROM squad.dispatch d JOIN squad.ticket t ON t.id = d.ticket_id
 WHERE d.state = 'assigned'
   AND NOT EXISTS (SELECT FROM squad.assignment a
                    WHERE a.ticket_id = d.ticket_id AND a.ended_at IS NULL)
UNION ALL
SELECT 'assignment of another state', t.ref, format('expert %s holds it but the ticket is %s', a.expert_id, d.state)
  FROM squad.assignment a
  JOIN squad.dispatch d ON d.ticket_id = a.ticket_id
  JOIN squad.ticket t ON t.id = a.ticket_id
 WHERE a.ended_at IS NULL AND d.state <> 'assigned'
UNION ALL
SELECT 'attempts do not match', t.ref, format('%s attempts were made, the ticket counts %s', x.attempts, d.attempts)
  FROM squad.assignment a
  JOIN squad.dispatch d ON d.ticket_id = a.ticket_id
  JOIN squad.ticket t ON t.id = a.ticket_id,
       LATERAL (SELECT max(o.attempt) AS attempts FROM squad.assignment o WHERE o.ticket_id = a.ticket_id) AS x
 WHERE a.ended_at IS NULL AND a.place = 1 AND x.attempts <> d.attempts
UNION ALL
SELECT 'no notice', t.ref, format('expert %s is %s and there is no notice', a.expert_id, a.state)
  FROM squad.assignment a JOIN squad.ticket t ON t.id = a.ticket_id
 WHERE a.ended_at IS NULL
   AND NOT EXISTS (SELECT FROM squad.notice n WHERE n.assignment_id = a.id)
UNION ALL
SELECT 'offered, not delivered', t.ref, format('expert %s is offered, the notice is %s', a.expert_id, n.state)
  FROM squad.assignment a
  JOIN squad.notice n ON n.assignment_id = a.id AND n.message = 'offer'
  JOIN squad.ticket t ON t.id = a.ticket_id
 WHERE a.state = 'offered' AND n.state <> 'delivered'
UNION ALL
SELECT 'notice of another assignment', n.id::text, 'the notice names another ticket or expert than its assignment'
  FROM squad.notice n JOIN squad.assignment a ON a.id = n.assignment_id
 WHERE n.state IN ('pending', 'sending') AND (n.ticket_id <> a.ticket_id OR n.expert_id <> a.expert_id)
UNION ALL
SELECT 'no created event', t.ref, 'the ticket has no squad.ticket.created.v1 in the outbox'
  FROM squad.ticket t
 WHERE t.created_at > (SELECT CASE WHEN EXISTS (SELECT FROM pg_class c WHERE c.relname = 'outbox_000000'
                                                 AND c.relnamespace = 'squad'::regnamespace) THEN '-infinity'
                                   ELSE coalesce((SELECT o.at + interval '1 minute' FROM squad.outbox o
                                                   ORDER BY o.seq LIMIT 1), 'infinity') END)
   AND NOT EXISTS (SELECT FROM squad.outbox o
                    WHERE o.type = 'squad.ticket.created.v1' AND o.aggregatetype = 'ticket'
                      AND o.aggregateid = t.id::text)
UNION ALL
SELECT 'no ticket', o.id::text, 'created event of a ticket that does not exist: ' || o.aggregateid
  FROM squad.outbox o
 WHERE o.type = 'squad.ticket.created.v1' AND o.aggregatetype = 'ticket'
   AND NOT EXISTS (SELECT FROM squad.ticket t WHERE t.id::text = o.aggregateid)
UNION ALL
SELECT 'parked without a reason', t.ref, 'the ticket waits and nothing says why'
  FROM squad.dispatch d JOIN squad.ticket t ON t.id = d.ticket_id
 WHERE d.state = 'parked' AND coalesce(d.parked, '{}') IN ('{}', 'null')
UNION ALL
SELECT 'offer without an end', t.ref, format('offered to expert %s, expired %s s ago', a.expert_id,
                                             floor(extract(epoch FROM (SELECT squad.report_now()) - a.expires_at)))
  FROM squad.assignment a JOIN squad.ticket t ON t.id = a.ticket_id
 WHERE a.state = 'offered' AND a.expires_at < (SELECT squad.report_now()) - interval '1 minute'
UNION ALL
SELECT 'not seen', t.ref, format('stored %s s ago, no assigner has seen it',
                                 floor(extract(epoch FROM (SELECT squad.report_now()) - t.created_at)))
  FROM squad.ticket t
 WHERE t.created_at < (SELECT squad.report_now()) - interval '1 minute'
   AND NOT EXISTS (SELECT FROM squad.dispatch d WHERE d.ticket_id = t.id)
UNION ALL
SELECT 'not notified', t.ref, format('expert %s reserved %s s ago and not notified', a.expert_id,
                                     floor(extract(epoch FROM (SELECT squad.report_now()) - a.reserved_at)))
  FROM squad.assignment a JOIN squad.ticket t ON t.id = a.ticket_id
 WHERE a.state = 'reserved' AND a.reserved_at < (SELECT squad.report_now()) - interval '10 minutes';
COMMENT ON VIEW   rpt.audit IS 'Must be empty: one row per violated rule. While programs are stopped, not seen and offer without an end (1 minute) and not notified (10 minutes) fill up by themselves.';
COMMENT ON COLUMN rpt.audit.check_name IS 'Rule that is violated.';
COMMENT ON COLUMN rpt.audit.id IS 'Reference of the ticket, number of the expert, or id of the event or notice.';
COMMENT ON COLUMN rpt.audit.what IS 'What is wrong.';

SELECT squad.register_migration(15, 'report_problem');
