-- Why tickets wait: the last filter that removed an expert is the one that would have to give.
SELECT CASE WHEN parked ? 'undeliverable' THEN 'undeliverable'
            WHEN (parked->>'capacity')::integer > 0 THEN 'capacity'
            WHEN (parked->>'excluded')::integer > 0 THEN 'excluded'
            WHEN (parked->>'skill')::integer > 0 THEN 'skill'
            WHEN (parked->>'area')::integer > 0 THEN 'area'
            WHEN (parked->>'inactive')::integer > 0 THEN 'inactive'
            ELSE 'no experts' END AS reason, count(*) AS tickets
  FROM dispatch WHERE state = 'parked' GROUP BY 1 ORDER BY 2 DESC, 1
