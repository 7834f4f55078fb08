-- The manager's board; $1: rows of each list.
SELECT json_build_object(
    'at', clock_timestamp(),
    'tickets', (SELECT json_build_object('received', sum(b.tickets) FILTER (WHERE b.state = 'received'), 'review', sum(b.tickets) FILTER (WHERE b.state = 'review'),
                       'quarantined', sum(b.tickets) FILTER (WHERE b.state = 'quarantined'),
                       'parked', sum(b.tickets) FILTER (WHERE b.state = 'parked'), 'assigned', sum(b.tickets) FILTER (WHERE b.state = 'assigned'))
                  FROM rpt.backlog b),
    'overdue', (SELECT count(*) FROM dispatch d WHERE d.state = 'parked' AND d.assign_due <= clock_timestamp()),
    'jobs', (SELECT json_build_object('reserved', count(*) FILTER (WHERE a.state = 'reserved'), 'offered', count(*) FILTER (WHERE a.state = 'offered'),
                    'accepted', count(*) FILTER (WHERE a.state = 'accepted'), 'en_route', count(*) FILTER (WHERE a.state = 'en_route'),
                    'on_site', count(*) FILTER (WHERE a.state = 'on_site'))
               FROM assignment a WHERE a.ended_at IS NULL),
    'experts', (SELECT json_build_object('all', count(*), 'available', count(*) FILTER (WHERE e.status = 'available' AND e.on_shift AND NOT e.absent),
                       'busy', count(*) FILTER (WHERE e.status = 'busy'), 'break', count(*) FILTER (WHERE e.status = 'break'),
                       'offline', count(*) FILTER (WHERE e.status = 'offline'), 'off_shift', count(*) FILTER (WHERE NOT e.on_shift),
                       'absent', count(*) FILTER (WHERE e.absent), 'slots_used', coalesce(sum(e.load), 0), 'slots', coalesce(sum(e.capacity), 0))
                  FROM rpt.expert e WHERE e.active),
    'waiting', coalesce((
        SELECT json_agg(w) FROM (
            SELECT p.ref, p.type, p.area, p.priority, p.age_s, p.assign_due, p.overdue, p.attempts, p.why, p.retry_at
              FROM rpt.parked p ORDER BY p.overdue DESC, p.priority, p.assign_due, p.created_at, p.ref LIMIT $1::integer) AS w), '[]'),
    'offers', coalesce((
        SELECT json_agg(o) FROM (
            SELECT o.ref, o.expert_id, o.expert, o.state, o.attempt, o.offers, o.reserved_at, o.expires_in_s, o.override
              FROM rpt.offer o WHERE o.state IN ('reserved', 'offered') ORDER BY o.expires_in_s NULLS LAST, o.reserved_at, o.ref LIMIT $1::integer) AS o), '[]'),
    'work', coalesce((
        SELECT json_agg(o) FROM (
            SELECT o.ref, o.expert_id, o.expert, o.state, coalesce(o.on_site_at, o.en_route_at, o.accepted_at) AS since, o.override
              FROM rpt.offer o WHERE o.state NOT IN ('reserved', 'offered')
             ORDER BY coalesce(o.on_site_at, o.en_route_at, o.accepted_at), o.ref LIMIT $1::integer) AS o), '[]'),
    'orphaned', coalesce((SELECT json_agg(o) FROM (SELECT * FROM rpt.orphaned o ORDER BY o.accepted_at LIMIT $1::integer) AS o), '[]'),
    'review', coalesce((SELECT json_agg(r) FROM (SELECT r.ref, r.type, r.area, r.age_s FROM rpt.review r ORDER BY r.created_at LIMIT $1::integer) AS r), '[]'),
    'skill_reviews', coalesce((SELECT json_agg(r) FROM (SELECT * FROM rpt.skill_review r ORDER BY r.opened_at LIMIT $1::integer) AS r), '[]'))
