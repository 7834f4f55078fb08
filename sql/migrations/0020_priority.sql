-- A manager sets the priority and the due time of one ticket; both stay, whatever its type says.

ALTER TABLE squad.dispatch ADD by_hand boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN squad.dispatch.by_hand IS 'Priority and due time were set by a person (squad.ticket_prioritize) and stay; else they follow the type.';
ALTER TABLE squad.ticket_event DROP CONSTRAINT ticket_event_kind_check,
    ADD CONSTRAINT ticket_event_kind_check CHECK (kind IN ('review', 'parked', 'reserved', 'attempt_failed', 'offered',
        'undeliverable', 'completed', 'accepted', 'en_route', 'on_site', 'declined', 'timed_out', 'rescinded', 'canceled',
        'reassigned', 'manager_told', 'customer_told', 'changed', 'amended', 'quarantined', 'released', 'prioritized'));
COMMENT ON COLUMN rpt.timeline.what IS 'received, quarantined, released, review, parked, reserved, attempt_failed, offered, accepted, declined, timed_out, rescinded, reassigned, undeliverable, en_route, on_site, completed, canceled, amended, prioritized, manager_told or customer_told.';

COMMENT ON COLUMN squad.dispatch.priority IS 'Its priority, 1 (first) to 5: its type''s, or what a person has set; every time of squad.priority counts by this one.';

CREATE FUNCTION squad.tell_at(p_priority squad.priority, p_from timestamptz, p_manager_told timestamptz, p_customer_told timestamptz)
RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
RETURN least(CASE WHEN p_manager_told IS NULL THEN p_from + p_priority.manager_s * interval '1 second' END,
             CASE WHEN p_customer_told IS NULL THEN p_from + p_priority.customer_s * interval '1 second' END);
COMMENT ON FUNCTION squad.tell_at(squad.priority, timestamptz, timestamptz, timestamptz) IS
    'dispatch.tell_at of a ticket of this priority that has been routable since p_from: the next of manager and customer who has not been told. Null: nobody is to be told.';

CREATE FUNCTION squad.ticket_prioritize(p_ticket uuid, p_priority integer, p_due timestamptz, p_reason text, p_actor text,
                                        p_traceparent text DEFAULT NULL)
RETURNS TABLE (outcome text, state text, priority smallint, assign_due timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_was dispatch%ROWTYPE;
    v_priority smallint;
    v_due timestamptz;
BEGIN
    SELECT * INTO v_was FROM dispatch d WHERE d.ticket_id = p_ticket FOR UPDATE;
    IF NOT FOUND OR v_was.state IN ('completed', 'canceled') THEN
        RETURN QUERY SELECT CASE WHEN v_was.state IS NOT NULL THEN 'gone'
                                 WHEN EXISTS (SELECT FROM ticket t WHERE t.id = p_ticket) THEN 'early' ELSE 'missing' END,
                            v_was.state, v_was.priority, v_was.assign_due;
        RETURN;
    END IF;
    v_priority := coalesce(p_priority, CASE WHEN p_due IS NOT NULL THEN v_was.priority END,
                           (SELECT y.priority FROM ticket_type y WHERE y.type = v_was.type), 3);
    v_due := coalesce(p_due, v_was.created_at + interval '1 second' * (SELECT p.due_s FROM priority p WHERE p.priority = v_priority));
    UPDATE dispatch d
       SET priority = v_priority, assign_due = v_due, by_hand = p_priority IS NOT NULL OR p_due IS NOT NULL,
           retry_at = CASE d.state WHEN 'parked' THEN clock_timestamp() ELSE d.retry_at END,
           tell_at = tell_at(p, d.routable_at, d.manager_told_at, d.customer_told_at)
      FROM priority p WHERE d.ticket_id = p_ticket AND p.priority = v_priority;
    INSERT INTO ticket_event (ticket_id, kind, actor, detail)
    VALUES (p_ticket, 'prioritized', p_actor,
            jsonb_strip_nulls(jsonb_build_object('from', v_was.priority, 'to', v_priority, 'due', v_due, 'reason', p_reason)));
    INSERT INTO outbox (aggregatetype, aggregateid, type, payload, traceparent)
    VALUES ('ticket', p_ticket::text, 'squad.ticket.prioritized.v1',
            json_build_object('ticket_id', p_ticket, 'priority', v_priority, 'assign_due', v_due), p_traceparent);
    RETURN QUERY SELECT 'set', v_was.state, v_priority, v_due;
END $$;
COMMENT ON FUNCTION squad.ticket_prioritize(uuid, integer, timestamptz, text, text, text) IS
    'Sets priority (1 to 5) and due time of one ticket. Due null: what the priority gives it from when it came; priority null: as it is; both null: as its type says again. A waiting ticket is looked at again at once. outcome: set, gone (completed or canceled), early (no assigner has seen it yet), missing.';

-- As before, but by the ticket's own priority.
CREATE OR REPLACE FUNCTION squad.waiting_best(p_experts integer[], p_free integer[], p_look integer DEFAULT 300)
RETURNS TABLE (expert_id integer, ticket_id uuid)
LANGUAGE sql STABLE SET search_path = squad, pg_temp
BEGIN ATOMIC
    WITH first AS MATERIALIZED (
        SELECT w.*, row_number() OVER (ORDER BY w.early, w.priority, w.assign_due, w.created_at, w.ticket_id) AS n
          FROM (SELECT d.*, false AS early
                  FROM generate_series(1, 5) AS p (priority),
                       LATERAL (SELECT k.ticket_id, k.type, k.area, k.routable_at, k.priority, k.assign_due, k.created_at
                                  FROM squad.dispatch k
                                 WHERE k.state = 'parked' AND k.priority = p.priority AND k.assign_due <= statement_timestamp()
                                 ORDER BY k.assign_due, k.created_at, k.ticket_id LIMIT p_look) AS d
                UNION ALL
                SELECT d.*, true
                  FROM generate_series(1, 5) AS p (priority),
                       LATERAL (SELECT k.ticket_id, k.type, k.area, k.routable_at, k.priority, k.assign_due, k.created_at
                                  FROM squad.dispatch k
                                 WHERE k.state = 'parked' AND k.priority = p.priority AND k.assign_due > statement_timestamp()
                                 ORDER BY k.assign_due, k.created_at, k.ticket_id LIMIT p_look) AS d) AS w
         ORDER BY n LIMIT p_look
    ), asked AS MATERIALIZED (
        SELECT x.expert_id, x.free, e.schedule
          FROM unnest(p_experts, p_free) AS x (expert_id, free)
          JOIN squad.expert e ON e.id = x.expert_id AND e.active AND e.status = 'available'
    ), able AS MATERIALIZED (
        SELECT x.expert_id, y.type, k.priority, clock_timestamp() - lacks.age_s * interval '1 second' AS routable_by
          FROM asked x
         CROSS JOIN (SELECT DISTINCT f.type, f.priority FROM first f) AS k
          JOIN squad.ticket_type y ON y.type = k.type
          JOIN squad.priority p ON p.priority = k.priority,
               LATERAL (SELECT tstzrange(clock_timestamp(), clock_timestamp() + y.duration_s * interval '1 second') AS job) AS j,
               LATERAL (SELECT coalesce(max(CASE r.importance WHEN 0 THEN 'infinity'::float8 WHEN 3 THEN p.relax_3_s
                                                              WHEN 2 THEN p.relax_2_s ELSE p.relax_1_s END), 0) AS age_s
                          FROM squad.ticket_type_skill r
                          LEFT JOIN squad.expert_skill s ON s.expert_id = x.expert_id AND s.skill = r.skill
                         WHERE r.type = y.type AND coalesce(s.level, 0) < r.min_level) AS lacks
         WHERE lacks.age_s < 'infinity'::float8
           AND (x.schedule = 'always'
                OR coalesce((SELECT range_agg(s.during) @> j.job FROM squad.expert_shift s
                              WHERE s.expert_id = x.expert_id AND s.during && j.job), false))
           AND NOT EXISTS (SELECT FROM squad.absence b WHERE b.expert_id = x.expert_id AND b.during && j.job)
    ), hit AS MATERIALIZED (
        SELECT h.expert_id, h.ticket_id, h.k, x.free
          FROM (SELECT a.expert_id, f.ticket_id, row_number() OVER (PARTITION BY a.expert_id ORDER BY f.n) AS k
                  FROM able a JOIN first f ON f.type = a.type AND f.priority = a.priority AND f.routable_at <= a.routable_by
                 WHERE EXISTS (SELECT FROM squad.expert_area z WHERE z.expert_id = a.expert_id AND starts_with(f.area, z.prefix))
                   AND NOT EXISTS (SELECT FROM squad.exclusion q
                                    WHERE q.ticket_id = f.ticket_id AND q.expert_id = a.expert_id
                                      AND (q.until IS NULL OR q.until > clock_timestamp()))) AS h
          JOIN asked x ON x.expert_id = h.expert_id
    ), served AS MATERIALIZED (
        SELECT x.expert_id FROM asked x
         WHERE (SELECT count(*) FROM first) < p_look
            OR (SELECT count(*) FROM hit h WHERE h.expert_id = x.expert_id) >= x.free
    )
    SELECT h.expert_id, h.ticket_id FROM hit h WHERE h.k <= h.free AND h.expert_id IN (SELECT s.expert_id FROM served s)
    UNION ALL
    SELECT f.expert_id, f.ticket_id
      FROM (SELECT array_agg(x.expert_id) AS experts, array_agg(x.free) AS free
              FROM asked x WHERE x.expert_id NOT IN (SELECT s.expert_id FROM served s)) AS rest,
           LATERAL squad.waiting_for(rest.experts, rest.free) AS f
     WHERE rest.experts IS NOT NULL;
END;

-- As before, and its time begins now: when it is due and when somebody is told count from its release.
CREATE OR REPLACE FUNCTION squad.ticket_release(p_ref text, p_actor text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
DECLARE
    v_ticket uuid := (SELECT t.id FROM ticket t WHERE t.ref = p_ref);
BEGIN
    UPDATE dispatch d
       SET state = 'parked', since = clock_timestamp(), parked = '{"released": true}',
           routable_at = clock_timestamp(), retry_at = clock_timestamp(),
           assign_due = CASE WHEN d.by_hand THEN d.assign_due ELSE clock_timestamp() + p.due_s * interval '1 second' END,
           tell_at = tell_at(p, clock_timestamp(), d.manager_told_at, d.customer_told_at)
      FROM priority p
     WHERE d.ticket_id = v_ticket AND d.state = 'quarantined' AND p.priority = d.priority;
    IF NOT FOUND THEN
        RETURN 'not quarantined';
    END IF;
    INSERT INTO ticket_event (ticket_id, kind, actor) VALUES (v_ticket, 'released', p_actor);
    INSERT INTO outbox (aggregatetype, aggregateid, type, payload)
    VALUES ('ticket', v_ticket::text, 'squad.ticket.released.v1', json_build_object('ticket_id', v_ticket));
    RETURN 'released';
END $$;

REVOKE EXECUTE ON FUNCTION squad.ticket_prioritize(uuid, integer, timestamptz, text, text, text),
    squad.tell_at(squad.priority, timestamptz, timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION squad.tell_at(squad.priority, timestamptz, timestamptz, timestamptz) TO squad_assigner;
GRANT EXECUTE ON FUNCTION squad.ticket_prioritize(uuid, integer, timestamptz, text, text, text) TO squad_intake;

SELECT squad.register_migration(20, 'priority');
