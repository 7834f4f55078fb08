-- P8: nothing waits in silence, and no row contradicts another; $1: seconds that a step may take.
SELECT count(*) OVER () AS total, id, what FROM (
    SELECT t.id::text, format('ticket %s was received %s s ago and no assigner has seen it', t.ref,
                              extract(epoch FROM now() - t.created_at)::integer)
      FROM ticket t
     WHERE t.created_at < now() - make_interval(secs => $1)
       AND NOT EXISTS (SELECT FROM dispatch d WHERE d.ticket_id = t.id)
    UNION ALL
    SELECT d.ticket_id::text, 'parked without a reason' FROM dispatch d
     WHERE d.state = 'parked' AND coalesce(d.parked, '{}') = '{}'
    UNION ALL
    SELECT d.ticket_id::text, format('dispatch says %s, its assignments say otherwise', d.state)
      FROM dispatch d
      LEFT JOIN (SELECT ticket_id, bool_or(ended_at IS NULL) AS live,
                        bool_or(state = 'completed') AS done
                   FROM assignment GROUP BY ticket_id) AS a USING (ticket_id)
     WHERE (d.state = 'assigned') <> coalesce(a.live, false) OR (d.state = 'completed') <> coalesce(a.done, false)
    UNION ALL
    SELECT d.ticket_id::text, 'in review, though its type is known' FROM dispatch d
     WHERE d.state = 'review' AND d.since < now() - make_interval(secs => $1)
       AND EXISTS (SELECT FROM ticket_type y WHERE y.type = d.type)
    UNION ALL
    SELECT a.ticket_id::text, format('offered to expert %s, who did not answer; expired %s s ago', a.expert_id,
                                     extract(epoch FROM now() - a.expires_at)::integer)
      FROM assignment a WHERE a.state = 'offered' AND a.expires_at < now() - make_interval(secs => $1)
    UNION ALL
    SELECT d.ticket_id::text, 'waits, and nobody has been told' FROM dispatch d
     WHERE d.state = 'parked' AND d.tell_at < now() - make_interval(secs => $1)
    UNION ALL
    -- Judged on the oldest ticket of each type and postcode, by the rules as they are now and as they
    -- were at the beginning of the grace.
    SELECT kind.ticket_id::text, format('parked, though expert %s could take it', fit.id)
      FROM (SELECT DISTINCT ON (d.type, d.area) d.ticket_id, d.type, d.area FROM dispatch d
             WHERE d.state = 'parked' AND d.since < now() - make_interval(secs => $1)
             ORDER BY d.type, d.area, d.created_at) AS kind,
           LATERAL (
               SELECT e.id
                 FROM expert e JOIN expert_load l ON l.expert_id = e.id
                WHERE e.active AND e.status = 'available' AND l.load < l.capacity
                  AND e.changed_at < now() - make_interval(secs => $1)
                  AND l.idle_since < now() - make_interval(secs => $1)
                  AND NOT EXISTS (SELECT FROM assignment a
                                   WHERE a.expert_id = e.id AND a.ended_at > now() - make_interval(secs => $1))
                  AND EXISTS (SELECT FROM expert_area x WHERE x.expert_id = e.id AND starts_with(kind.area, x.prefix))
                  AND NOT EXISTS (SELECT FROM ticket_type_skill r
                                    LEFT JOIN expert_skill s ON s.expert_id = e.id AND s.skill = r.skill
                                   WHERE r.type = kind.type AND r.importance = 0 AND coalesce(s.level, 0) < r.min_level)
                  AND expert_breaks(kind.ticket_id, e.id, now()) = '{}'
                  AND expert_breaks(kind.ticket_id, e.id, now() - make_interval(secs => $1)) = '{}'
                LIMIT 1) AS fit
) AS waiting (id, what)
 LIMIT 20
