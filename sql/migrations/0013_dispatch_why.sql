-- Why a ticket waits, or why this expert has it: for people, computed when they ask.

CREATE FUNCTION squad.ticket_why(p_ticket uuid) RETURNS json
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = squad, pg_temp
BEGIN ATOMIC
    WITH t AS (
        SELECT t.id, t.ref, t.type, t.area, coalesce(d.state, 'received') AS state, d.parked, d.assign_due, d.routable_at,
               d.retry_at, d.since, coalesce(d.priority, y.priority) AS priority, y.type IS NULL AS unknown,
               coalesce(y.duration_s, 0) * interval '1 second' AS lasts, clock_timestamp() AS at,
               p.relax_1_s, p.relax_2_s, p.relax_3_s
          FROM squad.ticket t
          LEFT JOIN squad.dispatch d ON d.ticket_id = t.id
          LEFT JOIN squad.ticket_type y ON y.type = t.type
          LEFT JOIN squad.priority p ON p.priority = coalesce(d.priority, y.priority)
         WHERE t.id = p_ticket
    ), needs AS (
        SELECT r.skill, r.min_level, r.importance, x.drops_at, r.importance > 0 AND x.drops_at <= t.at AS dropped
          FROM t JOIN squad.ticket_type_skill r ON r.type = t.type,
               LATERAL (SELECT t.routable_at + interval '1 second' * CASE r.importance WHEN 3 THEN t.relax_3_s WHEN 2 THEN t.relax_2_s
                                                                                     WHEN 1 THEN t.relax_1_s END AS drops_at) AS x
    ), judged AS MATERIALIZED (
        SELECT e.id, e.name, l.load, l.capacity AS slots, e.status,
               NOT e.active AS inactive,
               NOT EXISTS (SELECT FROM squad.expert_area a WHERE a.expert_id = e.id AND starts_with(t.area, a.prefix)) AS area,
               EXISTS (SELECT FROM needs n LEFT JOIN squad.expert_skill s ON s.expert_id = e.id AND s.skill = n.skill
                        WHERE NOT n.dropped AND coalesce(s.level, 0) < n.min_level) AS skill,
               e.schedule = 'shifts' AND NOT coalesce((SELECT range_agg(s.during) @> tstzrange(t.at, t.at + t.lasts)
                                                         FROM squad.expert_shift s
                                                        WHERE s.expert_id = e.id AND s.during && tstzrange(t.at, t.at + t.lasts)), false) AS shift,
               EXISTS (SELECT FROM squad.absence x WHERE x.expert_id = e.id AND x.during && tstzrange(t.at, t.at + t.lasts)) AS absent,
               e.status <> 'available' AS presence,
               EXISTS (SELECT FROM squad.exclusion x WHERE x.ticket_id = t.id AND x.expert_id = e.id
                                                       AND (x.until IS NULL OR x.until > t.at)) AS excluded,
               l.load >= l.capacity AS capacity
          FROM t, squad.expert e JOIN squad.expert_load l ON l.expert_id = e.id
         WHERE t.state IN ('received', 'parked', 'review') AND NOT t.unknown
    ), removed AS (
        SELECT j.*, f.n AS first, f.filters
          FROM judged j,
               LATERAL (SELECT min(x.n) AS n, array_agg(x.name ORDER BY x.n) AS filters
                          FROM (VALUES (1, 'inactive', j.inactive), (2, 'area', j.area), (3, 'skill', j.skill), (4, 'shift', j.shift),
                                       (5, 'absent', j.absent), (6, 'presence', j.presence), (7, 'excluded', j.excluded),
                                       (8, 'capacity', j.capacity)) AS x (n, name, fails) WHERE x.fails) AS f
    ), counts AS (
        SELECT f.n, f.name, f.keeps, count(r.id) FILTER (WHERE r.first = f.n) AS removed,
               count(r.id) FILTER (WHERE coalesce(r.first, 9) > f.n) AS left_over
          FROM (VALUES (1, 'inactive', 'active'), (2, 'area', 'serves the area'), (3, 'skill', 'has the skills'), (4, 'shift', 'on shift'),
                       (5, 'absent', 'not absent'), (6, 'presence', 'available'), (7, 'excluded', 'not excluded'),
                       (8, 'capacity', 'has a free slot')) AS f (n, name, keeps)
          LEFT JOIN removed r ON true
         GROUP BY f.n, f.name, f.keeps
    ), nearest AS (
        SELECT r.* FROM removed r WHERE NOT r.inactive AND r.filters IS NOT NULL
         ORDER BY cardinality(r.filters), r.first DESC, r.id LIMIT 5
    ), near AS (
        SELECT n.id, n.name, n.filters, cardinality(n.filters) AS k, n.first,
               json_strip_nulls(json_build_object('expert_id', n.id, 'name', n.name, 'lacks', n.filters,
                   'skills', (SELECT json_agg(json_build_object('skill', d.skill, 'has', coalesce(s.level, 0), 'needs', d.min_level) ORDER BY d.skill)
                                FROM needs d LEFT JOIN squad.expert_skill s ON s.expert_id = n.id AND s.skill = d.skill
                               WHERE NOT d.dropped AND coalesce(s.level, 0) < d.min_level),
                   'next_shift_at', CASE WHEN n.shift THEN (SELECT min(lower(s.during)) FROM squad.expert_shift s, t
                                                             WHERE s.expert_id = n.id AND lower(s.during) > t.at) END,
                   'absent_until', CASE WHEN n.absent THEN (SELECT max(upper(x.during)) FROM squad.absence x, t
                                                             WHERE x.expert_id = n.id AND x.during @> t.at) END,
                   'status', CASE WHEN n.presence THEN n.status END,
                   'excluded_until', CASE WHEN n.excluded THEN (SELECT coalesce(x.until::text, 'for ever') FROM squad.exclusion x
                                                                 WHERE x.ticket_id = p_ticket AND x.expert_id = n.id) END,
                   'load', CASE WHEN n.capacity THEN n.load || ' of ' || n.slots END)) AS body
          FROM nearest n
    )
    SELECT json_strip_nulls(json_build_object(
               'ref', t.ref, 'state', t.state, 'type', t.type, 'area', t.area, 'priority', t.priority, 'since', t.since,
               'assign_due', t.assign_due, 'overdue', CASE WHEN t.state = 'parked' THEN t.assign_due <= t.at END,
               'needs', (SELECT json_agg(json_build_object('skill', n.skill, 'min_level', n.min_level, 'importance', n.importance,
                                                           'dropped', n.dropped) ORDER BY n.skill) FROM needs n),
               'unknown_type', CASE WHEN t.unknown THEN t.type END,
               'waits', CASE WHEN t.state IN ('received', 'parked') AND NOT t.unknown THEN json_build_object(
                   'experts', (SELECT count(*) FROM judged),
                   'filters', (SELECT json_agg(json_build_object('filter', c.name, 'removed', c.removed, 'left', c.left_over) ORDER BY c.n)
                                 FROM counts c),
                   'words', (SELECT string_agg(c.keeps || ' ' || c.left_over, ' -> ' ORDER BY c.n) FROM counts c
                              WHERE c.n <= coalesce((SELECT min(z.n) FROM counts z WHERE z.left_over = 0), 8)),
                   'nearest', (SELECT json_agg(n.body ORDER BY n.k, n.first DESC, n.id) FROM near n),
                   'wakes', json_strip_nulls(json_build_object(
                       'next_shift_at', (SELECT min(lower(s.during)) FROM removed r JOIN squad.expert_shift s ON s.expert_id = r.id
                                          WHERE r.shift AND NOT r.inactive AND NOT r.area AND NOT r.skill AND lower(s.during) > t.at),
                       'back_from_absence_at', (SELECT min(upper(x.during)) FROM removed r JOIN squad.absence x ON x.expert_id = r.id
                                                 WHERE r.absent AND NOT r.inactive AND NOT r.area AND NOT r.skill AND upper(x.during) > t.at),
                       'next_relaxation', (SELECT json_build_object('at', n.drops_at, 'skill', n.skill) FROM needs n
                                            WHERE n.importance > 0 AND NOT n.dropped ORDER BY n.drops_at, n.skill LIMIT 1),
                       'exclusion_ends_at', (SELECT min(x.until) FROM squad.exclusion x WHERE x.ticket_id = t.id AND x.until > t.at),
                       'expert_freed', (SELECT nullif(count(*), 0) FROM removed r WHERE r.first = 8)))) END,
               'offers', (SELECT json_agg(json_strip_nulls(json_build_object(
                                     'expert_id', a.expert_id, 'name', e.name, 'state', a.state, 'attempt', a.attempt,
                                     'reserved_at', a.reserved_at, 'expires_at', CASE a.state WHEN 'offered' THEN a.expires_at END,
                                     'ended_at', a.ended_at, 'code', a.code, 'override', a.override, 'why', a.why,
                                     'others', (SELECT json_agg(json_build_object('expert_id', o.id, 'name', o.name, 'lost_by', r ->> 'by'))
                                                  FROM jsonb_array_elements(a.why -> 'rivals') AS r
                                                  JOIN squad.expert o ON o.id = (r ->> 'expert')::integer))) ORDER BY a.attempt)
                            FROM squad.assignment a JOIN squad.expert e ON e.id = a.expert_id WHERE a.ticket_id = t.id)))
      FROM t;
END;
COMMENT ON FUNCTION squad.ticket_why(uuid) IS
    'Why a ticket waits: how many experts each filter removed, in order, the nearest misses and what each lacks, what would wake it; and of every expert tried why he was chosen and who else would have done. Null: no such ticket. No personal data of the customer.';
REVOKE EXECUTE ON FUNCTION squad.ticket_why(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION squad.ticket_why(uuid) TO squad_intake;

SELECT squad.register_migration(13, 'dispatch_why');
