-- Experts with presence $1, skill $2 and an area that serves postcode $3 (null: any), at most $4.
SELECT coalesce(json_agg(x), '[]') FROM (
    SELECT e.expert_id, e.name, e.active, e.status, e.on_shift, e.absent, e.load, e.capacity, e.idle_s, e.skills, e.areas, e.live_tickets
      FROM rpt.expert e
     WHERE ($1::text IS NULL OR e.status = $1)
       AND ($2::text IS NULL OR EXISTS (SELECT FROM expert_skill s WHERE s.expert_id = e.expert_id AND s.skill = $2))
       AND ($3::text IS NULL OR EXISTS (SELECT FROM expert_area a WHERE a.expert_id = e.expert_id AND starts_with($3, a.prefix)))
     ORDER BY e.expert_id LIMIT $4::integer) AS x
