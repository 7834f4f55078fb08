-- What reports may rely on: views only, readable by squad_report, which sees nothing else. The views run with their
-- owner's rights, so a column that is not here can not be reached: no customer's name, phone, e-mail or words.

CREATE SCHEMA rpt;
COMMENT ON SCHEMA rpt IS 'Views for reports, a contract: views and columns are only added, never renamed, retyped or removed. Ages and durations end in their unit (_s seconds, _ms milliseconds); times are timestamptz, shown in the session''s time zone. No personal data of customers.';

-- Views can not be tested against the wall clock: this setting stops it.
CREATE FUNCTION squad.report_now() RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(nullif(current_setting('squad.report_now', true), '')::timestamptz, now());
COMMENT ON FUNCTION squad.report_now() IS 'The moment that reports count ages to: now, or the setting squad.report_now.';

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
               FROM squad.dispatch d WHERE d.state NOT IN ('completed', 'canceled')) AS w ON w.state = s.state
 WHERE s.entity = 'ticket' AND s.live
 GROUP BY s.state
 ORDER BY array_position(ARRAY['received', 'quarantined', 'review', 'parked', 'assigned'], s.state);
COMMENT ON VIEW   rpt.backlog IS 'Tickets that are neither completed nor canceled, by state and by age since they were stored; one row per state, also when it has none.';
COMMENT ON COLUMN rpt.backlog.state IS 'State of the tickets: received (no assigner has seen it), quarantined (a machine seems to have posted it; a person must look), review (a person must look), parked (nobody can take it now), assigned.';
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
            WHEN d.parked ? 'declined' THEN 'The last expert declined; the next one is sought.'
            WHEN d.parked ? 'timed_out' THEN 'The last expert did not answer; the next one is sought.'
            WHEN d.parked ? 'rescinded' THEN 'The last offer was taken back; the next expert is sought.'
            WHEN d.parked ? 'contended' THEN 'Another ticket was faster; it is tried again at once.'
            WHEN r.experts IS NULL THEN d.parked::text
            WHEN r.experts = 0 THEN 'There are no experts.'
            ELSE format('%s %s: %s.', r.experts, CASE r.experts WHEN 1 THEN 'expert' ELSE 'experts' END,
                        coalesce(nullif(concat_ws(', ',
                            nullif(r.inactive, 0) || ' inactive', nullif(r.outside_area, 0) || ' outside the area',
                            nullif(r.unskilled, 0) || ' without the skill',
                            nullif(r.off_shift, 0) || ' off shift', nullif(r.absent, 0) || ' absent',
                            nullif(r.not_available, 0) || ' not available',
                            nullif(r.excluded, 0) || ' tried before',
                            nullif(r.at_capacity, 0) || ' at capacity'), ''), 'none left')) END AS why,
       d.assign_due, d.assign_due <= (SELECT squad.report_now()) AS overdue, r.off_shift, r.absent, r.not_available, d.retry_at,
       d.manager_told_at, d.customer_told_at
  FROM squad.dispatch d
  JOIN squad.ticket t ON t.id = d.ticket_id,
       LATERAL (SELECT (d.parked ->> 'experts')::integer AS experts, (d.parked ->> 'inactive')::integer AS inactive,
                       (d.parked ->> 'area')::integer AS outside_area, (d.parked ->> 'skill')::integer AS unskilled,
                       (d.parked ->> 'shift')::integer AS off_shift, (d.parked ->> 'absent')::integer AS absent,
                       (d.parked ->> 'presence')::integer AS not_available,
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
COMMENT ON COLUMN rpt.parked.excluded IS 'Number of experts removed because they declined this ticket, did not answer or could not be notified of it.';
COMMENT ON COLUMN rpt.parked.at_capacity IS 'Number of experts removed because they have as many tickets as they can hold.';
COMMENT ON COLUMN rpt.parked.why IS 'The reason in one sentence.';
COMMENT ON COLUMN rpt.parked.assign_due IS 'Until when it should have an expert.';
COMMENT ON COLUMN rpt.parked.overdue IS 'True: past that, it goes before all that are not.';
COMMENT ON COLUMN rpt.parked.off_shift IS 'Number of experts removed because they are not on shift until the job would end.';
COMMENT ON COLUMN rpt.parked.absent IS 'Number of experts removed because they are absent.';
COMMENT ON COLUMN rpt.parked.not_available IS 'Number of experts removed because their presence is not available.';
COMMENT ON COLUMN rpt.parked.retry_at IS 'When the clock alone changes who may take it; null: it does not.';
COMMENT ON COLUMN rpt.parked.manager_told_at IS 'When the manager was told that it waits.';
COMMENT ON COLUMN rpt.parked.customer_told_at IS 'When the customer was told that it waits.';

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
          FROM squad.expert_area x WHERE x.expert_id = e.id) AS areas,
       coalesce(a.accepted, 0) AS accepted, coalesce(a.en_route, 0) AS en_route, coalesce(a.on_site, 0) AS on_site,
       e.status, e.status_since, e.status_reason, e.schedule,
       CASE e.schedule WHEN 'always' THEN true
            ELSE EXISTS (SELECT FROM squad.expert_shift s
                          WHERE s.expert_id = e.id AND s.during @> (SELECT squad.report_now())) END AS on_shift,
       EXISTS (SELECT FROM squad.absence x
                WHERE x.expert_id = e.id AND x.during @> (SELECT squad.report_now())) AS absent
  FROM squad.expert e
  LEFT JOIN squad.expert_load l ON l.expert_id = e.id
  LEFT JOIN (SELECT a.expert_id, count(*) FILTER (WHERE a.state = 'reserved') AS reserved,
                    count(*) FILTER (WHERE a.state = 'offered') AS offered,
                    count(*) FILTER (WHERE a.state = 'accepted') AS accepted,
                    count(*) FILTER (WHERE a.state = 'en_route') AS en_route,
                    count(*) FILTER (WHERE a.state = 'on_site') AS on_site,
                    array_agg(t.ref ORDER BY a.reserved_at, t.ref) AS refs
               FROM squad.assignment a JOIN squad.ticket t ON t.id = a.ticket_id
              WHERE a.ended_at IS NULL GROUP BY a.expert_id) AS a ON a.expert_id = e.id;
COMMENT ON VIEW   rpt.expert IS 'Experts and what they hold, one row each.';
COMMENT ON COLUMN rpt.expert.expert_id IS 'Number of the expert.';
COMMENT ON COLUMN rpt.expert.name IS 'Name of the expert.';
COMMENT ON COLUMN rpt.expert.active IS 'False: gets no tickets.';
COMMENT ON COLUMN rpt.expert.load IS 'Number of slots in use: live tickets.';
COMMENT ON COLUMN rpt.expert.capacity IS 'Number of slots: most live tickets at once.';
COMMENT ON COLUMN rpt.expert.load_percent IS 'Slots in use in per cent of capacity; null when the capacity is 0.';
COMMENT ON COLUMN rpt.expert.reserved IS 'Number of live tickets that the expert has not been notified of yet.';
COMMENT ON COLUMN rpt.expert.offered IS 'Number of live tickets that the expert has been notified of and not answered.';
COMMENT ON COLUMN rpt.expert.idle_s IS 'Seconds since the expert completed the last job (or was added); null while there is a live ticket.';
COMMENT ON COLUMN rpt.expert.live_tickets IS 'References of the live tickets, oldest first.';
COMMENT ON COLUMN rpt.expert.skills IS 'Skills with levels, 1 to 5.';
COMMENT ON COLUMN rpt.expert.areas IS 'Beginnings of the postcodes served.';
COMMENT ON COLUMN rpt.expert.accepted IS 'Number of live tickets accepted and not begun.';
COMMENT ON COLUMN rpt.expert.en_route IS 'Number of live tickets that the expert is on the way to.';
COMMENT ON COLUMN rpt.expert.on_site IS 'Number of live tickets that the expert is working on.';
COMMENT ON COLUMN rpt.expert.status IS 'Presence: available, busy, break or offline.';
COMMENT ON COLUMN rpt.expert.status_since IS 'Since when.';
COMMENT ON COLUMN rpt.expert.status_reason IS 'Why, when a program set it.';
COMMENT ON COLUMN rpt.expert.schedule IS 'shifts: works inside shifts only; always: by presence alone.';
COMMENT ON COLUMN rpt.expert.on_shift IS 'True: on shift now.';
COMMENT ON COLUMN rpt.expert.absent IS 'True: an absence covers now.';

CREATE VIEW rpt.offer AS
SELECT t.ref, a.expert_id, e.name AS expert, a.state, a.attempt, a.place::integer AS place, d.offers::integer AS offers,
       a.reserved_at, a.offered_at, a.expires_at, a.accepted_at, a.en_route_at, a.on_site_at,
       CASE a.state WHEN 'offered' THEN ceil(extract(epoch FROM a.expires_at - (SELECT squad.report_now())))::bigint END AS expires_in_s,
       a.override
  FROM squad.assignment a
  JOIN squad.ticket t ON t.id = a.ticket_id
  JOIN squad.dispatch d ON d.ticket_id = a.ticket_id
  JOIN squad.expert e ON e.id = a.expert_id
 WHERE a.ended_at IS NULL;
COMMENT ON VIEW   rpt.offer IS 'Who has what now: offers under way and accepted work, one row per expert and ticket.';
COMMENT ON COLUMN rpt.offer.ref IS 'Reference of the ticket.';
COMMENT ON COLUMN rpt.offer.expert_id IS 'Number of the expert.';
COMMENT ON COLUMN rpt.offer.expert IS 'Name of the expert.';
COMMENT ON COLUMN rpt.offer.state IS 'reserved (not notified yet), offered (not answered yet), accepted, en_route or on_site.';
COMMENT ON COLUMN rpt.offer.attempt IS 'First, second, … expert tried for the ticket.';
COMMENT ON COLUMN rpt.offer.place IS 'Which of the offers made at once.';
COMMENT ON COLUMN rpt.offer.offers IS 'To how many experts at once it was offered.';
COMMENT ON COLUMN rpt.offer.reserved_at IS 'When the slot was taken.';
COMMENT ON COLUMN rpt.offer.offered_at IS 'When the expert had been notified.';
COMMENT ON COLUMN rpt.offer.expires_at IS 'When the offer times out.';
COMMENT ON COLUMN rpt.offer.accepted_at IS 'When the expert accepted.';
COMMENT ON COLUMN rpt.offer.en_route_at IS 'When the expert set out.';
COMMENT ON COLUMN rpt.offer.on_site_at IS 'When the expert arrived.';
COMMENT ON COLUMN rpt.offer.expires_in_s IS 'Seconds until the offer times out; null when it is not an open offer.';
COMMENT ON COLUMN rpt.offer.override IS 'Rules that a manager broke knowingly by this assignment; null: none.';

CREATE VIEW rpt.orphaned AS
SELECT t.ref, a.expert_id, e.name AS expert, a.state, a.accepted_at,
       CASE WHEN NOT e.active THEN 'inactive' WHEN e.status = 'offline' THEN 'offline' ELSE 'absent' END AS why
  FROM squad.assignment a
  JOIN squad.ticket t ON t.id = a.ticket_id
  JOIN squad.expert e ON e.id = a.expert_id
 WHERE a.state IN ('accepted', 'en_route', 'on_site') AND a.ended_at IS NULL -- the second for the index of live ones
   AND (NOT e.active OR e.status = 'offline'
        OR EXISTS (SELECT FROM squad.absence x WHERE x.expert_id = e.id AND x.during @> (SELECT squad.report_now())));
COMMENT ON VIEW   rpt.orphaned IS 'Accepted work of experts who are off: a manager decides whether it is reassigned.';
COMMENT ON COLUMN rpt.orphaned.ref IS 'Reference of the ticket.';
COMMENT ON COLUMN rpt.orphaned.expert_id IS 'Number of the expert.';
COMMENT ON COLUMN rpt.orphaned.expert IS 'Name of the expert.';
COMMENT ON COLUMN rpt.orphaned.state IS 'accepted, en_route or on_site.';
COMMENT ON COLUMN rpt.orphaned.accepted_at IS 'When the expert accepted.';
COMMENT ON COLUMN rpt.orphaned.why IS 'inactive, offline or absent.';

CREATE VIEW rpt.skill_review AS
SELECT r.id, r.expert_id, e.name AS expert, t.ref, r.type, r.opened_at,
       (SELECT string_agg(s.skill || ' ' || s.level, ', ' ORDER BY s.skill) FROM squad.expert_skill s WHERE s.expert_id = r.expert_id) AS skills,
       (SELECT string_agg(s.skill || ' ' || s.min_level, ', ' ORDER BY s.skill) FROM squad.ticket_type_skill s WHERE s.type = r.type) AS needs
  FROM squad.skill_review r
  JOIN squad.expert e ON e.id = r.expert_id
  JOIN squad.ticket t ON t.id = r.ticket_id
 WHERE r.closed_at IS NULL;
COMMENT ON VIEW   rpt.skill_review IS 'Experts who said that a ticket needs another skill: a person looks at their skills or at the type.';
COMMENT ON COLUMN rpt.skill_review.id IS 'Number of the review.';
COMMENT ON COLUMN rpt.skill_review.expert_id IS 'Number of the expert.';
COMMENT ON COLUMN rpt.skill_review.expert IS 'Name of the expert.';
COMMENT ON COLUMN rpt.skill_review.ref IS 'Reference of the ticket.';
COMMENT ON COLUMN rpt.skill_review.type IS 'Type of the ticket.';
COMMENT ON COLUMN rpt.skill_review.opened_at IS 'When the expert declined.';
COMMENT ON COLUMN rpt.skill_review.skills IS 'Skills of the expert with levels.';
COMMENT ON COLUMN rpt.skill_review.needs IS 'Skills that the type needs, with least levels.';

-- dispatch.attempts is the number of the last assignment: a plain join on a
-- unique index, which the planner leaves out when nobody asks for its columns.
CREATE VIEW rpt.ticket AS
SELECT t.ref, t.id AS ticket_id, t.type, t.area, t.source, coalesce(d.state, 'received') AS state,
       coalesce(d.flags, '{}') AS flags, d.priority::integer AS priority, t.created_at,
       coalesce(d.since, t.created_at) AS since, a.reserved_at AS assigned_at, a.offered_at,
       CASE WHEN a.state = 'completed' THEN a.ended_at END AS completed_at,
       coalesce(d.attempts, 0) AS attempts, a.state AS assignment_state, a.expert_id, e.name AS expert,
       d.assign_due, a.expires_at AS offer_expires_at, a.accepted_at, a.en_route_at, a.on_site_at
  FROM squad.ticket t
  LEFT JOIN squad.dispatch d ON d.ticket_id = t.id
  LEFT JOIN squad.assignment a ON a.ticket_id = d.ticket_id AND a.attempt = coalesce(d.holder, d.attempts)
  LEFT JOIN squad.expert e ON e.id = a.expert_id;
COMMENT ON VIEW   rpt.ticket IS 'Where each ticket stands, one row each. Expert and times are those of the one who has it, or of the last expert tried.';
COMMENT ON COLUMN rpt.ticket.ref IS 'Reference for people.';
COMMENT ON COLUMN rpt.ticket.ticket_id IS 'Id, a UUID version 7.';
COMMENT ON COLUMN rpt.ticket.type IS 'Type as it was posted.';
COMMENT ON COLUMN rpt.ticket.area IS 'Postcode.';
COMMENT ON COLUMN rpt.ticket.source IS 'Where it came from: web, phone, …';
COMMENT ON COLUMN rpt.ticket.state IS 'received, quarantined, review, parked, assigned, completed or canceled.';
COMMENT ON COLUMN rpt.ticket.flags IS 'What a person should look at: unknown_type, unknown_contract.';
COMMENT ON COLUMN rpt.ticket.priority IS 'Priority, 1 (first) to 5; null while no assigner has seen it.';
COMMENT ON COLUMN rpt.ticket.created_at IS 'When it was stored.';
COMMENT ON COLUMN rpt.ticket.since IS 'When it came into its state.';
COMMENT ON COLUMN rpt.ticket.assigned_at IS 'When the last expert was reserved.';
COMMENT ON COLUMN rpt.ticket.offered_at IS 'When the last expert had been notified.';
COMMENT ON COLUMN rpt.ticket.completed_at IS 'When it was completed.';
COMMENT ON COLUMN rpt.ticket.attempts IS 'Number of experts tried so far.';
COMMENT ON COLUMN rpt.ticket.assignment_state IS 'State of that expert''s assignment: reserved, offered, accepted, en_route, on_site, completed, declined, timed_out, rescinded, undeliverable or canceled.';
COMMENT ON COLUMN rpt.ticket.expert_id IS 'Number of the last expert tried.';
COMMENT ON COLUMN rpt.ticket.expert IS 'Name of the last expert tried.';
COMMENT ON COLUMN rpt.ticket.assign_due IS 'Until when it should have an expert; null while no assigner has seen it.';
COMMENT ON COLUMN rpt.ticket.offer_expires_at IS 'When the offer times out (timed out).';
COMMENT ON COLUMN rpt.ticket.accepted_at IS 'When the expert accepted.';
COMMENT ON COLUMN rpt.ticket.en_route_at IS 'When the expert set out.';
COMMENT ON COLUMN rpt.ticket.on_site_at IS 'When the expert arrived.';

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
          LEFT JOIN squad.expert x ON x.id = (e.detail ->> 'expert_id')::integer) AS s
WINDOW w AS (PARTITION BY s.ref ORDER BY s.seq);
COMMENT ON VIEW   rpt.timeline IS 'What happened to a ticket, one row per step. Ask for one ref.';
COMMENT ON COLUMN rpt.timeline.ref IS 'Reference of the ticket.';
COMMENT ON COLUMN rpt.timeline.step IS 'Number of the step, from 1.';
COMMENT ON COLUMN rpt.timeline.at IS 'When.';
COMMENT ON COLUMN rpt.timeline.after_ms IS 'Milliseconds after the step before.';
COMMENT ON COLUMN rpt.timeline.total_ms IS 'Milliseconds after it was stored.';
COMMENT ON COLUMN rpt.timeline.what IS 'received, quarantined, released, review, parked, reserved, attempt_failed, offered, accepted, declined, timed_out, rescinded, reassigned, undeliverable, en_route, on_site, completed, canceled, amended, prioritized, manager_told or customer_told.';
COMMENT ON COLUMN rpt.timeline.actor IS 'Program and instance, or the client that asked for it.';
COMMENT ON COLUMN rpt.timeline.expert IS 'Name of the expert concerned, if any.';
COMMENT ON COLUMN rpt.timeline.detail IS 'Facts: ids, counts, reasons.';

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

SELECT squad.register_migration(14, 'report');
