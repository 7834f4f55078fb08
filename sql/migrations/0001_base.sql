-- Schema, migration register, roles, states. Every migration runs in one transaction and ends by registering itself.

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

-- Roles belong to the cluster and may exist already, or be made at this moment for another database of the same
-- cluster. What they may do is in the last of these files.
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
    ('ticket',     'quarantined',   true,  'a machine seems to have filled in the form: a person must look at it'),
    ('ticket',     'review',        true,  'a person must look at it: its type is unknown'),
    ('ticket',     'parked',        true,  'nobody can take it now; the reason is in dispatch.parked'),
    ('ticket',     'assigned',      true,  'one expert has it, or several have an offer'),
    ('ticket',     'completed',     false, 'the expert has done it'),
    ('ticket',     'canceled',      false, 'called off'),
    ('assignment', 'reserved',      true,  'slot held, notice not yet delivered'),
    ('assignment', 'offered',       true,  'the expert has been notified'),
    ('assignment', 'accepted',      true,  'the expert will do it'),
    ('assignment', 'en_route',      true,  'the expert is on the way'),
    ('assignment', 'on_site',       true,  'the expert has arrived'),
    ('assignment', 'completed',     false, 'done; slot freed'),
    ('assignment', 'declined',      false, 'the expert will not do it; slot freed'),
    ('assignment', 'timed_out',     false, 'the expert did not answer in time; slot freed'),
    ('assignment', 'rescinded',     false, 'taken back: another one was faster, or a manager or a rule said so; slot freed'),
    ('assignment', 'undeliverable', false, 'the expert could not be notified; slot freed'),
    ('assignment', 'canceled',      false, 'the ticket was called off; slot freed'),
    ('notice',     'pending',       true,  'to be sent'),
    ('notice',     'sending',       true,  'claimed by a notifier, or waiting for its next attempt'),
    ('notice',     'delivered',     false, 'the receiver answered 2xx'),
    ('notice',     'undeliverable', false, 'given up'),
    ('notice',     'dropped',       false, 'had become pointless before it was sent');

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
    ('ticket',     'received',    'quarantined',   'a field that people do not see was filled in'),
    ('ticket',     'received',    'review',        'type unknown'),
    ('ticket',     'received',    'parked',        'nobody can take it'),
    ('ticket',     'received',    'assigned',      'an expert was reserved'),
    ('ticket',     'received',    'canceled',      'called off'),
    ('ticket',     'quarantined', 'parked',        'a person released it'),
    ('ticket',     'quarantined', 'canceled',      'called off'),
    ('ticket',     'review',      'parked',        'type made known, nobody can take it'),
    ('ticket',     'review',      'assigned',      'type made known, an expert was reserved'),
    ('ticket',     'review',      'canceled',      'called off'),
    ('ticket',     'parked',      'review',        'type removed'),
    ('ticket',     'parked',      'assigned',      'an expert was reserved'),
    ('ticket',     'parked',      'canceled',      'called off'),
    ('ticket',     'assigned',    'parked',        'nobody has it any more: declined, timed out, rescinded or not notified'),
    ('ticket',     'assigned',    'completed',     'the expert completed it'),
    ('ticket',     'assigned',    'canceled',      'called off'),
    ('assignment', 'reserved',    'offered',       'notice delivered'),
    ('assignment', 'reserved',    'accepted',      'accepted before the delivery was recorded'),
    ('assignment', 'reserved',    'completed',     'completed before the delivery was recorded'),
    ('assignment', 'reserved',    'declined',      'declined before the delivery was recorded'),
    ('assignment', 'reserved',    'rescinded',     'taken back'),
    ('assignment', 'reserved',    'undeliverable', 'notice given up'),
    ('assignment', 'reserved',    'canceled',      'the ticket was called off'),
    ('assignment', 'offered',     'accepted',      'the expert accepted'),
    ('assignment', 'offered',     'completed',     'the expert completed it'),
    ('assignment', 'offered',     'declined',      'the expert declined'),
    ('assignment', 'offered',     'timed_out',     'no answer in time'),
    ('assignment', 'offered',     'rescinded',     'taken back'),
    ('assignment', 'offered',     'canceled',      'the ticket was called off'),
    ('assignment', 'accepted',    'en_route',      'the expert set out'),
    ('assignment', 'accepted',    'on_site',       'the expert arrived'),
    ('assignment', 'accepted',    'completed',     'the expert completed it'),
    ('assignment', 'accepted',    'declined',      'given back'),
    ('assignment', 'accepted',    'rescinded',     'taken back'),
    ('assignment', 'accepted',    'canceled',      'the ticket was called off'),
    ('assignment', 'en_route',    'on_site',       'the expert arrived'),
    ('assignment', 'en_route',    'completed',     'the expert completed it'),
    ('assignment', 'en_route',    'declined',      'given back'),
    ('assignment', 'en_route',    'rescinded',     'taken back'),
    ('assignment', 'en_route',    'canceled',      'the ticket was called off'),
    ('assignment', 'on_site',     'completed',     'the expert completed it'),
    ('assignment', 'on_site',     'declined',      'given back'),
    ('assignment', 'on_site',     'rescinded',     'taken back'),
    ('assignment', 'on_site',     'canceled',      'the ticket was called off'),
    ('notice',     'pending',     'sending',       'claimed by a notifier'),
    ('notice',     'pending',     'dropped',       'what it would say is no longer so'),
    ('notice',     'sending',     'delivered',     'the receiver answered 2xx'),
    ('notice',     'sending',     'undeliverable', 'attempts used up, or refused for good'),
    ('notice',     'sending',     'dropped',       'what it would say is no longer so');

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

CREATE FUNCTION squad.refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = squad, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '%.% is insert only', TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME;
END $$;
COMMENT ON FUNCTION squad.refuse_change() IS 'Trigger: refuses UPDATE and DELETE.';

SELECT squad.register_migration(1, 'base');
