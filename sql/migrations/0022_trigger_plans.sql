-- A session plans a trigger's lookups once, when the tables may still be all but empty, and then every index that has
-- a part in the condition costs the same: the live assignments of a ticket were looked up in the index of all live
-- assignments, 1.3 ms a ticket with some thousands of them. A condition that no partial index has leaves one way only,
-- the key of the ticket's assignments.

CREATE OR REPLACE FUNCTION squad.assignment_consistent() RETURNS trigger
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

CREATE OR REPLACE FUNCTION squad.dispatch_consistent() RETURNS trigger
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

SELECT squad.register_migration(22, 'trigger_plans');
