-- What each role may do, and nothing else. Functions take no rights of PUBLIC, trigger functions neither: they have
-- their owner's rights, and whoever may execute one could hang it on a table of its own. A later migration that adds a
-- function takes its rights away from PUBLIC likewise.

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA squad FROM PUBLIC;
GRANT EXECUTE ON FUNCTION squad.schema_version(), squad.report_now() TO PUBLIC;
GRANT USAGE ON SCHEMA squad TO squad_intake, squad_relay, squad_assigner, squad_notifier;

-- Intake stores tickets; whatever else people do goes through functions.
GRANT SELECT, INSERT ON squad.ticket, squad.outbox TO squad_intake;
GRANT SELECT ON squad.client, squad.link_secret, squad.ticket_type, squad.contract, squad.policy, squad.dispatch, squad.assignment,
    squad.notice, squad.ticket_event TO squad_intake;
GRANT SELECT (id, name, active) ON squad.expert TO squad_intake;
GRANT EXECUTE ON FUNCTION
    squad.ticket_version(uuid), squad.ticket_why(uuid, timestamptz),
    squad.ticket_amend(integer, uuid, text, jsonb, text, text), squad.ticket_cancel(uuid, text, text, text),
    squad.ticket_prioritize(uuid, integer, timestamptz, text, text, text),
    squad.ticket_quarantine(uuid, text, integer, bytea, bytea, jsonb, text, text),
    squad.ticket_reassign(uuid, integer, text, boolean, text, text),
    squad.expert_breaks(uuid, integer, timestamptz), squad.rule_words(text),
    squad.offer_accept(uuid, integer, text, text), squad.offer_decline(uuid, integer, text, text, text),
    squad.offers_version(integer), squad.job_move(uuid, integer, text, text, text),
    squad.assignment_complete(uuid, text, text),
    squad.expert_status_set(integer, text, text, text),
    squad.expert_location_set(integer[], float8[], float8[], timestamptz[]),
    squad.expert_skills_set(integer, text[], integer[], text), squad.expert_areas_set(integer, text[], text),
    squad.expert_capacity_set(integer, integer, text),
    squad.expert_shifts_set(integer, date, date, timestamp[], timestamp[], text),
    squad.expert_pattern_set(integer, text, integer[], time[], time[], text),
    squad.absence_add(integer, timestamptz, timestamptz, text, text), squad.absence_remove(bigint, text) TO squad_intake;

-- The relay reads the outbox and writes where it is.
GRANT SELECT ON squad.outbox TO squad_relay;
GRANT SELECT, INSERT, UPDATE ON squad.relay_progress, squad.relay_dead TO squad_relay;
GRANT EXECUTE ON FUNCTION squad.outbox_extend(integer), squad.outbox_first(pg_snapshot) TO squad_relay;

-- Assigners read what decides, of a ticket no personal data, and write who has it.
GRANT SELECT (id, ref, client_id, source, type, area, contract, created_at, customer_ref) ON squad.ticket TO squad_assigner;
GRANT SELECT ON squad.ticket_type, squad.ticket_type_skill, squad.skill, squad.contract, squad.priority, squad.policy, squad.place,
    squad.expert, squad.expert_skill, squad.expert_area, squad.expert_shift, squad.absence, squad.expert_location, squad.exclusion,
    squad.sticky_expert, squad.roster TO squad_assigner;
GRANT SELECT, UPDATE (load, idle_since) ON squad.expert_load TO squad_assigner;
GRANT SELECT, INSERT ON squad.inbox, squad.notice TO squad_assigner;
GRANT SELECT, INSERT, UPDATE ON squad.dispatch TO squad_assigner;
GRANT SELECT, INSERT (ticket_id, expert_id, attempt, place, expert_version, why) ON squad.assignment TO squad_assigner;
GRANT INSERT ON squad.ticket_event, squad.outbox TO squad_assigner;
GRANT EXECUTE ON FUNCTION
    squad.epoch_us(timestamptz), squad.tell_at(squad.priority, timestamptz, timestamptz, timestamptz),
    squad.unseen_tickets_hold(uuid[]), squad.unseen_tickets_hold_free(uuid[]),
    squad.experts_hold(integer[]), squad.experts_hold_free(integer[]), squad.shifts_extend(integer, integer),
    squad.offers_expire(integer, text), squad.offers_rescind(integer[], text), squad.waiting_tell(integer, text),
    squad.waiting_for(integer[], integer[]), squad.waiting_best(integer[], integer[], integer) TO squad_assigner;

-- The notifier reads what a message says, and where it goes.
GRANT SELECT ON squad.ticket, squad.dispatch, squad.assignment, squad.expert_contact, squad.retry_policy TO squad_notifier;
GRANT SELECT (id, name, active, status, status_reason) ON squad.expert TO squad_notifier;
GRANT SELECT, UPDATE ON squad.notice TO squad_notifier;
GRANT INSERT ON squad.ticket_event, squad.outbox TO squad_notifier;
GRANT EXECUTE ON FUNCTION squad.notice_finish(uuid[], integer[], boolean[], integer[], text[], text, boolean) TO squad_notifier;

-- Reports see views; a view checks the rights to functions of whoever asks.
GRANT USAGE ON SCHEMA rpt TO squad_report;
GRANT SELECT ON ALL TABLES IN SCHEMA rpt TO squad_report;
GRANT EXECUTE ON FUNCTION squad.ticket_why(uuid, timestamptz), squad.expert_breaks(uuid, integer, timestamptz),
    squad.rule_words(text) TO squad_report;

SELECT squad.register_migration(16, 'rights');
