-- What the company sets up: who may post, priorities and policy, types of tickets and what they need, places.
-- docs/dispatch.md says it for a manager.

CREATE TABLE squad.client (
    id             integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name           text NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
    key_hash       bytea NOT NULL UNIQUE CHECK (octet_length(key_hash) = 32),
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    revoked_at     timestamptz,
    scopes         text[] NOT NULL DEFAULT '{tickets:write,tickets:read,calls:write,jobs:write}'
                   CONSTRAINT client_scopes CHECK (scopes <@ '{tickets:write,tickets:read,calls:write,jobs:write,experts:read,experts:write,form}'),
    origins        text[] NOT NULL DEFAULT '{}'
                   CONSTRAINT client_origins CHECK (array_to_string(origins, ' ', 'null') ~ '^(https?://[a-z0-9.:\[\]-]+( (?=h)|$))*$'),
    rate_per_s     integer CONSTRAINT client_rate_per_s CHECK (rate_per_s > 0),
    burst          integer CONSTRAINT client_burst CHECK (burst > 0),
    old_key_hash   bytea CONSTRAINT client_old_key UNIQUE CHECK (octet_length(old_key_hash) = 32),
    old_key_until  timestamptz,
    CONSTRAINT client_old_key_both CHECK ((old_key_hash IS NULL) = (old_key_until IS NULL))
);
COMMENT ON TABLE  squad.client IS 'Systems that may call intake: the web form''s back end, the softphone, the experts'' app.';
COMMENT ON COLUMN squad.client.id IS 'Number of the client.';
COMMENT ON COLUMN squad.client.name IS 'Name for people and logs.';
COMMENT ON COLUMN squad.client.key_hash IS 'SHA-256 of the API key; the key itself is not stored.';
COMMENT ON COLUMN squad.client.created_at IS 'When it was added.';
COMMENT ON COLUMN squad.client.revoked_at IS 'From when its key is refused; null while it is valid.';
COMMENT ON COLUMN squad.client.scopes IS 'What it may do: tickets:write, tickets:read, calls:write, jobs:write, experts:read, experts:write; form: people may use /new/NAME.';
COMMENT ON COLUMN squad.client.origins IS 'Origins, as https://www.example.com, whose pages may call in its name (CORS).';
COMMENT ON COLUMN squad.client.rate_per_s IS 'Requests a second that it may make in the long run; null: intake''s --client-rate.';
COMMENT ON COLUMN squad.client.burst IS 'Requests that it may make at once; null: intake''s --client-burst.';
COMMENT ON COLUMN squad.client.old_key_hash IS 'SHA-256 of the key before the last rotation.';
COMMENT ON COLUMN squad.client.old_key_until IS 'Until when the key before is let in.';

CREATE TABLE squad.link_secret (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    value       bytea NOT NULL DEFAULT sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
                CHECK (octet_length(value) = 32),
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE  squad.link_secret IS 'Secrets that tracking links and form tokens are made with; the last one makes new ones, the three before still open theirs. INSERT INTO squad.link_secret DEFAULT VALUES begins a new one.';
COMMENT ON COLUMN squad.link_secret.id IS 'Number; the highest is in use.';
COMMENT ON COLUMN squad.link_secret.value IS '32 random bytes.';
COMMENT ON COLUMN squad.link_secret.created_at IS 'When it was made.';

INSERT INTO squad.link_secret DEFAULT VALUES;

CREATE TABLE squad.contract (
    contract    text PRIMARY KEY CHECK (length(contract) BETWEEN 1 AND 64),
    title       text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE  squad.contract IS 'Known service contracts. A ticket naming another one is dispatched all the same and flagged.';
COMMENT ON COLUMN squad.contract.contract IS 'Value of the field contract of a request.';
COMMENT ON COLUMN squad.contract.title IS 'Name for people.';
COMMENT ON COLUMN squad.contract.created_at IS 'When it was added.';

CREATE TABLE squad.skill (
    skill  text PRIMARY KEY CHECK (skill ~ '^[a-z0-9][a-z0-9_-]{0,63}$'),
    title  text NOT NULL
);
COMMENT ON TABLE  squad.skill IS 'Skills that experts have and tickets need.';
COMMENT ON COLUMN squad.skill.skill IS 'Short name.';
COMMENT ON COLUMN squad.skill.title IS 'Name for people.';

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

CREATE TABLE squad.ticket_type (
    type             text PRIMARY KEY CHECK (type ~ '^[a-z0-9][a-z0-9_-]{0,63}$'),
    title            text NOT NULL,
    priority         smallint NOT NULL DEFAULT 3 CHECK (priority BETWEEN 1 AND 5) REFERENCES squad.priority,
    duration_s       integer NOT NULL DEFAULT 3600 CHECK (duration_s BETWEEN 60 AND 86400),
    offer_timeout_s  integer NOT NULL DEFAULT 120 CHECK (offer_timeout_s BETWEEN 1 AND 604800),
    offers_max       smallint NOT NULL DEFAULT 1 CHECK (offers_max BETWEEN 1 AND 5),
    sticky_s         integer NOT NULL DEFAULT 7776000 CHECK (sticky_s >= 0),
    objectives       text[] NOT NULL DEFAULT '{sticky,load,skill_fit,distance,idle}'
                     CONSTRAINT ticket_type_objectives CHECK (objectives <@ ARRAY['sticky', 'load', 'skill_fit', 'distance', 'idle']
                                                              AND cardinality(objectives) <= 5 AND array_position(objectives, NULL) IS NULL),
    changed_at       timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE  squad.ticket_type IS 'Known types of ticket. A ticket of another type is stored and goes to review.';
COMMENT ON COLUMN squad.ticket_type.type IS 'Value of the field type of a request.';
COMMENT ON COLUMN squad.ticket_type.title IS 'Name for people.';
COMMENT ON COLUMN squad.ticket_type.priority IS 'Priority of its tickets, 1 (first) to 5.';
COMMENT ON COLUMN squad.ticket_type.duration_s IS 'How long a job takes, in seconds: it must end inside the expert''s shift.';
COMMENT ON COLUMN squad.ticket_type.offer_timeout_s IS 'Seconds that an expert has to answer an offer.';
COMMENT ON COLUMN squad.ticket_type.offers_max IS 'A ticket that has waited or is past due is offered to so many experts at once; the first who accepts has it.';
COMMENT ON COLUMN squad.ticket_type.sticky_s IS 'For so many seconds the expert who did a customer''s last job is preferred.';
COMMENT ON COLUMN squad.ticket_type.changed_at IS 'Since when what it asks of an expert is as it is: his skills, how long he must be there, when requirements are dropped. Set by triggers.';
COMMENT ON COLUMN squad.ticket_type.objectives IS 'What orders experts who pass all filters, the first that differs decides: sticky, load, skill_fit, distance, idle; last always the lowest number.';

CREATE TABLE squad.ticket_type_skill (
    type        text NOT NULL REFERENCES squad.ticket_type,
    skill       text NOT NULL REFERENCES squad.skill,
    min_level   smallint NOT NULL CHECK (min_level BETWEEN 1 AND 5),
    importance  smallint NOT NULL DEFAULT 0 CHECK (importance BETWEEN 0 AND 3),
    PRIMARY KEY (type, skill)
);
COMMENT ON TABLE  squad.ticket_type_skill IS 'Skills that an expert must have for a type of ticket.';
COMMENT ON COLUMN squad.ticket_type_skill.type IS 'Type of ticket.';
COMMENT ON COLUMN squad.ticket_type_skill.skill IS 'Skill it needs.';
COMMENT ON COLUMN squad.ticket_type_skill.min_level IS 'Least level, 1 to 5.';
COMMENT ON COLUMN squad.ticket_type_skill.importance IS '0: required for ever; 3, 2, 1: dropped in this order at the times of squad.priority.';

-- squad verify and rpt.audit judge a choice by the rules of its time, or not at all. Set at the commit: until then
-- choices go by the old rules.
CREATE FUNCTION squad.ticket_type_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
BEGIN
    IF TG_TABLE_NAME = 'priority' THEN
        UPDATE ticket_type SET changed_at = clock_timestamp(); -- a ticket of any type may have this priority
    ELSE
        UPDATE ticket_type y SET changed_at = clock_timestamp() WHERE y.type IN (OLD.type, NEW.type);
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION squad.ticket_type_changed() IS 'Trigger: keeps ticket_type.changed_at.';

CREATE CONSTRAINT TRIGGER ticket_type_changed AFTER UPDATE OF type, priority, duration_s ON squad.ticket_type
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION squad.ticket_type_changed();
CREATE CONSTRAINT TRIGGER ticket_type_skill_changed AFTER INSERT OR UPDATE OR DELETE ON squad.ticket_type_skill
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION squad.ticket_type_changed();
CREATE CONSTRAINT TRIGGER priority_changed AFTER UPDATE OF relax_3_s, relax_2_s, relax_1_s ON squad.priority
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION squad.ticket_type_changed();
COMMENT ON TRIGGER ticket_type_changed ON squad.ticket_type IS 'Keeps changed_at.';
COMMENT ON TRIGGER ticket_type_skill_changed ON squad.ticket_type_skill IS 'Keeps ticket_type.changed_at.';
COMMENT ON TRIGGER priority_changed ON squad.priority IS 'Keeps ticket_type.changed_at.';

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

CREATE TABLE squad.place (
    prefix  text PRIMARY KEY CHECK (prefix ~ '^[A-Z0-9 -]{1,16}$'),
    lat     double precision NOT NULL CHECK (lat BETWEEN -90 AND 90),
    lon     double precision NOT NULL CHECK (lon BETWEEN -180 AND 180)
);
COMMENT ON TABLE  squad.place IS 'Where postcodes are, by prefix, the longest that matches; for the objective distance.';
COMMENT ON COLUMN squad.place.prefix IS 'Beginning of postcodes, in capitals.';
COMMENT ON COLUMN squad.place.lat IS 'Latitude of its middle in degrees.';
COMMENT ON COLUMN squad.place.lon IS 'Longitude of its middle in degrees.';

CREATE TABLE squad.retry_policy (
    channel       text PRIMARY KEY CHECK (channel IN ('webhook')),
    max_attempts  integer NOT NULL CHECK (max_attempts BETWEEN 1 AND 100),
    base_ms       integer NOT NULL CHECK (base_ms BETWEEN 1 AND 3600000),
    cap_ms        integer NOT NULL CHECK (cap_ms BETWEEN 1 AND 86400000),
    timeout_ms    integer NOT NULL CHECK (timeout_ms BETWEEN 10 AND 60000)
);
COMMENT ON TABLE  squad.retry_policy IS 'How the notifier tries again. Delay before attempt n+1: between half and the whole of min(cap_ms, base_ms * 2^(n-1)), at random.';
COMMENT ON COLUMN squad.retry_policy.channel IS 'webhook.';
COMMENT ON COLUMN squad.retry_policy.max_attempts IS 'Attempts before a notice is undeliverable.';
COMMENT ON COLUMN squad.retry_policy.base_ms IS 'First delay in milliseconds.';
COMMENT ON COLUMN squad.retry_policy.cap_ms IS 'Longest delay in milliseconds.';
COMMENT ON COLUMN squad.retry_policy.timeout_ms IS 'Time for one attempt in milliseconds.';

INSERT INTO squad.retry_policy VALUES ('webhook', 5, 500, 60000, 5000);

SELECT squad.register_migration(2, 'company');
