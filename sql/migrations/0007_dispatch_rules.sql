-- What decides who may take a ticket, and when: policy by priority, requirements that may be
-- dropped, working time, presence, places. docs/dispatch.md says it for a manager.

CREATE TABLE squad.priority (
    priority    smallint PRIMARY KEY CHECK (priority BETWEEN 1 AND 5),
    title       text NOT NULL,
    due_s       integer NOT NULL CHECK (due_s > 0),
    relax_3_s   integer NOT NULL CHECK (relax_3_s >= 0),
    relax_2_s   integer NOT NULL,
    relax_1_s   integer NOT NULL,
    manager_s   integer CHECK (manager_s >= 0),
    customer_s  integer CHECK (customer_s >= 0),
    CONSTRAINT priority_relax_order CHECK (relax_3_s <= relax_2_s AND relax_2_s <= relax_1_s)
);
COMMENT ON TABLE  squad.priority IS 'Times of each priority. Counted in seconds from when a ticket became routable (dispatch.routable_at), whatever was declined meanwhile.';
COMMENT ON COLUMN squad.priority.priority IS '1 (first) to 5.';
COMMENT ON COLUMN squad.priority.title IS 'Name for people.';
COMMENT ON COLUMN squad.priority.due_s IS 'A ticket that has no expert after so many seconds is past due: it goes before all that are not.';
COMMENT ON COLUMN squad.priority.relax_3_s IS 'From here on requirements of importance 3 are dropped.';
COMMENT ON COLUMN squad.priority.relax_2_s IS 'From here on requirements of importance 2 are dropped as well.';
COMMENT ON COLUMN squad.priority.relax_1_s IS 'From here on requirements of importance 1 are dropped as well; importance 0 is never dropped.';
COMMENT ON COLUMN squad.priority.manager_s IS 'T1: the manager is told that a ticket waits; null: never.';
COMMENT ON COLUMN squad.priority.customer_s IS 'T2: the customer is told that a ticket waits; null: never.';
INSERT INTO squad.priority VALUES
    (1, 'emergency', 900,    300,   600,   1200,   600,   1800),
    (2, 'urgent',    3600,   1800,  3600,  7200,   3600,  7200),
    (3, 'normal',    14400,  7200,  14400, 28800,  14400, 28800),
    (4, 'low',       86400,  28800, 57600, 86400,  86400, 172800),
    (5, 'planned',   259200, 86400, 172800, 259200, 259200, 345600);
ALTER TABLE squad.ticket_type ADD CONSTRAINT ticket_type_priority_fkey FOREIGN KEY (priority) REFERENCES squad.priority;

CREATE TABLE squad.policy (
    one                      boolean PRIMARY KEY DEFAULT true CHECK (one),
    decline_exclude_s        integer NOT NULL DEFAULT 43200 CHECK (decline_exclude_s >= 0),
    timeout_exclude_s        integer NOT NULL DEFAULT 900 CHECK (timeout_exclude_s >= 0),
    undeliverable_exclude_s  integer NOT NULL DEFAULT 900 CHECK (undeliverable_exclude_s >= 0),
    timeouts_to_break        integer NOT NULL DEFAULT 2 CHECK (timeouts_to_break > 0),
    position_max_age_s       integer NOT NULL DEFAULT 3600 CHECK (position_max_age_s >= 0),
    off_work                 text NOT NULL DEFAULT 'list' CHECK (off_work IN ('list', 'requeue')),
    shift_days               integer NOT NULL DEFAULT 14 CHECK (shift_days BETWEEN 1 AND 366)
);
COMMENT ON TABLE  squad.policy IS 'The company''s rules of dispatch that do not depend on priority or type: one row.';
COMMENT ON COLUMN squad.policy.one IS 'Always true: there is one row.';
COMMENT ON COLUMN squad.policy.decline_exclude_s IS 'Seconds that an expert who declined a ticket is not asked again; for ever when the reason was wrong_skill.';
COMMENT ON COLUMN squad.policy.timeout_exclude_s IS 'Seconds that an expert who let an offer time out is not asked for this ticket again.';
COMMENT ON COLUMN squad.policy.undeliverable_exclude_s IS 'Seconds that an expert who could not be notified of a ticket is passed over for it.';
COMMENT ON COLUMN squad.policy.timeouts_to_break IS 'After so many offers in a row that timed out an expert is set on break.';
COMMENT ON COLUMN squad.policy.position_max_age_s IS 'A last known position older than this is not believed; the home counts then.';
COMMENT ON COLUMN squad.policy.off_work IS 'What becomes of accepted work of an expert who goes offline: list (rpt.orphaned shows it) or requeue (it goes to another one unless he is on his way).';
COMMENT ON COLUMN squad.policy.shift_days IS 'How many days ahead shifts are made from weekly patterns.';
INSERT INTO squad.policy DEFAULT VALUES;

ALTER TABLE squad.ticket_type
    ADD duration_s integer NOT NULL DEFAULT 3600 CHECK (duration_s BETWEEN 60 AND 86400),
    ADD offer_timeout_s integer NOT NULL DEFAULT 120 CHECK (offer_timeout_s BETWEEN 1 AND 604800),
    ADD offers_max smallint NOT NULL DEFAULT 1 CHECK (offers_max BETWEEN 1 AND 5),
    ADD sticky_s integer NOT NULL DEFAULT 7776000 CHECK (sticky_s >= 0),
    ADD objectives text[] NOT NULL DEFAULT '{sticky,load,skill_fit,distance,idle}'
        CONSTRAINT ticket_type_objectives CHECK (objectives <@ ARRAY['sticky', 'load', 'skill_fit', 'distance', 'idle']
                                                 AND cardinality(objectives) <= 5 AND array_position(objectives, NULL) IS NULL);
COMMENT ON COLUMN squad.ticket_type.duration_s IS 'How long a job takes, in seconds: it must end inside the expert''s shift.';
COMMENT ON COLUMN squad.ticket_type.offer_timeout_s IS 'Seconds that an expert has to answer an offer.';
COMMENT ON COLUMN squad.ticket_type.offers_max IS 'A ticket that has waited or is past due is offered to so many experts at once; the first who accepts has it.';
COMMENT ON COLUMN squad.ticket_type.sticky_s IS 'For so many seconds the expert who did a customer''s last job is preferred.';
COMMENT ON COLUMN squad.ticket_type.objectives IS 'What orders experts who pass all filters, the first that differs decides: sticky, load, skill_fit, distance, idle; last always the lowest number.';

ALTER TABLE squad.ticket_type_skill ADD importance smallint NOT NULL DEFAULT 0 CHECK (importance BETWEEN 0 AND 3);
COMMENT ON COLUMN squad.ticket_type_skill.importance IS '0: required for ever; 3, 2, 1: dropped in this order at the times of squad.priority.';

CREATE TABLE squad.place (
    prefix  text PRIMARY KEY CHECK (prefix ~ '^[A-Z0-9 -]{1,16}$'),
    lat     double precision NOT NULL CHECK (lat BETWEEN -90 AND 90),
    lon     double precision NOT NULL CHECK (lon BETWEEN -180 AND 180)
);
COMMENT ON TABLE  squad.place IS 'Where postcodes are, by prefix, the longest that matches; for the objective distance.';
COMMENT ON COLUMN squad.place.prefix IS 'Beginning of postcodes, in capitals.';
COMMENT ON COLUMN squad.place.lat IS 'Latitude of its middle in degrees.';
COMMENT ON COLUMN squad.place.lon IS 'Longitude of its middle in degrees.';

-- Experts: presence, working time, where they are.
ALTER TABLE squad.expert
    ADD zone text NOT NULL DEFAULT 'UTC'
        CONSTRAINT expert_zone CHECK (zone ~ '^(UTC|[A-Z][A-Za-z_]+(/[A-Za-z0-9_+-]+){1,2})$'
                                      AND timestamptz '2000-01-01 00:00Z' AT TIME ZONE zone IS NOT NULL),
    ADD schedule text NOT NULL DEFAULT 'always' CHECK (schedule IN ('always', 'shifts')),
    ADD status text NOT NULL DEFAULT 'available' CHECK (status IN ('available', 'busy', 'break', 'offline')),
    ADD status_since timestamptz NOT NULL DEFAULT clock_timestamp(),
    ADD status_reason text CHECK (length(status_reason) BETWEEN 1 AND 200),
    ADD home_lat double precision CHECK (home_lat BETWEEN -90 AND 90),
    ADD home_lon double precision CHECK (home_lon BETWEEN -180 AND 180),
    ADD CONSTRAINT expert_home CHECK ((home_lat IS NULL) = (home_lon IS NULL));
COMMENT ON COLUMN squad.expert.zone IS 'IANA time zone of the expert''s working hours, as Europe/Madrid.';
COMMENT ON COLUMN squad.expert.schedule IS 'shifts: works only inside squad.expert_shift; always: by presence alone.';
COMMENT ON COLUMN squad.expert.status IS 'Presence: available (the only one that gets offers), busy, break or offline.';
COMMENT ON COLUMN squad.expert.status_since IS 'Since when.';
COMMENT ON COLUMN squad.expert.status_reason IS 'Why, when a program set it.';
COMMENT ON COLUMN squad.expert.home_lat IS 'Latitude of where he starts from, in degrees.';
COMMENT ON COLUMN squad.expert.home_lon IS 'Longitude of where he starts from, in degrees.';

CREATE TABLE squad.shift_pattern (
    expert_id  integer NOT NULL REFERENCES squad.expert ON DELETE CASCADE,
    weekday    smallint NOT NULL CHECK (weekday BETWEEN 1 AND 7),
    starts     time NOT NULL,
    ends       time NOT NULL,
    PRIMARY KEY (expert_id, weekday, starts)
);
COMMENT ON TABLE  squad.shift_pattern IS 'Working week in local time; squad.shifts_extend makes shifts of it.';
COMMENT ON COLUMN squad.shift_pattern.expert_id IS 'The expert.';
COMMENT ON COLUMN squad.shift_pattern.weekday IS '1 Monday to 7 Sunday: the day it begins on.';
COMMENT ON COLUMN squad.shift_pattern.starts IS 'Local time of its beginning.';
COMMENT ON COLUMN squad.shift_pattern.ends IS 'Local time of its end, 24:00 for midnight; not after starts: on the next day.';

-- A range of one number keeps the constraint free of extensions.
CREATE TABLE squad.expert_shift (
    expert_id  integer NOT NULL REFERENCES squad.expert ON DELETE CASCADE,
    during     tstzrange NOT NULL CHECK (NOT isempty(during) AND NOT lower_inf(during) AND NOT upper_inf(during)
                                         AND lower_inc(during) AND NOT upper_inc(during)),
    source     text NOT NULL DEFAULT 'set' CHECK (source IN ('pattern', 'set')),
    PRIMARY KEY (expert_id, during),
    CONSTRAINT expert_shift_overlap EXCLUDE USING gist (int4range(expert_id, expert_id, '[]') WITH &&, during WITH &&)
);
COMMENT ON TABLE  squad.expert_shift IS 'Working time as absolute ranges, made from local times in the expert''s zone.';
COMMENT ON COLUMN squad.expert_shift.expert_id IS 'The expert.';
COMMENT ON COLUMN squad.expert_shift.during IS 'From (inclusive) to (exclusive).';
COMMENT ON COLUMN squad.expert_shift.source IS 'pattern: made from shift_pattern; set: given by somebody.';

CREATE TABLE squad.absence (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    expert_id  integer NOT NULL REFERENCES squad.expert ON DELETE CASCADE,
    during     tstzrange NOT NULL CHECK (NOT isempty(during) AND NOT lower_inf(during)),
    reason     text NOT NULL DEFAULT 'other' CHECK (reason IN ('holiday', 'sick', 'training', 'other'))
);
CREATE INDEX absence_expert ON squad.absence (expert_id);
COMMENT ON INDEX squad.absence_expert IS 'For the check of an assignment and the roster.';
COMMENT ON TABLE  squad.absence IS 'When an expert is away though a shift says otherwise.';
COMMENT ON COLUMN squad.absence.id IS 'Number.';
COMMENT ON COLUMN squad.absence.expert_id IS 'The expert.';
COMMENT ON COLUMN squad.absence.during IS 'From (inclusive) to; without an end: until it is removed.';
COMMENT ON COLUMN squad.absence.reason IS 'holiday, sick, training or other.';

CREATE TABLE squad.expert_location (
    expert_id  integer PRIMARY KEY REFERENCES squad.expert ON DELETE CASCADE,
    lat        double precision NOT NULL CHECK (lat BETWEEN -90 AND 90),
    lon        double precision NOT NULL CHECK (lon BETWEEN -180 AND 180),
    at         timestamptz NOT NULL,
    xid        xid8 NOT NULL DEFAULT pg_current_xact_id()
) WITH (fillfactor = 50);
COMMENT ON TABLE  squad.expert_location IS 'Last known position of experts. Personal data; only the last one is kept.';
COMMENT ON COLUMN squad.expert_location.expert_id IS 'The expert.';
COMMENT ON COLUMN squad.expert_location.lat IS 'Latitude in degrees.';
COMMENT ON COLUMN squad.expert_location.lon IS 'Longitude in degrees.';
COMMENT ON COLUMN squad.expert_location.at IS 'When the expert was there.';
COMMENT ON COLUMN squad.expert_location.xid IS 'Transaction of the last change; assigners find changes by the difference of two snapshots.';
CREATE TRIGGER expert_location_stamp BEFORE UPDATE ON squad.expert_location
    FOR EACH ROW EXECUTE FUNCTION squad.expert_load_stamp();
COMMENT ON TRIGGER expert_location_stamp ON squad.expert_location IS 'Keeps xid.';

CREATE TABLE squad.exclusion (
    ticket_id   uuid NOT NULL REFERENCES squad.ticket,
    expert_id   integer NOT NULL REFERENCES squad.expert ON DELETE CASCADE,
    until       timestamptz,
    reason      text NOT NULL CHECK (reason IN ('declined', 'wrong_skill', 'timed_out', 'undeliverable', 'reassigned')),
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (ticket_id, expert_id)
);
COMMENT ON TABLE  squad.exclusion IS 'Who is not asked for a ticket again, and how long.';
COMMENT ON COLUMN squad.exclusion.ticket_id IS 'The ticket.';
COMMENT ON COLUMN squad.exclusion.expert_id IS 'The expert.';
COMMENT ON COLUMN squad.exclusion.until IS 'Until when; null: for ever.';
COMMENT ON COLUMN squad.exclusion.reason IS 'declined, wrong_skill, timed_out, undeliverable or reassigned.';
COMMENT ON COLUMN squad.exclusion.created_at IS 'When it was made.';

CREATE TABLE squad.sticky_expert (
    client_id     integer NOT NULL,
    customer_ref  text NOT NULL,
    expert_id     integer NOT NULL REFERENCES squad.expert ON DELETE CASCADE,
    since         timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (client_id, customer_ref)
);
COMMENT ON TABLE  squad.sticky_expert IS 'Who did a customer''s last job; for the objective sticky, as long as ticket_type.sticky_s.';
COMMENT ON COLUMN squad.sticky_expert.client_id IS 'Client whose customer it is.';
COMMENT ON COLUMN squad.sticky_expert.customer_ref IS 'The client''s number of the customer.';
COMMENT ON COLUMN squad.sticky_expert.expert_id IS 'The expert.';
COMMENT ON COLUMN squad.sticky_expert.since IS 'When that job was completed.';

CREATE TABLE squad.expert_event (
    seq        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    expert_id  integer NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('status', 'skills', 'areas', 'shifts', 'absence', 'capacity', 'active')),
    actor      text NOT NULL,
    detail     jsonb NOT NULL DEFAULT '{}',
    at         timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX expert_event_expert ON squad.expert_event (expert_id);
COMMENT ON INDEX squad.expert_event_expert IS 'For the history of an expert.';
CREATE TRIGGER expert_event_insert_only BEFORE UPDATE OR DELETE ON squad.expert_event
    FOR EACH ROW EXECUTE FUNCTION squad.refuse_change();
COMMENT ON TRIGGER expert_event_insert_only ON squad.expert_event IS 'History stays as it was written.';
COMMENT ON TABLE  squad.expert_event IS 'History of experts: presence and what was changed about them, by whom.';
COMMENT ON COLUMN squad.expert_event.seq IS 'Order of writing.';
COMMENT ON COLUMN squad.expert_event.expert_id IS 'The expert.';
COMMENT ON COLUMN squad.expert_event.kind IS 'What changed: status, skills, areas, shifts, absence, capacity or active.';
COMMENT ON COLUMN squad.expert_event.actor IS 'Program and instance, or the client that asked for it.';
COMMENT ON COLUMN squad.expert_event.detail IS 'Facts: old and new values, reasons.';
COMMENT ON COLUMN squad.expert_event.at IS 'When.';

CREATE TABLE squad.skill_review (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    expert_id      integer NOT NULL REFERENCES squad.expert ON DELETE CASCADE,
    ticket_id      uuid NOT NULL REFERENCES squad.ticket,
    type           text NOT NULL,
    opened_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at      timestamptz,
    closed_by      text,
    CONSTRAINT skill_review_once UNIQUE (expert_id, ticket_id),
    CONSTRAINT skill_review_closed CHECK ((closed_at IS NULL) = (closed_by IS NULL))
);
COMMENT ON TABLE  squad.skill_review IS 'An expert said wrong_skill: a person looks at the skills of the expert or of the type.';
COMMENT ON COLUMN squad.skill_review.id IS 'Number.';
COMMENT ON COLUMN squad.skill_review.expert_id IS 'The expert.';
COMMENT ON COLUMN squad.skill_review.ticket_id IS 'The ticket that was declined.';
COMMENT ON COLUMN squad.skill_review.type IS 'Its type.';
COMMENT ON COLUMN squad.skill_review.opened_at IS 'When the expert declined.';
COMMENT ON COLUMN squad.skill_review.closed_at IS 'When a person had looked at it; null: open.';
COMMENT ON COLUMN squad.skill_review.closed_by IS 'Who.';

-- Shifts far ahead change nobody's present: only those of the next day are a new version.
CREATE FUNCTION squad.expert_shift_touch() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
BEGIN
    UPDATE expert SET version = version
     WHERE id IN (SELECT f.expert_id FROM fresh f
                   WHERE f.during && tstzrange(clock_timestamp(), clock_timestamp() + interval '1 day'));
    RETURN NULL;
END $$;
COMMENT ON FUNCTION squad.expert_shift_touch() IS 'Trigger: a changed shift of the next day is a new version of the expert.';
CREATE TRIGGER expert_shift_insert AFTER INSERT ON squad.expert_shift REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION squad.expert_shift_touch();
CREATE TRIGGER expert_shift_delete AFTER DELETE ON squad.expert_shift REFERENCING OLD TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION squad.expert_shift_touch();
CREATE TRIGGER expert_shift_update BEFORE UPDATE ON squad.expert_shift FOR EACH ROW EXECUTE FUNCTION squad.refuse_change();
CREATE TRIGGER absence_insert AFTER INSERT ON squad.absence REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION squad.expert_touch();
CREATE TRIGGER absence_update AFTER UPDATE ON squad.absence REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION squad.expert_touch();
CREATE TRIGGER absence_delete AFTER DELETE ON squad.absence REFERENCING OLD TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION squad.expert_touch();
COMMENT ON TRIGGER expert_shift_insert ON squad.expert_shift IS 'New version of the expert.';
COMMENT ON TRIGGER expert_shift_delete ON squad.expert_shift IS 'New version of the expert.';
COMMENT ON TRIGGER expert_shift_update ON squad.expert_shift IS 'A shift is replaced, not changed.';
COMMENT ON TRIGGER absence_insert ON squad.absence IS 'New version of the expert.';
COMMENT ON TRIGGER absence_update ON squad.absence IS 'New version of the expert.';
COMMENT ON TRIGGER absence_delete ON squad.absence IS 'New version of the expert.';

CREATE FUNCTION squad.local_shift(p_day date, p_starts time, p_ends time, p_zone text) RETURNS tstzrange
LANGUAGE sql STABLE SET search_path = squad, pg_temp
RETURN (SELECT CASE WHEN a < b THEN tstzrange(a, b) ELSE 'empty' END
          FROM (SELECT (p_day + p_starts) AT TIME ZONE p_zone AS a,
                       (p_day + p_ends + CASE WHEN p_ends <= p_starts THEN interval '1 day' ELSE interval '0' END)
                           AT TIME ZONE p_zone AS b) AS x);
COMMENT ON FUNCTION squad.local_shift(date, time, time, text) IS
    'A local working time as an absolute range: on the days when clocks change it is an hour shorter or longer. Empty when the hour does not exist.';

CREATE FUNCTION squad.shifts_extend(p_expert integer DEFAULT NULL) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
DECLARE
    made integer;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('squad.shifts_extend'));
    INSERT INTO expert_shift (expert_id, during, source)
    SELECT e.id, x.during, 'pattern'
      FROM expert e
      JOIN shift_pattern s ON s.expert_id = e.id,
           policy y,
           LATERAL generate_series(-1, y.shift_days) AS ahead (n),
           LATERAL (SELECT (clock_timestamp() AT TIME ZONE e.zone)::date + ahead.n AS day) AS z,
           LATERAL (SELECT local_shift(z.day, s.starts, s.ends, e.zone) AS during) AS x
     WHERE (p_expert IS NULL OR e.id = p_expert) AND extract(isodow FROM z.day) = s.weekday
       AND NOT isempty(x.during) AND upper(x.during) > clock_timestamp()
       AND NOT EXISTS (SELECT FROM expert_shift o WHERE o.expert_id = e.id AND o.during && x.during)
     ORDER BY e.id, x.during
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS made = ROW_COUNT;
    RETURN made;
END $$;
COMMENT ON FUNCTION squad.shifts_extend(integer) IS
    'Makes shifts from weekly patterns, policy.shift_days ahead, of one expert or of all; what somebody has set is left alone. Returns how many it made. An assigner calls it every hour.';

GRANT SELECT ON squad.priority, squad.policy, squad.place, squad.expert_shift, squad.absence, squad.expert_location,
                squad.exclusion, squad.sticky_expert TO squad_assigner;
GRANT SELECT (customer_ref) ON squad.ticket TO squad_assigner;
GRANT SELECT ON squad.policy TO squad_intake;
REVOKE EXECUTE ON FUNCTION squad.expert_shift_touch(), squad.local_shift(date, time, time, text),
                           squad.shifts_extend(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION squad.shifts_extend(integer) TO squad_assigner;

SELECT squad.register_migration(7, 'dispatch_rules');
