-- Views for the life of an offer and the rules of dispatch; those of 0005 that looked at states look
-- at all of them now. Columns are only added.

CREATE OR REPLACE VIEW rpt.parked AS
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
COMMENT ON COLUMN rpt.parked.excluded IS 'Number of experts removed because they declined this ticket, did not answer or could not be notified of it.';
COMMENT ON COLUMN rpt.parked.assign_due IS 'Until when it should have an expert.';
COMMENT ON COLUMN rpt.parked.overdue IS 'True: past that, it goes before all that are not.';
COMMENT ON COLUMN rpt.parked.off_shift IS 'Number of experts removed because they are not on shift until the job would end.';
COMMENT ON COLUMN rpt.parked.absent IS 'Number of experts removed because they are absent.';
COMMENT ON COLUMN rpt.parked.not_available IS 'Number of experts removed because their presence is not available.';
COMMENT ON COLUMN rpt.parked.retry_at IS 'When the clock alone changes who may take it; null: it does not.';
COMMENT ON COLUMN rpt.parked.manager_told_at IS 'When the manager was told that it waits.';
COMMENT ON COLUMN rpt.parked.customer_told_at IS 'When the customer was told that it waits.';

CREATE OR REPLACE VIEW rpt.expert AS
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
COMMENT ON COLUMN rpt.expert.offered IS 'Number of live tickets that the expert has been notified of and not answered.';
COMMENT ON COLUMN rpt.expert.accepted IS 'Number of live tickets accepted and not begun.';
COMMENT ON COLUMN rpt.expert.en_route IS 'Number of live tickets that the expert is on the way to.';
COMMENT ON COLUMN rpt.expert.on_site IS 'Number of live tickets that the expert is working on.';
COMMENT ON COLUMN rpt.expert.status IS 'Presence: available, busy, break or offline.';
COMMENT ON COLUMN rpt.expert.status_since IS 'Since when.';
COMMENT ON COLUMN rpt.expert.status_reason IS 'Why, when a program set it.';
COMMENT ON COLUMN rpt.expert.schedule IS 'shifts: works inside shifts only; always: by presence alone.';
COMMENT ON COLUMN rpt.expert.on_shift IS 'True: on shift now.';
COMMENT ON COLUMN rpt.expert.absent IS 'True: an absence covers now.';

CREATE OR REPLACE VIEW rpt.ticket AS
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
COMMENT ON COLUMN rpt.ticket.state IS 'received, review, parked, assigned, completed or canceled.';
COMMENT ON COLUMN rpt.ticket.assignment_state IS 'State of that expert''s assignment: reserved, offered, accepted, en_route, on_site, completed, declined, timed_out, rescinded, undeliverable or canceled.';
COMMENT ON COLUMN rpt.ticket.assign_due IS 'Until when it should have an expert; null while no assigner has seen it.';
COMMENT ON COLUMN rpt.ticket.offer_expires_at IS 'When the offer times out (timed out).';
COMMENT ON COLUMN rpt.ticket.accepted_at IS 'When the expert accepted.';
COMMENT ON COLUMN rpt.ticket.en_route_at IS 'When the expert set out.';
COMMENT ON COLUMN rpt.ticket.on_site_at IS 'When the expert arrived.';
COMMENT ON COLUMN rpt.timeline.what IS 'received, review, parked, reserved, attempt_failed, offered, accepted, declined, timed_out, rescinded, reassigned, undeliverable, en_route, on_site, completed, canceled, manager_told or customer_told.';

CREATE OR REPLACE VIEW rpt.backlog AS
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
 ORDER BY array_position(ARRAY['received', 'review', 'parked', 'assigned'], s.state);
COMMENT ON VIEW   rpt.backlog IS 'Tickets that are neither completed nor canceled, by state and by age since they were stored; one row per state, also when it has none.';

CREATE OR REPLACE VIEW rpt.audit AS
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
       format('%s %s', e.name, squad.rule_words((squad.expert_breaks(a.ticket_id, a.expert_id, a.reserved_at))[1]))
  FROM squad.assignment a
  JOIN squad.expert e ON e.id = a.expert_id AND e.version = a.expert_version
  JOIN squad.ticket t ON t.id = a.ticket_id
 WHERE a.ended_at IS NULL
   AND NOT array_remove(squad.expert_breaks(a.ticket_id, a.expert_id, a.reserved_at), 'capacity') <@ coalesce(a.override, '{}')
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
 WHERE a.state IN ('accepted', 'en_route', 'on_site')
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

GRANT SELECT ON rpt.offer, rpt.orphaned, rpt.skill_review TO squad_report;
-- Views check the rights to functions of whoever asks.
GRANT EXECUTE ON FUNCTION squad.expert_breaks(uuid, integer, timestamptz), squad.rule_words(text) TO squad_report;

SELECT squad.register_migration(11, 'dispatch_report');
