-- What reports may rely on: views only, readable by squad_report, which sees
-- nothing else. The views run with their owner's rights, so a column that is not
-- here can not be reached: no customer's name, phone, e-mail or words.

CREATE SCHEMA rpt;
COMMENT ON SCHEMA rpt IS 'Views for reports, a contract: views and columns are only added, never renamed, retyped or removed. Ages and durations end in their unit (_s seconds, _ms milliseconds); times are timestamptz, shown in the session''s time zone. No personal data of customers.';

-- Views can not be tested against the wall clock: this setting stops it.
CREATE FUNCTION squad.report_now() RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(nullif(current_setting('squad.report_now', true), '')::timestamptz, now());
COMMENT ON FUNCTION squad.report_now() IS 'The moment that reports count ages to: now, or the setting squad.report_now.';

-- For notice_problem; a partial index that other notices do not touch.
CREATE INDEX notice_undeliverable ON squad.notice (ended_at) WHERE state = 'undeliverable';
COMMENT ON INDEX squad.notice_undeliverable IS 'For rpt.notice_problem.';

CREATE VIEW rpt.clock AS
SELECT squad.report_now() AS at;
COMMENT ON VIEW   rpt.clock IS 'One row: the moment that all ages of these views are counted to.';
COMMENT ON COLUMN rpt.clock.at IS 'Now, unless the setting squad.report_now says otherwise.';

CREATE VIEW rpt.backlog AS
SELECT s.state,
       count(w.age) AS tickets,
       count(*) FILTER (WHERE w.age < interval '1 minute') AS under_1_min,
       count(*) FILTER (WHERE w.age >= interval '1 minute' AND w.age < interval '5 minutes') AS under_5_min,
       count(*) FILTER (WHERE w.age >= interval '5 minutes' AND w.age < interval '1 hour') AS under_1_h,
       count(*) FILTER (WHERE w.age >= interval '1 hour' AND w.age < interval '1 day') AS under_1_day,
       count(*) FILTER (WHERE w.age >= interval '1 day') AS older,
       floor(extract(epoch FROM max(w.age)))::bigint AS oldest_s
  FROM squad.state s
  LEFT JOIN (SELECT 'received' AS state, (SELECT squad.report_now()) - t.created_at AS age
               FROM squad.ticket t
              WHERE NOT EXISTS (SELECT FROM squad.dispatch d WHERE d.ticket_id = t.id)
             UNION ALL
             SELECT d.state, (SELECT squad.report_now()) - d.created_at
               FROM squad.dispatch d WHERE d.state <> 'completed') AS w ON w.state = s.state
 WHERE s.entity = 'ticket' AND s.live
 GROUP BY s.state
 ORDER BY array_position(ARRAY['received', 'review', 'parked', 'assigned'], s.state);
COMMENT ON VIEW   rpt.backlog IS 'Tickets that are not completed, by state and by age since they were stored; one row per state, also when it has none.';
COMMENT ON COLUMN rpt.backlog.state IS 'State of the tickets: received (no assigner has seen it), review (a person must look), parked (nobody can take it now), assigned.';
COMMENT ON COLUMN rpt.backlog.tickets IS 'Number of tickets.';
COMMENT ON COLUMN rpt.backlog.under_1_min IS 'Number of tickets younger than 1 minute.';
COMMENT ON COLUMN rpt.backlog.under_5_min IS 'Number of tickets from 1 to below 5 minutes old.';
COMMENT ON COLUMN rpt.backlog.under_1_h IS 'Number of tickets from 5 minutes to below 1 hour old.';
COMMENT ON COLUMN rpt.backlog.under_1_day IS 'Number of tickets from 1 hour to below 1 day (24 hours) old.';
COMMENT ON COLUMN rpt.backlog.older IS 'Number of tickets 1 day old or older.';
COMMENT ON COLUMN rpt.backlog.oldest_s IS 'Age of the oldest one in seconds; null when there is none.';

CREATE VIEW rpt.parked AS
SELECT t.ref, d.type, d.area, d.priority::integer AS priority, d.created_at, d.since AS parked_at,
       floor(extract(epoch FROM (SELECT squad.report_now()) - d.created_at))::bigint AS age_s,
       floor(extract(epoch FROM (SELECT squad.report_now()) - d.since))::bigint AS parked_s,
       d.attempts, d.flags, r.experts, r.inactive, r.outside_area, r.unskilled, r.excluded, r.at_capacity,
       CASE WHEN d.parked ? 'undeliverable' THEN 'The last expert could not be notified; the next one is sought.'
            WHEN r.experts IS NULL THEN d.parked::text
            WHEN r.experts = 0 THEN 'There are no experts.'
            ELSE format('%s %s: %s.', r.experts, CASE r.experts WHEN 1 THEN 'expert' ELSE 'experts' END,
                        coalesce(nullif(concat_ws(', ',
                            nullif(r.inactive, 0) || ' inactive', nullif(r.outside_area, 0) || ' outside the area',
                            nullif(r.unskilled, 0) || ' without the skill',
                            nullif(r.excluded, 0) || ' tried before',
                            nullif(r.at_capacity, 0) || ' at capacity'), ''), 'none left')) END AS why
  FROM squad.dispatch d
  JOIN squad.ticket t ON t.id = d.ticket_id,
       LATERAL (SELECT (d.parked ->> 'experts')::integer AS experts, (d.parked ->> 'inactive')::integer AS inactive,
                       (d.parked ->> 'area')::integer AS outside_area, (d.parked ->> 'skill')::integer AS unskilled,
                       (d.parked ->> 'excluded')::integer AS excluded,
                       (d.parked ->> 'capacity')::integer AS at_capacity) AS r
 WHERE d.state = 'parked';
COMMENT ON VIEW   rpt.parked IS 'Tickets that wait because nobody can take them, with the reason. Each is tried again when an expert is freed or changes.';
COMMENT ON COLUMN rpt.parked.ref IS 'Reference for people.';
COMMENT ON COLUMN rpt.parked.type IS 'Type of ticket.';
COMMENT ON COLUMN rpt.parked.area IS 'Postcode.';
COMMENT ON COLUMN rpt.parked.priority IS 'Priority, 1 (first) to 5.';
COMMENT ON COLUMN rpt.parked.created_at IS 'When the ticket was stored.';
COMMENT ON COLUMN rpt.parked.parked_at IS 'Since when it waits.';
COMMENT ON COLUMN rpt.parked.age_s IS 'Seconds since it was stored.';
COMMENT ON COLUMN rpt.parked.parked_s IS 'Seconds that it waits.';
COMMENT ON COLUMN rpt.parked.attempts IS 'Number of experts tried so far.';
COMMENT ON COLUMN rpt.parked.flags IS 'What a person should look at: unknown_type, unknown_contract.';
COMMENT ON COLUMN rpt.parked.experts IS 'Number of experts considered. Each expert is counted once, under the first filter that removed it.';
COMMENT ON COLUMN rpt.parked.inactive IS 'Number of experts removed because they are not active.';
COMMENT ON COLUMN rpt.parked.outside_area IS 'Number of experts removed because they do not serve the postcode.';
COMMENT ON COLUMN rpt.parked.unskilled IS 'Number of experts removed because they lack a required skill or its level.';
COMMENT ON COLUMN rpt.parked.excluded IS 'Number of experts removed because they were tried for this ticket before.';
COMMENT ON COLUMN rpt.parked.at_capacity IS 'Number of experts removed because they have as many tickets as they can hold.';
COMMENT ON COLUMN rpt.parked.why IS 'The reason in one sentence.';

CREATE VIEW rpt.review AS
SELECT t.ref, d.type, d.area, d.flags, t.source, d.created_at, d.since AS review_at,
       floor(extract(epoch FROM (SELECT squad.report_now()) - d.created_at))::bigint AS age_s
  FROM squad.dispatch d JOIN squad.ticket t ON t.id = d.ticket_id
 WHERE d.state = 'review';
COMMENT ON VIEW   rpt.review IS 'Tickets that a person must look at: their type is unknown. Adding the type to squad.ticket_type sends them on.';
COMMENT ON COLUMN rpt.review.ref IS 'Reference for people.';
COMMENT ON COLUMN rpt.review.type IS 'Type as it was posted.';
COMMENT ON COLUMN rpt.review.area IS 'Postcode.';
COMMENT ON COLUMN rpt.review.flags IS 'What is unknown: unknown_type, unknown_contract.';
COMMENT ON COLUMN rpt.review.source IS 'Where it came from: web, phone, …';
COMMENT ON COLUMN rpt.review.created_at IS 'When the ticket was stored.';
COMMENT ON COLUMN rpt.review.review_at IS 'Since when it is in review.';
COMMENT ON COLUMN rpt.review.age_s IS 'Seconds since it was stored.';

CREATE VIEW rpt.expert AS
SELECT e.id AS expert_id, e.name, e.active, l.load, l.capacity,
       CASE WHEN l.capacity > 0 THEN round(100.0 * l.load / l.capacity)::integer END AS load_percent,
       coalesce(a.reserved, 0) AS reserved, coalesce(a.offered, 0) AS offered,
       CASE WHEN l.load = 0 THEN floor(extract(epoch FROM (SELECT squad.report_now()) - l.idle_since))::bigint END AS idle_s,
       coalesce(a.refs, '{}') AS live_tickets,
       (SELECT string_agg(s.skill || ' ' || s.level, ', ' ORDER BY s.skill)
          FROM squad.expert_skill s WHERE s.expert_id = e.id) AS skills,
       (SELECT string_agg(x.prefix, ', ' ORDER BY x.prefix)
          FROM squad.expert_area x WHERE x.expert_id = e.id) AS areas
  FROM squad.expert e
  LEFT JOIN squad.expert_load l ON l.expert_id = e.id
  LEFT JOIN (SELECT a.expert_id, count(*) FILTER (WHERE a.state = 'reserved') AS reserved,
                    count(*) FILTER (WHERE a.state = 'offered') AS offered,
                    array_agg(t.ref ORDER BY a.reserved_at, t.ref) AS refs
               FROM squad.assignment a JOIN squad.ticket t ON t.id = a.ticket_id
              WHERE a.state IN ('reserved', 'offered') GROUP BY a.expert_id) AS a ON a.expert_id = e.id;
COMMENT ON VIEW   rpt.expert IS 'Experts and what they hold, one row each.';
COMMENT ON COLUMN rpt.expert.expert_id IS 'Number of the expert.';
COMMENT ON COLUMN rpt.expert.name IS 'Name of the expert.';
COMMENT ON COLUMN rpt.expert.active IS 'False: gets no tickets.';
COMMENT ON COLUMN rpt.expert.load IS 'Number of slots in use: live tickets.';
COMMENT ON COLUMN rpt.expert.capacity IS 'Number of slots: most live tickets at once.';
COMMENT ON COLUMN rpt.expert.load_percent IS 'Slots in use in per cent of capacity; null when the capacity is 0.';
COMMENT ON COLUMN rpt.expert.reserved IS 'Number of live tickets that the expert has not been notified of yet.';
COMMENT ON COLUMN rpt.expert.offered IS 'Number of live tickets that the expert has been notified of.';
COMMENT ON COLUMN rpt.expert.idle_s IS 'Seconds since the expert completed the last job (or was added); null while there is a live ticket.';
COMMENT ON COLUMN rpt.expert.live_tickets IS 'References of the live tickets, oldest first.';
COMMENT ON COLUMN rpt.expert.skills IS 'Skills with levels, 1 to 5.';
COMMENT ON COLUMN rpt.expert.areas IS 'Beginnings of the postcodes served.';

-- Hours come first and find their rows by assignment_reserved_at, so that a
-- condition on the hour reads those hours only.
CREATE VIEW rpt.time_by_hour AS
SELECT h.hour, x.assigned, x.assign_p50_ms, x.assign_p95_ms, x.assign_worst_ms,
       x.notified, x.notice_p50_ms, x.notice_p95_ms, x.notice_worst_ms, x.undeliverable
  FROM generate_series((SELECT date_trunc('hour', min(a.reserved_at)) FROM squad.assignment a),
                       (SELECT max(a.reserved_at) FROM squad.assignment a), interval '1 hour') AS h (hour),
       LATERAL (
           SELECT count(*) FILTER (WHERE m.attempt = 1) AS assigned,
                  percentile_disc(0.50) WITHIN GROUP (ORDER BY m.assign_ms) AS assign_p50_ms,
                  percentile_disc(0.95) WITHIN GROUP (ORDER BY m.assign_ms) AS assign_p95_ms,
                  max(m.assign_ms) AS assign_worst_ms,
                  count(m.notice_ms) AS notified,
                  percentile_disc(0.50) WITHIN GROUP (ORDER BY m.notice_ms) AS notice_p50_ms,
                  percentile_disc(0.95) WITHIN GROUP (ORDER BY m.notice_ms) AS notice_p95_ms,
                  max(m.notice_ms) AS notice_worst_ms,
                  count(*) FILTER (WHERE m.state = 'undeliverable') AS undeliverable,
                  count(*) AS made
             FROM (SELECT a.attempt, a.state,
                          CASE WHEN a.attempt = 1 THEN
                              round(extract(epoch FROM a.reserved_at - d.created_at) * 1000)::bigint END AS assign_ms,
                          round(extract(epoch FROM a.offered_at - d.created_at) * 1000)::bigint AS notice_ms
                     FROM squad.assignment a JOIN squad.dispatch d ON d.ticket_id = a.ticket_id
                    WHERE a.reserved_at >= h.hour AND a.reserved_at < h.hour + interval '1 hour') AS m
       ) AS x
 WHERE x.made > 0;
COMMENT ON VIEW   rpt.time_by_hour IS 'How long tickets took, by the hour in which an expert was reserved. Hours without a reservation are left out. Waiting for an expert counts.';
COMMENT ON COLUMN rpt.time_by_hour.hour IS 'Beginning of the hour.';
COMMENT ON COLUMN rpt.time_by_hour.assigned IS 'Number of tickets that got their first expert in this hour.';
COMMENT ON COLUMN rpt.time_by_hour.assign_p50_ms IS 'Milliseconds from stored to the first expert reserved, of tickets that got it in this hour: half took no longer.';
COMMENT ON COLUMN rpt.time_by_hour.assign_p95_ms IS 'Milliseconds from stored to the first expert reserved, of tickets that got it in this hour: 95 of 100 took no longer.';
COMMENT ON COLUMN rpt.time_by_hour.assign_worst_ms IS 'Milliseconds from stored to the first expert reserved, of tickets that got it in this hour: the longest.';
COMMENT ON COLUMN rpt.time_by_hour.notified IS 'Number of reservations of this hour (first or later expert) whose expert was notified.';
COMMENT ON COLUMN rpt.time_by_hour.notice_p50_ms IS 'Milliseconds from stored to the expert notified, of reservations of this hour: half took no longer.';
COMMENT ON COLUMN rpt.time_by_hour.notice_p95_ms IS 'Milliseconds from stored to the expert notified, of reservations of this hour: 95 of 100 took no longer.';
COMMENT ON COLUMN rpt.time_by_hour.notice_worst_ms IS 'Milliseconds from stored to the expert notified, of reservations of this hour: the longest.';
COMMENT ON COLUMN rpt.time_by_hour.undeliverable IS 'Number of reservations of this hour whose expert could not be notified.';

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

CREATE VIEW rpt.notice_problem AS
SELECT n.id AS notice_id, t.ref, n.expert_id, e.name AS expert, n.channel,
       CASE n.state WHEN 'undeliverable' THEN 'undeliverable' ELSE 'retrying' END AS state,
       n.attempts, n.last_status, n.last_error, n.created_at,
       CASE WHEN n.state <> 'undeliverable' THEN n.next_attempt_at END AS next_attempt_at, n.ended_at,
       floor(extract(epoch FROM (SELECT squad.report_now()) - n.created_at))::bigint AS age_s
  FROM squad.notice n
  JOIN squad.ticket t ON t.id = n.ticket_id
  LEFT JOIN squad.expert e ON e.id = n.expert_id
 WHERE n.state = 'undeliverable'
    OR (n.state IN ('pending', 'sending') AND (n.last_error IS NOT NULL OR n.last_status IS NOT NULL));
COMMENT ON VIEW   rpt.notice_problem IS 'Notices that failed: those tried again (retrying) and those given up (undeliverable; their tickets went on to the next expert).';
COMMENT ON COLUMN rpt.notice_problem.notice_id IS 'Id of the notice; webhook-id at the receiver.';
COMMENT ON COLUMN rpt.notice_problem.ref IS 'Reference of the ticket.';
COMMENT ON COLUMN rpt.notice_problem.expert_id IS 'Number of the expert.';
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

-- dispatch.attempts is the number of the last assignment: a plain join on a
-- unique index, which the planner leaves out when nobody asks for its columns.
CREATE VIEW rpt.ticket AS
SELECT t.ref, t.id AS ticket_id, t.type, t.area, t.source, coalesce(d.state, 'received') AS state,
       coalesce(d.flags, '{}') AS flags, d.priority::integer AS priority, t.created_at,
       coalesce(d.since, t.created_at) AS since, a.reserved_at AS assigned_at, a.offered_at,
       CASE WHEN a.state = 'completed' THEN a.ended_at END AS completed_at,
       coalesce(d.attempts, 0) AS attempts, a.state AS assignment_state, a.expert_id, e.name AS expert
  FROM squad.ticket t
  LEFT JOIN squad.dispatch d ON d.ticket_id = t.id
  LEFT JOIN squad.assignment a ON a.ticket_id = d.ticket_id AND a.attempt = d.attempts
  LEFT JOIN squad.expert e ON e.id = a.expert_id;
COMMENT ON VIEW   rpt.ticket IS 'Where each ticket stands, one row each. Expert and times are those of the last expert tried.';
COMMENT ON COLUMN rpt.ticket.ref IS 'Reference for people.';
COMMENT ON COLUMN rpt.ticket.ticket_id IS 'Id, a UUID version 7.';
COMMENT ON COLUMN rpt.ticket.type IS 'Type as it was posted.';
COMMENT ON COLUMN rpt.ticket.area IS 'Postcode.';
COMMENT ON COLUMN rpt.ticket.source IS 'Where it came from: web, phone, …';
COMMENT ON COLUMN rpt.ticket.state IS 'received, review, parked, assigned or completed.';
COMMENT ON COLUMN rpt.ticket.flags IS 'What a person should look at: unknown_type, unknown_contract.';
COMMENT ON COLUMN rpt.ticket.priority IS 'Priority, 1 (first) to 5; null while no assigner has seen it.';
COMMENT ON COLUMN rpt.ticket.created_at IS 'When it was stored.';
COMMENT ON COLUMN rpt.ticket.since IS 'When it came into its state.';
COMMENT ON COLUMN rpt.ticket.assigned_at IS 'When the last expert was reserved.';
COMMENT ON COLUMN rpt.ticket.offered_at IS 'When the last expert had been notified.';
COMMENT ON COLUMN rpt.ticket.completed_at IS 'When it was completed.';
COMMENT ON COLUMN rpt.ticket.attempts IS 'Number of experts tried so far.';
COMMENT ON COLUMN rpt.ticket.assignment_state IS 'State of the last expert''s assignment: reserved, offered, completed or undeliverable.';
COMMENT ON COLUMN rpt.ticket.expert_id IS 'Number of the last expert tried.';
COMMENT ON COLUMN rpt.ticket.expert IS 'Name of the last expert tried.';

CREATE VIEW rpt.timeline AS
SELECT s.ref, row_number() OVER w AS step, s.at,
       round(extract(epoch FROM s.at - lag(s.at) OVER w) * 1000)::bigint AS after_ms,
       round(extract(epoch FROM s.at - first_value(s.at) OVER w) * 1000)::bigint AS total_ms,
       s.what, s.actor, s.expert, s.detail
  FROM (SELECT t.ref, 0::bigint AS seq, t.created_at AS at, 'received'::text AS what, c.name AS actor,
               NULL::text AS expert, jsonb_build_object('type', t.type, 'area', t.area, 'source', t.source) AS detail
          FROM squad.ticket t LEFT JOIN squad.client c ON c.id = t.client_id
        UNION ALL
        SELECT t.ref, e.seq, e.at, e.kind, e.actor, x.name, e.detail
          FROM squad.ticket t
          JOIN squad.ticket_event e ON e.ticket_id = t.id
          LEFT JOIN squad.expert x ON x.id::text = e.detail ->> 'expert_id') AS s
WINDOW w AS (PARTITION BY s.ref ORDER BY s.seq);
COMMENT ON VIEW   rpt.timeline IS 'What happened to a ticket, one row per step. Ask for one ref.';
COMMENT ON COLUMN rpt.timeline.ref IS 'Reference of the ticket.';
COMMENT ON COLUMN rpt.timeline.step IS 'Number of the step, from 1.';
COMMENT ON COLUMN rpt.timeline.at IS 'When.';
COMMENT ON COLUMN rpt.timeline.after_ms IS 'Milliseconds after the step before.';
COMMENT ON COLUMN rpt.timeline.total_ms IS 'Milliseconds after it was stored.';
COMMENT ON COLUMN rpt.timeline.what IS 'received, review, parked, reserved, attempt_failed, offered, undeliverable or completed.';
COMMENT ON COLUMN rpt.timeline.actor IS 'Program and instance, or the client that asked for it.';
COMMENT ON COLUMN rpt.timeline.expert IS 'Name of the expert concerned, if any.';
COMMENT ON COLUMN rpt.timeline.detail IS 'Facts: ids, counts, reasons.';

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
  FROM squad.assignment a LEFT JOIN squad.ticket t ON t.id = a.ticket_id
 WHERE a.state IN ('reserved', 'offered')
 GROUP BY a.ticket_id, t.ref HAVING count(*) > 1
UNION ALL
SELECT 'load is not the live count', e.id::text,
       format('%s: load %s, live assignments %s', e.name, coalesce(l.load::text, 'missing'), coalesce(v.n, 0))
  FROM squad.expert e
  LEFT JOIN squad.expert_load l ON l.expert_id = e.id
  LEFT JOIN (SELECT a.expert_id, count(*) AS n FROM squad.assignment a
              WHERE a.state IN ('reserved', 'offered') GROUP BY a.expert_id) AS v ON v.expert_id = e.id
 WHERE l.load IS DISTINCT FROM coalesce(v.n, 0)
UNION ALL
SELECT 'above capacity', e.id::text, format('%s: load %s, capacity %s', e.name, l.load, l.capacity)
  FROM squad.expert e JOIN squad.expert_load l ON l.expert_id = e.id
 WHERE l.load > l.capacity OR l.load < 0
UNION ALL
SELECT 'wrong expert', t.ref,
       format('%s %s', e.name, CASE WHEN NOT e.active THEN 'is not active'
                                    WHEN NOT q.served THEN 'does not serve ' || t.area
                                    ELSE 'lacks a skill of ' || t.type END)
  FROM squad.assignment a
  JOIN squad.expert e ON e.id = a.expert_id AND e.version = a.expert_version
  JOIN squad.ticket t ON t.id = a.ticket_id,
       LATERAL (SELECT EXISTS (SELECT FROM squad.expert_area x
                                WHERE x.expert_id = e.id AND starts_with(t.area, x.prefix)) AS served,
                       EXISTS (SELECT FROM squad.ticket_type_skill r
                                 LEFT JOIN squad.expert_skill s ON s.expert_id = e.id AND s.skill = r.skill
                                WHERE r.type = t.type AND coalesce(s.level, 0) < r.min_level) AS lacking) AS q
 WHERE a.state IN ('reserved', 'offered') AND (NOT e.active OR NOT q.served OR q.lacking)
UNION ALL
SELECT 'assigned to nobody', t.ref, 'the ticket is assigned but has no live assignment'
  FROM squad.dispatch d JOIN squad.ticket t ON t.id = d.ticket_id
 WHERE d.state = 'assigned'
   AND NOT EXISTS (SELECT FROM squad.assignment a
                    WHERE a.ticket_id = d.ticket_id AND a.state IN ('reserved', 'offered'))
UNION ALL
SELECT 'assignment of another state', t.ref, format('expert %s holds it but the ticket is %s', a.expert_id, d.state)
  FROM squad.assignment a
  JOIN squad.dispatch d ON d.ticket_id = a.ticket_id
  JOIN squad.ticket t ON t.id = a.ticket_id
 WHERE a.state IN ('reserved', 'offered') AND d.state <> 'assigned'
UNION ALL
SELECT 'attempts do not match', t.ref, format('live assignment is attempt %s, the ticket counts %s', a.attempt, d.attempts)
  FROM squad.assignment a
  JOIN squad.dispatch d ON d.ticket_id = a.ticket_id
  JOIN squad.ticket t ON t.id = a.ticket_id
 WHERE a.state IN ('reserved', 'offered') AND d.attempts <> a.attempt
UNION ALL
SELECT 'no notice', t.ref, format('expert %s is %s and there is no notice', a.expert_id, a.state)
  FROM squad.assignment a JOIN squad.ticket t ON t.id = a.ticket_id
 WHERE a.state IN ('reserved', 'offered')
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
COMMENT ON VIEW   rpt.audit IS 'Must be empty: one row per violated rule. While programs are stopped, not seen (1 minute) and not notified (10 minutes) fill up by themselves.';
COMMENT ON COLUMN rpt.audit.check_name IS 'Rule that is violated.';
COMMENT ON COLUMN rpt.audit.id IS 'Reference of the ticket, number of the expert, or id of the event or notice.';
COMMENT ON COLUMN rpt.audit.what IS 'What is wrong.';

GRANT USAGE ON SCHEMA rpt TO squad_report;
GRANT SELECT ON ALL TABLES IN SCHEMA rpt TO squad_report;

SELECT squad.register_migration(5, 'report');
