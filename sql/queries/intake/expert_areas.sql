-- $1 expert, $2 areas as ["280"], $3 who. (outcome, body)
SELECT CASE x.outcome WHEN 'missing' THEN 'not-found' ELSE 'ok' END,
       CASE x.outcome WHEN 'missing' THEN 'There is no such expert.' ELSE json_build_object('expert_id', $1::integer, 'areas', $2::json)::text END
  FROM (SELECT expert_areas_set($1::integer, ARRAY(SELECT DISTINCT a FROM json_array_elements_text($2::json) AS a ORDER BY 1), $3) AS outcome) AS x
