-- Schema, migration register, roles and the table of states.
-- Every migration runs in one transaction and ends by registering itself.

CREATE SCHEMA squad;
COMMENT ON SCHEMA squad IS 'squad: tickets, outbox, dispatch and notices. Reports belong on schema rpt.';

CREATE TABLE squad.migration (
    version     integer PRIMARY KEY CHECK (version > 0),
    name        text NOT NULL UNIQUE,
    checksum    text CHECK (checksum ~ '^[0-9a-f]{64}$'),
    applied_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    applied_by  text NOT NULL DEFAULT session_user
);
COMMENT ON TABLE  squad.migration IS 'Migrations applied to this database, one row each, written by the migration itself.';
COMMENT ON COLUMN squad.migration.version IS 'Number of the file, without gaps from 1.';
COMMENT ON COLUMN squad.migration.name IS 'Name of the file without number and ending.';
COMMENT ON COLUMN squad.migration.checksum IS 'SHA-256 of the file in hex; null when it was applied by hand with psql.';
COMMENT ON COLUMN squad.migration.applied_at IS 'When it was applied.';
COMMENT ON COLUMN squad.migration.applied_by IS 'Database role that applied it.';

CREATE FUNCTION squad.register_migration(p_version integer, p_name text) RETURNS void
LANGUAGE plpgsql SET search_path = squad, pg_temp AS $$
DECLARE
    last integer := (SELECT coalesce(max(version), 0) FROM squad.migration);
BEGIN
    IF p_version <> last + 1 THEN
        RAISE EXCEPTION 'could not register migration %: the last one applied is %', p_version, last
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'Apply the files of sql/migrations in order, or run: squad migrate';
    END IF;
    INSERT INTO squad.migration (version, name, checksum)
    VALUES (p_version, p_name, nullif(current_setting('squad.migration_checksum', true), ''));
END $$;
COMMENT ON FUNCTION squad.register_migration(integer, text) IS
    'Called by each migration as its last statement. The runner puts the file''s SHA-256 in squad.migration_checksum first.';

CREATE FUNCTION squad.schema_version() RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = squad, pg_temp
RETURN (SELECT coalesce(max(version), 0) FROM squad.migration);
COMMENT ON FUNCTION squad.schema_version() IS 'Version of the last migration applied; every program compares it with its own at start.';

-- Roles belong to the cluster and may exist already, or be made at this moment
-- for another database of the same cluster.
DO $$
DECLARE
    r text;
BEGIN
    FOREACH r IN ARRAY ARRAY['squad_intake', 'squad_relay', 'squad_assigner', 'squad_notifier', 'squad_report'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I LOGIN', r);
            IF r = 'squad_report' THEN
                ALTER ROLE squad_report SET default_transaction_read_only = on;
                ALTER ROLE squad_report SET statement_timeout = '60s';
                ALTER ROLE squad_report SET idle_in_transaction_session_timeout = '60s';
                ALTER ROLE squad_report SET search_path = 'rpt';
                ALTER ROLE squad_report SET jit = off; -- compiling costs more than these reports gain
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END LOOP;
END $$;
GRANT USAGE ON SCHEMA squad TO squad_intake, squad_relay, squad_assigner, squad_notifier;
REVOKE EXECUTE ON FUNCTION squad.register_migration(integer, text) FROM PUBLIC;

CREATE TABLE squad.state (
    entity       text NOT NULL CHECK (entity IN ('ticket', 'assignment', 'notice')),
    state        text NOT NULL,
    live         boolean NOT NULL,
    description  text NOT NULL,
    PRIMARY KEY (entity, state)
);
COMMENT ON TABLE  squad.state IS 'States of tickets, assignments and notices; equal to the table in src/common/state.c by test.';
COMMENT ON COLUMN squad.state.entity IS 'What has the state: ticket, assignment or notice.';
COMMENT ON COLUMN squad.state.state IS 'Name of the state.';
COMMENT ON COLUMN squad.state.live IS 'For an assignment: it holds a slot of its expert. For the others: work remains.';
COMMENT ON COLUMN squad.state.description IS 'What it means, for people.';

INSERT INTO squad.state (entity, state, live, description) VALUES
    ('ticket',     'received',      true,  'stored, not yet seen by an assigner'),
    ('ticket',     'review',        true,  'a person must look at it: its type is unknown'),
    ('ticket',     'parked',        true,  'nobody can take it now; the reason is in dispatch.parked'),
    ('ticket',     'assigned',      true,  'one expert has it'),
    ('ticket',     'completed',     false, 'the expert has done it'),
    ('assignment', 'reserved',      true,  'slot held, notice not yet delivered'),
    ('assignment', 'offered',       true,  'the expert has been notified'),
    ('assignment', 'completed',     false, 'done; slot freed'),
    ('assignment', 'undeliverable', false, 'the expert could not be notified; slot freed'),
    ('notice',     'pending',       true,  'to be sent'),
    ('notice',     'sending',       true,  'claimed by a notifier, or waiting for its next attempt'),
    ('notice',     'delivered',     false, 'the receiver answered 2xx'),
    ('notice',     'undeliverable', false, 'given up');

CREATE TABLE squad.transition (
    entity      text NOT NULL,
    from_state  text NOT NULL,
    to_state    text NOT NULL,
    why         text NOT NULL,
    PRIMARY KEY (entity, from_state, to_state),
    FOREIGN KEY (entity, from_state) REFERENCES squad.state,
    FOREIGN KEY (entity, to_state) REFERENCES squad.state
);
COMMENT ON TABLE  squad.transition IS 'Allowed changes of state; triggers refuse every other one. Equal to src/common/state.c by test.';
COMMENT ON COLUMN squad.transition.entity IS 'ticket, assignment or notice.';
COMMENT ON COLUMN squad.transition.from_state IS 'State before.';
COMMENT ON COLUMN squad.transition.to_state IS 'State after.';
COMMENT ON COLUMN squad.transition.why IS 'What makes it happen, for people.';

INSERT INTO squad.transition (entity, from_state, to_state, why) VALUES
    ('ticket',     'received', 'review',        'type unknown'),
    ('ticket',     'received', 'parked',        'nobody can take it'),
    ('ticket',     'received', 'assigned',      'an expert was reserved'),
    ('ticket',     'review',   'parked',        'type made known, nobody can take it'),
    ('ticket',     'review',   'assigned',      'type made known, an expert was reserved'),
    ('ticket',     'parked',   'review',        'type removed'),
    ('ticket',     'parked',   'assigned',      'an expert was reserved'),
    ('ticket',     'assigned', 'parked',        'the expert could not be notified'),
    ('ticket',     'assigned', 'completed',     'the expert completed it'),
    ('assignment', 'reserved', 'offered',       'notice delivered'),
    ('assignment', 'reserved', 'undeliverable', 'notice given up'),
    ('assignment', 'reserved', 'completed',     'completed before the delivery was recorded'),
    ('assignment', 'offered',  'completed',     'the expert completed it'),
    ('notice',     'pending',  'sending',       'claimed by a notifier'),
    ('notice',     'sending',  'delivered',     'the receiver answered 2xx'),
    ('notice',     'sending',  'undeliverable', 'attempts used up, or refused for good');

CREATE FUNCTION squad.check_transition() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM squad.transition
                    WHERE entity = TG_ARGV[0] AND from_state = OLD.state AND to_state = NEW.state) THEN
        RAISE EXCEPTION 'a % can not go from % to %', TG_ARGV[0], OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_ARGV[0] || '_transition',
                  SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION squad.check_transition() IS 'Trigger: refuses a change of state that squad.transition does not list. Argument: the entity.';

SELECT squad.register_migration(1, 'base');
