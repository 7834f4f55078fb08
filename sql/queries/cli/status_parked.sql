-- Why tickets wait: the last filter that removed an expert is the one that would have to give; of a ticket that no
-- filter has seen since, what happened to it.
SELECT CASE WHEN NOT parked ? 'experts' THEN coalesce((SELECT min(k) FROM jsonb_object_keys(parked) AS k), 'unknown')
            WHEN (parked->>'capacity')::integer > 0 THEN 'capacity'
            WHEN (parked->>'excluded')::integer > 0 THEN 'excluded'
            WHEN (parked->>'presence')::integer > 0 THEN 'presence'
            WHEN (parked->>'absent')::integer > 0 THEN 'absent'
            WHEN (parked->>'shift')::integer > 0 THEN 'shift'
            WHEN (parked->>'skill')::integer > 0 THEN 'skill'
            WHEN (parked->>'area')::integer > 0 THEN 'area'
            WHEN (parked->>'inactive')::integer > 0 THEN 'inactive'
            ELSE 'no experts' END AS reason, count(*) AS tickets
  FROM dispatch WHERE state = 'parked' GROUP BY 1 ORDER BY 2 DESC, 1
