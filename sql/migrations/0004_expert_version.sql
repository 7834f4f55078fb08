-- Every change of an expert is a new version, and an event that wakes waiting tickets.

CREATE FUNCTION squad.expert_load_stamp() RETURNS trigger
LANGUAGE plpgsql SET search_path = squad, pg_temp AS $$
BEGIN
    NEW.xid := pg_current_xact_id();
    RETURN NEW;
END $$;
COMMENT ON FUNCTION squad.expert_load_stamp() IS 'Trigger: keeps expert_load.xid.';

CREATE TRIGGER expert_load_stamp BEFORE UPDATE ON squad.expert_load
    FOR EACH ROW EXECUTE FUNCTION squad.expert_load_stamp();
CREATE TRIGGER expert_location_stamp BEFORE UPDATE ON squad.expert_location
    FOR EACH ROW EXECUTE FUNCTION squad.expert_load_stamp();
COMMENT ON TRIGGER expert_load_stamp ON squad.expert_load IS 'Keeps xid.';
COMMENT ON TRIGGER expert_location_stamp ON squad.expert_location IS 'Keeps xid.';

CREATE FUNCTION squad.expert_stamp() RETURNS trigger
LANGUAGE plpgsql SET search_path = squad, pg_temp AS $$
BEGIN
    NEW.version := OLD.version + 1;
    NEW.xid := pg_current_xact_id();
    NEW.changed_at := clock_timestamp();
    RETURN NEW;
END $$;
COMMENT ON FUNCTION squad.expert_stamp() IS 'Trigger: raises expert.version.';

CREATE TRIGGER expert_stamp BEFORE UPDATE ON squad.expert FOR EACH ROW EXECUTE FUNCTION squad.expert_stamp();
COMMENT ON TRIGGER expert_stamp ON squad.expert IS 'Every change is a new version.';

CREATE FUNCTION squad.expert_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO expert_load (expert_id) SELECT f.id FROM fresh f ON CONFLICT DO NOTHING;
    END IF;
    INSERT INTO outbox (aggregatetype, aggregateid, type, payload)
    SELECT 'expert', f.id::text, 'squad.expert.changed.v1',
           json_build_object('expert_id', f.id, 'version', f.version, 'active', f.active, 'status', f.status)
      FROM fresh f ORDER BY f.id;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION squad.expert_changed() IS 'Trigger: gives a new expert a row in expert_load and publishes squad.expert.changed.v1.';

CREATE TRIGGER expert_added AFTER INSERT ON squad.expert REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION squad.expert_changed();
CREATE TRIGGER expert_changed AFTER UPDATE ON squad.expert REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION squad.expert_changed();
COMMENT ON TRIGGER expert_added ON squad.expert IS 'Wakes waiting tickets.';
COMMENT ON TRIGGER expert_changed ON squad.expert IS 'Wakes waiting tickets.';

CREATE FUNCTION squad.expert_touch() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
BEGIN
    UPDATE expert SET version = version WHERE id IN (SELECT f.expert_id FROM fresh f);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION squad.expert_touch() IS 'Trigger: a changed skill, area or capacity is a new version of the expert.';

CREATE TRIGGER expert_skill_insert AFTER INSERT ON squad.expert_skill REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION squad.expert_touch();
CREATE TRIGGER expert_skill_update AFTER UPDATE ON squad.expert_skill REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION squad.expert_touch();
CREATE TRIGGER expert_skill_delete AFTER DELETE ON squad.expert_skill REFERENCING OLD TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION squad.expert_touch();
CREATE TRIGGER expert_area_insert AFTER INSERT ON squad.expert_area REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION squad.expert_touch();
CREATE TRIGGER expert_area_update AFTER UPDATE ON squad.expert_area REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION squad.expert_touch();
CREATE TRIGGER expert_area_delete AFTER DELETE ON squad.expert_area REFERENCING OLD TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION squad.expert_touch();
CREATE TRIGGER absence_insert AFTER INSERT ON squad.absence REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION squad.expert_touch();
CREATE TRIGGER absence_update AFTER UPDATE ON squad.absence REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION squad.expert_touch();
CREATE TRIGGER absence_delete AFTER DELETE ON squad.absence REFERENCING OLD TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION squad.expert_touch();
COMMENT ON TRIGGER expert_skill_insert ON squad.expert_skill IS 'New version of the expert.';
COMMENT ON TRIGGER expert_skill_update ON squad.expert_skill IS 'New version of the expert.';
COMMENT ON TRIGGER expert_skill_delete ON squad.expert_skill IS 'New version of the expert.';
COMMENT ON TRIGGER expert_area_insert ON squad.expert_area IS 'New version of the expert.';
COMMENT ON TRIGGER expert_area_update ON squad.expert_area IS 'New version of the expert.';
COMMENT ON TRIGGER expert_area_delete ON squad.expert_area IS 'New version of the expert.';
COMMENT ON TRIGGER absence_insert ON squad.absence IS 'New version of the expert.';
COMMENT ON TRIGGER absence_update ON squad.absence IS 'New version of the expert.';
COMMENT ON TRIGGER absence_delete ON squad.absence IS 'New version of the expert.';

CREATE FUNCTION squad.expert_capacity_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
BEGIN
    UPDATE expert SET version = version WHERE id = NEW.expert_id;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION squad.expert_capacity_changed() IS 'Trigger: a changed capacity is a new version of the expert.';

CREATE TRIGGER expert_capacity_changed AFTER UPDATE ON squad.expert_load FOR EACH ROW
    WHEN (OLD.capacity IS DISTINCT FROM NEW.capacity) EXECUTE FUNCTION squad.expert_capacity_changed();
COMMENT ON TRIGGER expert_capacity_changed ON squad.expert_load IS 'New version of the expert.';

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
COMMENT ON TRIGGER expert_shift_insert ON squad.expert_shift IS 'New version of the expert.';
COMMENT ON TRIGGER expert_shift_delete ON squad.expert_shift IS 'New version of the expert.';
COMMENT ON TRIGGER expert_shift_update ON squad.expert_shift IS 'A shift is replaced, not changed.';

-- Events of one expert come from two kinds of transactions: a job ends (expert.freed, under the lock of
-- expert_load) and somebody changes the expert (expert.changed, under the lock of expert). Without a lock
-- that both hold, the one with the lower outbox.seq can commit last, and the topic shows them in another
-- order than they were committed in. So whoever frees a slot also locks the expert, before the event is
-- written; in the order that holds everywhere, expert_load before expert.
CREATE FUNCTION squad.expert_load_freed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
BEGIN
    PERFORM FROM expert e WHERE e.id = NEW.expert_id FOR NO KEY UPDATE;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION squad.expert_load_freed() IS 'Trigger: who frees a slot holds the expert, so that the events of an expert are written in the order of their commits.';

CREATE TRIGGER expert_load_freed BEFORE UPDATE ON squad.expert_load FOR EACH ROW
    WHEN (NEW.load < OLD.load) EXECUTE FUNCTION squad.expert_load_freed();
COMMENT ON TRIGGER expert_load_freed ON squad.expert_load IS 'Events of one expert in the order of their commits.';

SELECT squad.register_migration(4, 'expert_version');
