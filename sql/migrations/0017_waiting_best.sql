-- The freed expert's best waiting ticket, soon also for one who can do nearly everything nearly everywhere.

CREATE FUNCTION squad.waiting_best(p_experts integer[], p_free integer[], p_look integer DEFAULT 300)
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
        SELECT x.expert_id, y.type, clock_timestamp() - lacks.age_s * interval '1 second' AS routable_by
          FROM asked x
          JOIN squad.ticket_type y ON y.type IN (SELECT f.type FROM first f)
          JOIN squad.priority p ON p.priority = y.priority,
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
                  FROM able a JOIN first f ON f.type = a.type AND f.routable_at <= a.routable_by
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
COMMENT ON FUNCTION squad.waiting_best(integer[], integer[], integer) IS
    'As waiting_for, quicker for experts who may take much of what waits: it looks at the p_look tickets whose turn is first, and asks waiting_for only for experts who do not find enough among them. Those found are the best: there is none before them.';
REVOKE EXECUTE ON FUNCTION squad.waiting_best(integer[], integer[], integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION squad.waiting_best(integer[], integer[], integer) TO squad_assigner;

SELECT squad.register_migration(17, 'waiting_best');
