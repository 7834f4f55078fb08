-- $1 expert, $2 latitude, $3 longitude, $4 when (null: now). (outcome, body)
SELECT CASE WHEN e.id IS NULL THEN 'not-found' ELSE 'ok' END,
       CASE WHEN e.id IS NULL THEN 'There is no such expert.'
            ELSE json_build_object('expert_id', e.id, 'known', expert_location_set(ARRAY[e.id], ARRAY[$2::float8], ARRAY[$3::float8],
                     ARRAY[least(coalesce($4::timestamptz, clock_timestamp()), clock_timestamp())]) > 0)::text END
  FROM (SELECT) AS one LEFT JOIN expert e ON e.id = $1::integer
