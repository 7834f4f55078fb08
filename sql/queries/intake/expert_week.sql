-- $1 expert, $2 zone or null, $3 week as [{"weekday":1,"starts":"08:00","ends":"16:00"}], $4 who. (outcome, body)
-- Outcome unknown_zone has no body.
SELECT CASE x.outcome WHEN 'missing' THEN 'not-found' WHEN 'overlap' THEN 'conflict' WHEN 'changed' THEN 'ok' ELSE x.outcome END,
       CASE x.outcome WHEN 'missing' THEN 'There is no such expert.' WHEN 'overlap' THEN 'Two working times of the week overlap.'
                      WHEN 'changed' THEN json_build_object('expert_id', $1::integer, 'week', $3::json)::text END
  FROM (SELECT expert_pattern_set($1::integer, $2::text, ARRAY(SELECT (j ->> 'weekday')::integer FROM json_array_elements($3::json) AS j),
                                  ARRAY(SELECT (j ->> 'starts')::time FROM json_array_elements($3::json) AS j),
                                  ARRAY(SELECT (j ->> 'ends')::time FROM json_array_elements($3::json) AS j), $4) AS outcome) AS x
