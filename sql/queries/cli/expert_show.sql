-- Everything about expert $1.
SELECT json_build_object(
    'expert_id', e.expert_id, 'name', e.name, 'active', e.active, 'status', e.status, 'status_since', e.status_since,
    'status_reason', e.status_reason, 'schedule', e.schedule, 'zone', x.zone, 'on_shift', e.on_shift, 'absent', e.absent,
    'load', e.load, 'capacity', e.capacity, 'idle_s', e.idle_s, 'skills', e.skills, 'areas', e.areas,
    'location', (SELECT json_build_object('lat', l.lat, 'lon', l.lon, 'at', l.at) FROM expert_location l WHERE l.expert_id = e.expert_id),
    'jobs', coalesce((SELECT json_agg(o) FROM (
        SELECT o.ref, o.state, o.reserved_at, o.accepted_at, o.expires_in_s FROM rpt.offer o
         WHERE o.expert_id = e.expert_id ORDER BY o.reserved_at) AS o), '[]'),
    'week', coalesce((SELECT json_agg(json_build_object('weekday', p.weekday, 'starts', to_char(p.starts, 'HH24:MI'), 'ends', to_char(p.ends, 'HH24:MI'))
                                      ORDER BY p.weekday, p.starts) FROM shift_pattern p WHERE p.expert_id = e.expert_id), '[]'),
    'shifts', coalesce((SELECT json_agg(s) FROM (
        SELECT lower(s.during) AS starts, upper(s.during) AS ends, to_char(lower(s.during) AT TIME ZONE x.zone, 'Dy DD Mon HH24:MI') AS from_local,
               to_char(upper(s.during) AT TIME ZONE x.zone, 'HH24:MI') AS to_local, s.source
          FROM expert_shift s WHERE s.expert_id = e.expert_id AND upper(s.during) > clock_timestamp() ORDER BY lower(s.during) LIMIT 7) AS s), '[]'),
    'absences', coalesce((SELECT json_agg(a) FROM (
        SELECT a.id, lower(a.during) AS starts, upper(a.during) AS ends, to_char(lower(a.during) AT TIME ZONE x.zone, 'Dy DD Mon HH24:MI') AS from_local,
               to_char(upper(a.during) AT TIME ZONE x.zone, 'Dy DD Mon HH24:MI') AS to_local, a.reason
          FROM absence a WHERE a.expert_id = e.expert_id AND (upper_inf(a.during) OR upper(a.during) > clock_timestamp()) ORDER BY 2) AS a), '[]'),
    'history', coalesce((SELECT json_agg(h) FROM (
        SELECT h.at, h.kind, h.actor, h.detail FROM expert_event h WHERE h.expert_id = e.expert_id ORDER BY h.seq DESC LIMIT 10) AS h), '[]'))
  FROM rpt.expert e JOIN expert x ON x.id = e.expert_id WHERE e.expert_id = $1::integer
