-- What holds at the end of every statement, whatever a program says: the right expert, and slots and states that agree.
-- A slot is taken or freed by one statement that changes assignment, expert_load and dispatch together; these triggers
-- refuse any other way.

CREATE FUNCTION squad.expert_breaks(p_ticket uuid, p_expert integer, p_at timestamptz DEFAULT clock_timestamp()) RETURNS text[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = squad, pg_temp
BEGIN ATOMIC
    SELECT array_remove(ARRAY[
               CASE WHEN tt.type IS NULL THEN 'type' END,
               CASE WHEN NOT e.active THEN 'inactive' END,
               CASE WHEN NOT EXISTS (SELECT FROM squad.expert_area a WHERE a.expert_id = e.id AND starts_with(t.area, a.prefix))
                    THEN 'area' END,
               CASE WHEN EXISTS (SELECT FROM squad.ticket_type_skill r
                                   LEFT JOIN squad.expert_skill s ON s.expert_id = e.id AND s.skill = r.skill
                                  WHERE r.type = t.type AND coalesce(s.level, 0) < r.min_level
                                    AND (r.importance = 0 OR d.routable_at IS NULL OR p_at < d.routable_at + interval '1 second' *
                                         CASE r.importance WHEN 3 THEN p.relax_3_s WHEN 2 THEN p.relax_2_s ELSE p.relax_1_s END))
                    THEN 'skill' END,
               CASE WHEN e.schedule = 'shifts'
                     AND NOT coalesce((SELECT range_agg(s.during) @> j.job FROM squad.expert_shift s
                                        WHERE s.expert_id = e.id AND s.during && j.job), false) THEN 'shift' END,
               CASE WHEN EXISTS (SELECT FROM squad.absence x WHERE x.expert_id = e.id AND x.during && j.job) THEN 'absent' END,
               CASE WHEN e.status <> 'available' THEN 'presence' END,
               CASE WHEN EXISTS (SELECT FROM squad.exclusion x WHERE x.ticket_id = t.id AND x.expert_id = e.id
                                                                 AND (x.until IS NULL OR x.until > p_at)) THEN 'excluded' END,
               CASE WHEN l.load >= l.capacity THEN 'capacity' END], NULL)
      FROM squad.ticket t
      JOIN squad.expert e ON e.id = p_expert
      LEFT JOIN squad.dispatch d ON d.ticket_id = t.id
      LEFT JOIN squad.expert_load l ON l.expert_id = e.id
      LEFT JOIN squad.ticket_type tt ON tt.type = t.type
      LEFT JOIN squad.priority p ON p.priority = coalesce(d.priority, tt.priority),
           LATERAL (SELECT tstzrange(p_at, p_at + coalesce(tt.duration_s, 0) * interval '1 second') AS job) AS j
     WHERE t.id = p_ticket;
END;
COMMENT ON FUNCTION squad.expert_breaks(uuid, integer, timestamptz) IS
    'The filters that an expert does not pass for a ticket at a moment, in order: type, inactive, area, skill, shift, absent, presence, excluded, capacity. Empty: may take it. Null: no such ticket or expert.';

CREATE FUNCTION squad.rule_words(p_rule text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = squad, pg_temp
RETURN CASE p_rule WHEN 'type' THEN 'can not be matched to an unknown type' WHEN 'inactive' THEN 'is not active'
                   WHEN 'area' THEN 'does not serve the area' WHEN 'skill' THEN 'lacks a required skill'
                   WHEN 'shift' THEN 'is not on shift until the job would end' WHEN 'absent' THEN 'is absent'
                   WHEN 'presence' THEN 'is not available' WHEN 'excluded' THEN 'is excluded from this ticket'
                   WHEN 'capacity' THEN 'has no free slot' ELSE p_rule END;
COMMENT ON FUNCTION squad.rule_words(text) IS 'A filter''s name as words after "the expert".';

-- The rules of squad.expert_breaks, set-wise, but for the capacity, which the slot of this very assignment may have
-- used up: it is expert_load's to refuse.
CREATE FUNCTION squad.assignment_qualified() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
DECLARE
    bad record;
BEGIN
    -- A change of the expert that is under way is waited for, and none begins
    -- before this assignment is committed.
    PERFORM FROM expert e WHERE e.id IN (SELECT f.expert_id FROM fresh f) ORDER BY e.id FOR SHARE;
    SELECT f.ticket_id, f.expert_id, f.reserved_at, f.override,
           e.version <> f.expert_version AND f.override IS NULL AS stale
      INTO bad
      FROM fresh f
           -- By key and one by one, however many rows the plan was made for.
      CROSS JOIN LATERAL (SELECT * FROM dispatch x WHERE x.ticket_id = f.ticket_id OFFSET 0) AS d
      CROSS JOIN LATERAL (SELECT * FROM expert x WHERE x.id = f.expert_id OFFSET 0) AS e
      LEFT JOIN ticket_type tt ON tt.type = d.type
      LEFT JOIN priority p ON p.priority = d.priority,
           LATERAL (SELECT tstzrange(f.reserved_at, f.reserved_at + coalesce(tt.duration_s, 0) * interval '1 second') AS job) AS j
     WHERE NOT e.active OR tt.type IS NULL OR e.status <> 'available'
        OR e.version <> f.expert_version AND f.override IS NULL
        OR NOT EXISTS (SELECT FROM expert_area a WHERE a.expert_id = f.expert_id AND starts_with(d.area, a.prefix))
        OR EXISTS (SELECT FROM ticket_type_skill r
                     LEFT JOIN expert_skill s ON s.expert_id = f.expert_id AND s.skill = r.skill
                    WHERE r.type = d.type AND coalesce(s.level, 0) < r.min_level
                      AND (r.importance = 0 OR f.reserved_at < d.routable_at + interval '1 second' *
                           CASE r.importance WHEN 3 THEN p.relax_3_s WHEN 2 THEN p.relax_2_s ELSE p.relax_1_s END))
        OR e.schedule = 'shifts'
           AND NOT coalesce((SELECT range_agg(s.during) @> j.job FROM expert_shift s
                              WHERE s.expert_id = f.expert_id AND s.during && j.job), false)
        OR EXISTS (SELECT FROM absence x WHERE x.expert_id = f.expert_id AND x.during && j.job)
        OR EXISTS (SELECT FROM exclusion x WHERE x.ticket_id = f.ticket_id AND x.expert_id = f.expert_id
                                             AND (x.until IS NULL OR x.until > f.reserved_at))
     ORDER BY (f.override IS NOT NULL AND f.override @> array_remove(expert_breaks(f.ticket_id, f.expert_id, f.reserved_at), 'capacity'))
     LIMIT 1;
    IF FOUND AND (bad.override IS NULL OR NOT bad.override @> array_remove(expert_breaks(bad.ticket_id, bad.expert_id, bad.reserved_at), 'capacity')) THEN
        RAISE EXCEPTION 'expert % %: ticket %', bad.expert_id,
            CASE WHEN bad.stale THEN 'has changed since the choice'
                 ELSE coalesce((SELECT rule_words(r) FROM unnest(expert_breaks(bad.ticket_id, bad.expert_id, bad.reserved_at)) AS r
                                 WHERE r <> 'capacity' LIMIT 1), 'breaks a rule') END, bad.ticket_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'assignment_qualified',
                  SCHEMA = 'squad', TABLE = 'assignment';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION squad.assignment_qualified() IS 'Trigger: refuses an assignment to an expert who does not pass every filter at its time, unless a manager broke exactly those rules knowingly (override).';

CREATE TRIGGER assignment_qualified AFTER INSERT ON squad.assignment REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION squad.assignment_qualified();
COMMENT ON TRIGGER assignment_qualified ON squad.assignment IS 'The right expert, whatever a program says.';

CREATE FUNCTION squad.assignment_stays() RETURNS trigger
LANGUAGE plpgsql SET search_path = squad, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'the assignment of ticket % to expert % stays as it was made', OLD.ticket_id, OLD.expert_id
        USING ERRCODE = 'check_violation', CONSTRAINT = 'assignment_stays', SCHEMA = 'squad', TABLE = 'assignment',
              HINT = 'It ends, and another one is made, whose expert is checked: squad.ticket_reassign.';
END $$;
COMMENT ON FUNCTION squad.assignment_stays() IS 'Trigger: no assignment goes over to another expert or ticket, past the check at its insert.';

CREATE TRIGGER assignment_stays BEFORE UPDATE ON squad.assignment FOR EACH ROW
    WHEN ((OLD.id, OLD.ticket_id, OLD.expert_id, OLD.attempt, OLD.place, OLD.expert_version, OLD.reserved_at, OLD.override)
          IS DISTINCT FROM
          (NEW.id, NEW.ticket_id, NEW.expert_id, NEW.attempt, NEW.place, NEW.expert_version, NEW.reserved_at, NEW.override))
    EXECUTE FUNCTION squad.assignment_stays();
COMMENT ON TRIGGER assignment_stays ON squad.assignment IS 'What was checked at the insert is not changed; only how far it has come.';

-- A session plans a trigger's lookups once, when the tables may still be all but empty, and then every index that has
-- a part in the condition costs the same: the live assignments of a ticket were looked up in the index of all live
-- assignments, 1.3 ms a ticket with some thousands of them. A condition that no partial index has leaves one way only,
-- the key of the ticket's assignments.
CREATE FUNCTION squad.assignment_consistent() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
DECLARE
    bad record;
BEGIN
    SELECT x.expert_id, coalesce(l.load, 0) AS load, a.live INTO bad
      FROM (SELECT DISTINCT f.expert_id FROM fresh f) x
      LEFT JOIN expert_load l ON l.expert_id = x.expert_id,
           LATERAL (SELECT count(*) AS live FROM assignment a
                     WHERE a.expert_id = x.expert_id AND a.ended_at IS NULL) a
     WHERE coalesce(l.load, 0) <> a.live LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'load of expert % is % but % assignments are live', bad.expert_id, bad.load, bad.live
            USING ERRCODE = 'check_violation', CONSTRAINT = 'expert_load_counts',
                  SCHEMA = 'squad', TABLE = 'expert_load',
                  HINT = 'Change assignment, expert_load and dispatch in one statement.';
    END IF;
    SELECT d.ticket_id, d.state, d.offers, a.live, a.last, a.taken INTO bad
      FROM dispatch d,
           LATERAL (SELECT count(*) FILTER (WHERE a.ended_at IS NULL) AS live,
                           coalesce(max(a.place) FILTER (WHERE a.ended_at IS NULL), 0) AS last,
                           coalesce(bool_or(a.state IN ('accepted', 'en_route', 'on_site')), false) AS taken
                      FROM assignment a WHERE a.ticket_id = d.ticket_id) AS a
     WHERE d.ticket_id IN (SELECT f.ticket_id FROM fresh f)
       AND ((d.state = 'assigned') <> (a.live > 0) OR a.last > d.offers OR a.taken AND a.live > 1)
     LIMIT 1;
    IF FOUND AND (bad.state = 'assigned') = (bad.live > 0) THEN
        RAISE EXCEPTION 'ticket % has % live assignments, place %: it is offered to % at once', bad.ticket_id, bad.live, bad.last, bad.offers
            USING ERRCODE = 'check_violation', CONSTRAINT = 'assignment_one_taken',
                  SCHEMA = 'squad', TABLE = 'assignment',
                  HINT = 'The other offers end in the statement before the one that accepts.';
    ELSIF FOUND THEN
        RAISE EXCEPTION 'ticket % is % but its assignments say otherwise', bad.ticket_id, bad.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'dispatch_matches_assignment',
                  SCHEMA = 'squad', TABLE = 'dispatch',
                  HINT = 'Change assignment, expert_load and dispatch in one statement.';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION squad.assignment_consistent() IS 'Trigger: expert_load.load equals the live assignments, dispatch.state agrees with them, no more than dispatch.offers are live, and one alone once it is accepted.';

CREATE TRIGGER assignment_consistent_insert AFTER INSERT ON squad.assignment REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION squad.assignment_consistent();
CREATE TRIGGER assignment_consistent_update AFTER UPDATE ON squad.assignment REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION squad.assignment_consistent();
CREATE TRIGGER assignment_consistent_delete AFTER DELETE ON squad.assignment REFERENCING OLD TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION squad.assignment_consistent();
COMMENT ON TRIGGER assignment_consistent_insert ON squad.assignment IS 'Slots and states agree.';
COMMENT ON TRIGGER assignment_consistent_update ON squad.assignment IS 'Slots and states agree.';
COMMENT ON TRIGGER assignment_consistent_delete ON squad.assignment IS 'Slots and states agree.';

CREATE FUNCTION squad.dispatch_consistent() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
DECLARE
    bad record;
BEGIN
    SELECT f.ticket_id, f.state INTO bad
      FROM fresh f
     WHERE (f.state = 'assigned') <> coalesce((SELECT bool_or(a.ended_at IS NULL) FROM assignment a
                                                WHERE a.ticket_id = f.ticket_id), false)
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'ticket % can not be %: its assignments say otherwise', bad.ticket_id, bad.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'dispatch_matches_assignment',
                  SCHEMA = 'squad', TABLE = 'dispatch',
                  HINT = 'Change assignment, expert_load and dispatch in one statement.';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION squad.dispatch_consistent() IS 'Trigger: a ticket is assigned when it has a live assignment, and only then.';

CREATE TRIGGER dispatch_consistent_insert AFTER INSERT ON squad.dispatch REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION squad.dispatch_consistent();
CREATE TRIGGER dispatch_consistent_update AFTER UPDATE ON squad.dispatch REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION squad.dispatch_consistent();
COMMENT ON TRIGGER dispatch_consistent_insert ON squad.dispatch IS 'Slots and states agree.';
COMMENT ON TRIGGER dispatch_consistent_update ON squad.dispatch IS 'Slots and states agree.';

CREATE FUNCTION squad.expert_load_consistent() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
DECLARE
    bad record;
BEGIN
    SELECT f.expert_id, CASE TG_OP WHEN 'DELETE' THEN 0 ELSE f.load END AS load, a.live INTO bad
      FROM fresh f, LATERAL (SELECT count(*) AS live FROM assignment a
                              WHERE a.expert_id = f.expert_id AND a.ended_at IS NULL) a
     WHERE CASE TG_OP WHEN 'DELETE' THEN 0 ELSE f.load END <> a.live LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'load of expert % can not be %: % assignments are live', bad.expert_id, bad.load, bad.live
            USING ERRCODE = 'check_violation', CONSTRAINT = 'expert_load_counts',
                  SCHEMA = 'squad', TABLE = 'expert_load',
                  HINT = 'Change assignment, expert_load and dispatch in one statement.';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION squad.expert_load_consistent() IS 'Trigger: nobody changes expert_load.load without the assignments.';

CREATE TRIGGER expert_load_consistent AFTER UPDATE ON squad.expert_load REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION squad.expert_load_consistent();
CREATE TRIGGER expert_load_consistent_insert AFTER INSERT ON squad.expert_load REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION squad.expert_load_consistent();
CREATE TRIGGER expert_load_consistent_delete AFTER DELETE ON squad.expert_load REFERENCING OLD TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION squad.expert_load_consistent();
COMMENT ON TRIGGER expert_load_consistent ON squad.expert_load IS 'load equals the live assignments.';
COMMENT ON TRIGGER expert_load_consistent_insert ON squad.expert_load IS 'load equals the live assignments.';
COMMENT ON TRIGGER expert_load_consistent_delete ON squad.expert_load IS 'An expert who holds tickets keeps the row.';

SELECT squad.register_migration(8, 'dispatch_rules');
