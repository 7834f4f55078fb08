-- Why a ticket waits, or why this expert has it: one answer for HTTP, for the command and for psql. In a large company
-- only those who serve the area are looked at one by one.

CREATE FUNCTION squad.filter_words(p_filter text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = squad, pg_temp
RETURN CASE p_filter WHEN 'inactive' THEN 'active' WHEN 'area' THEN 'serves the area' WHEN 'skill' THEN 'has the skills'
                     WHEN 'shift' THEN 'on shift' WHEN 'absent' THEN 'not absent' WHEN 'presence' THEN 'available'
                     WHEN 'excluded' THEN 'not excluded' WHEN 'capacity' THEN 'has a free slot' ELSE p_filter END;
COMMENT ON FUNCTION squad.filter_words(text) IS 'What an expert is who passes a filter, for people.';

CREATE FUNCTION squad.ticket_why(p_ticket uuid, p_at timestamptz DEFAULT clock_timestamp()) RETURNS json
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = squad, pg_temp AS $$
DECLARE
    filters constant text[] := ARRAY['inactive', 'area', 'skill', 'shift', 'absent', 'presence', 'excluded', 'capacity'];
    near_max constant integer := 5;
    outside_max constant integer := 1000;
    v record;
    v_needs json;
    v_filters json;
    v_chain text;
    v_near json;
    v_wakes json;
    v_others json;
    v_experts integer;
    v_left integer;
BEGIN
    SELECT t.id, t.ref, t.type, t.area, t.created_at, coalesce(d.state, 'received') AS state, coalesce(d.since, t.created_at) AS since,
           coalesce(d.priority, y.priority) AS priority, d.assign_due, coalesce(d.assign_due <= p_at, false) AS overdue,
           coalesce(d.routable_at, t.created_at) AS routable_at, coalesce(d.attempts, 0) AS attempts, d.retry_at, d.parked,
           y.type IS NOT NULL AS known_type, coalesce(y.duration_s, 0) AS job_s,
           tstzrange(p_at, p_at + coalesce(y.duration_s, 0) * interval '1 second') AS job
      INTO v
      FROM ticket t LEFT JOIN dispatch d ON d.ticket_id = t.id LEFT JOIN ticket_type y ON y.type = t.type
     WHERE t.id = p_ticket;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    -- What every expert of the area lacks, set-wise; of the others, who are only counted, some as near misses.
    WITH need AS MATERIALIZED (
        SELECT r.skill, r.min_level, r.importance,
               v.routable_at + interval '1 second' * CASE r.importance WHEN 3 THEN p.relax_3_s WHEN 2 THEN p.relax_2_s
                                                                       WHEN 1 THEN p.relax_1_s END AS dropped_at
          FROM ticket_type_skill r LEFT JOIN priority p ON p.priority = v.priority
         WHERE r.type = v.type
    ), needed AS MATERIALIZED (
        SELECT n.* FROM need n WHERE n.dropped_at IS NULL OR n.dropped_at > p_at
    ), area AS MATERIALIZED (
        SELECT DISTINCT a.expert_id FROM expert_area a
         WHERE a.prefix IN (SELECT left(v.area, i) FROM generate_series(1, length(v.area)) AS i)
    ), person AS MATERIALIZED (
        SELECT e.id, true AS inside FROM area a JOIN expert e ON e.id = a.expert_id AND e.active
        UNION ALL
        (SELECT e.id, false FROM expert e WHERE e.active AND NOT EXISTS (SELECT FROM area a WHERE a.expert_id = e.id)
          ORDER BY e.id LIMIT outside_max)
    ), skilled AS (
        SELECT s.expert_id FROM person p JOIN expert_skill s ON s.expert_id = p.id JOIN needed n ON n.skill = s.skill AND s.level >= n.min_level
         GROUP BY s.expert_id HAVING count(*) = (SELECT count(*) FROM needed)
    ), working AS (
        SELECT s.expert_id FROM person p JOIN expert_shift s ON s.expert_id = p.id WHERE s.during && v.job
         GROUP BY s.expert_id HAVING range_agg(s.during) @> v.job
    ), away AS (
        SELECT x.expert_id, max(upper(x.during)) AS until, bool_or(upper_inf(x.during)) AS open
          FROM absence x WHERE x.during && v.job GROUP BY x.expert_id
    ), barred AS (
        SELECT x.expert_id, x.until, x.reason FROM exclusion x
         WHERE x.ticket_id = v.id AND (x.until IS NULL OR x.until > p_at)
    ), fact AS MATERIALIZED (
        SELECT e.id, p.inside, e.name, e.status, l.load, l.capacity, l.idle_since, aw.until AS away_until, b.until AS barred_until, b.reason AS barred_why,
               array_remove(ARRAY[
                   CASE WHEN NOT p.inside THEN 2 END,
                   CASE WHEN s.expert_id IS NULL AND EXISTS (SELECT FROM needed) OR NOT v.known_type THEN 3 END,
                   CASE WHEN e.schedule = 'shifts' AND w.expert_id IS NULL THEN 4 END,
                   CASE WHEN aw.expert_id IS NOT NULL THEN 5 END, CASE WHEN e.status <> 'available' THEN 6 END,
                   CASE WHEN b.expert_id IS NOT NULL THEN 7 END, CASE WHEN l.load >= l.capacity THEN 8 END], NULL) AS lacks
          FROM person p JOIN expert e ON e.id = p.id LEFT JOIN expert_load l ON l.expert_id = e.id
          LEFT JOIN skilled s ON s.expert_id = e.id LEFT JOIN working w ON w.expert_id = e.id
          LEFT JOIN away aw ON aw.expert_id = e.id LEFT JOIN barred b ON b.expert_id = e.id
    ), removed AS MATERIALIZED (
        SELECT coalesce(f.lacks[1], 9) AS n, count(*) AS experts FROM fact f WHERE f.inside GROUP BY 1
        UNION ALL
        SELECT k.n, CASE k.n WHEN 1 THEN c.inactive ELSE c.experts - c.inactive - (SELECT count(*) FROM person p WHERE p.inside) END
          FROM (SELECT count(*) AS experts, count(*) FILTER (WHERE NOT e.active) AS inactive FROM expert e) AS c, (VALUES (1), (2)) AS k (n)
    ), step AS (
        SELECT f.n, filters[f.n] AS filter, coalesce(r.experts, 0) AS removed,
               (SELECT coalesce(sum(l.experts), 0) FROM removed l WHERE l.n > f.n) AS left_over
          FROM generate_series(1, 8) AS f (n) LEFT JOIN removed r ON r.n = f.n
    ), near AS (
        SELECT f.* FROM fact f WHERE f.lacks <> '{}' AND f.lacks[1] > 1
         ORDER BY cardinality(f.lacks), f.lacks[1] DESC, f.load::float8 / greatest(f.capacity, 1), f.id LIMIT near_max
    ), next_shift AS (
        SELECT f.id, f.name, lower(s.during) AS at FROM fact f JOIN expert_shift s ON s.expert_id = f.id
         WHERE f.lacks = '{4}' AND lower(s.during) > p_at AND upper(s.during) - lower(s.during) >= v.job_s * interval '1 second'
         ORDER BY lower(s.during), f.id LIMIT 1
    ), wake AS (
        SELECT 'shift' AS what, x.at, x.id, x.name, NULL::text AS detail FROM next_shift x
        UNION ALL
        (SELECT 'relaxation', n.dropped_at, NULL, NULL, n.skill || '>=' || n.min_level FROM needed n WHERE n.dropped_at IS NOT NULL
          ORDER BY n.dropped_at, n.skill LIMIT 1)
        UNION ALL
        (SELECT 'exclusion', f.barred_until, f.id, f.name, f.barred_why FROM fact f WHERE f.lacks = '{7}' AND f.barred_until IS NOT NULL
          ORDER BY f.barred_until, f.id LIMIT 1)
        UNION ALL
        (SELECT 'absence', f.away_until, f.id, f.name, NULL FROM fact f WHERE f.lacks = '{5}' AND f.away_until IS NOT NULL
          ORDER BY f.away_until, f.id LIMIT 1)
        UNION ALL
        (SELECT 'presence', NULL, f.id, f.name, f.status FROM fact f WHERE f.lacks = '{6}' ORDER BY f.id LIMIT 3)
        UNION ALL
        (SELECT 'freed', NULL, f.id, f.name, format('%s of %s', f.load, f.capacity) FROM fact f WHERE f.lacks = '{8}' ORDER BY f.id LIMIT 3)
    )
    SELECT (SELECT json_agg(json_build_object('skill', n.skill, 'min_level', n.min_level, 'importance', n.importance,
                                              'dropped_at', n.dropped_at, 'dropped', coalesce(n.dropped_at <= p_at, false))
                            ORDER BY n.importance, n.skill) FROM need n),
           (SELECT json_agg(json_build_object('filter', s.filter, 'removed', s.removed, 'left', s.left_over) ORDER BY s.n) FROM step s),
           (SELECT string_agg(CASE WHEN s.filter = 'skill'
                                   THEN 'skill ' || coalesce((SELECT string_agg(n.skill || '>=' || n.min_level, ' ' ORDER BY n.skill) FROM needed n), '?')
                                   ELSE filter_words(s.filter) END || ' ' || s.left_over, ' -> ' ORDER BY s.n)
              FROM step s WHERE s.removed > 0),
           (SELECT json_agg(json_build_object('expert_id', n.id, 'name', n.name, 'lacks', (
                SELECT json_agg(json_build_object('filter', filters[k.i], 'what', CASE k.i
                           WHEN 2 THEN 'does not serve ' || v.area || ', serves ' ||
                                coalesce((SELECT string_agg(a.prefix, ', ' ORDER BY a.prefix) FROM expert_area a WHERE a.expert_id = n.id), 'nowhere')
                           WHEN 3 THEN coalesce((SELECT string_agg(CASE WHEN s.level IS NULL THEN format('has no %s, needs %s', d.skill, d.min_level) ELSE format('has %s %s, needs %s', d.skill, s.level, d.min_level) END, ', ' ORDER BY d.skill)
                                          FROM needed d LEFT JOIN expert_skill s ON s.expert_id = n.id AND s.skill = d.skill
                                         WHERE coalesce(s.level, 0) < d.min_level), 'the type is unknown')
                           WHEN 4 THEN coalesce('next shift from ' || (SELECT to_char(lower(s.during) AT TIME ZONE e.zone, 'Dy DD Mon HH24:MI ') || e.zone
                                                   FROM expert_shift s JOIN expert e ON e.id = s.expert_id
                                                  WHERE s.expert_id = n.id AND lower(s.during) > p_at ORDER BY lower(s.during) LIMIT 1),
                                                'no shift is planned')
                           WHEN 5 THEN 'absent' || coalesce(' until ' || (SELECT to_char(n.away_until AT TIME ZONE e.zone, 'Dy DD Mon HH24:MI ') || e.zone FROM expert e WHERE e.id = n.id), '')
                           WHEN 6 THEN CASE n.status WHEN 'break' THEN 'is on break' ELSE 'is ' || n.status END
                           WHEN 7 THEN format('was tried: %s', n.barred_why)
                           WHEN 8 THEN format('%s of %s slots used', n.load, n.capacity) END) ORDER BY k.i)
                  FROM unnest(n.lacks) AS k (i)))
                ORDER BY cardinality(n.lacks), n.lacks[1] DESC, n.load::float8 / greatest(n.capacity, 1), n.id) FROM near n),
           (SELECT json_agg(json_strip_nulls(json_build_object('what', w.what, 'at', w.at, 'expert_id', w.id, 'name', w.name, 'detail', w.detail))
                            ORDER BY w.at NULLS LAST, w.what, w.id) FROM wake w),
           (SELECT json_agg(json_build_object('expert_id', o.id, 'name', o.name, 'load', o.load, 'capacity', o.capacity,
                                              'idle_s', floor(extract(epoch FROM p_at - o.idle_since))::bigint)
                            ORDER BY o.load::float8 / greatest(o.capacity, 1), o.idle_since, o.id)
              FROM (SELECT * FROM fact f
                     WHERE f.lacks = '{}' AND NOT EXISTS (SELECT FROM assignment a WHERE a.ticket_id = v.id AND a.expert_id = f.id AND a.ended_at IS NULL)
                     ORDER BY f.load::float8 / greatest(f.capacity, 1), f.idle_since, f.id LIMIT near_max) AS o),
           (SELECT coalesce(sum(r.experts), 0) FROM removed r), coalesce((SELECT r.experts FROM removed r WHERE r.n = 9), 0)
      INTO v_needs, v_filters, v_chain, v_near, v_wakes, v_others, v_experts, v_left;
    RETURN json_build_object(
        'ref', v.ref, 'ticket_id', v.id, 'state', v.state, 'type', v.type, 'area', v.area, 'priority', v.priority,
        'created_at', v.created_at, 'since', v.since, 'assign_due', v.assign_due, 'overdue', v.overdue, 'attempts', v.attempts,
        'job_s', v.job_s, 'needs', coalesce(v_needs, '[]'), 'experts', v_experts, 'fit', v_left, 'filters', v_filters,
        'chain', concat_ws(' -> ', v_experts || CASE v_experts WHEN 1 THEN ' expert' ELSE ' experts' END, v_chain),
        'parked', CASE v.state WHEN 'parked' THEN v.parked END, 'retry_at', v.retry_at,
        'near', CASE WHEN v.state IN ('received', 'review', 'parked') THEN coalesce(v_near, '[]') ELSE '[]' END,
        'wakes', CASE WHEN v.state IN ('received', 'review', 'parked') THEN coalesce(v_wakes, '[]') ELSE '[]' END,
        'others', coalesce(v_others, '[]'),
        'tried', coalesce((
            SELECT json_agg(json_strip_nulls(json_build_object(
                       'assignment_id', a.id, 'expert_id', a.expert_id, 'name', e.name, 'attempt', a.attempt, 'state', a.state,
                       'live', a.ended_at IS NULL, 'code', a.code, 'reserved_at', a.reserved_at, 'expires_at', a.expires_at,
                       'ended_at', a.ended_at, 'override', a.override,
                       'why', a.why - 'rivals' || jsonb_build_object('rivals', coalesce((
                           SELECT jsonb_agg(r.rival || jsonb_build_object('name', x.name) ORDER BY r.n)
                             FROM jsonb_array_elements(a.why -> 'rivals') WITH ORDINALITY AS r (rival, n)
                             LEFT JOIN expert x ON x.id = (r.rival ->> 'expert')::integer), '[]')))) ORDER BY a.attempt)
              FROM assignment a JOIN expert e ON e.id = a.expert_id WHERE a.ticket_id = v.id), '[]'));
END $$;
COMMENT ON FUNCTION squad.ticket_why(uuid, timestamptz) IS
    'Why a ticket waits or who has it and why, as things are at p_at: how many experts each filter removes in order, the nearest misses and what each lacks (outside the area among the first 1,000), what will wake it, who was tried, who else would do. Null: no such ticket.';

SELECT squad.register_migration(13, 'why');
