-- $1 expert, $2 skills as {"tv":3}, $3 who. (outcome, body)
SELECT CASE x.outcome WHEN 'missing' THEN 'not-found' WHEN 'unknown_skill' THEN 'conflict' ELSE 'ok' END,
       CASE x.outcome WHEN 'missing' THEN 'There is no such expert.' WHEN 'unknown_skill' THEN 'One of the skills is not known here.'
                      ELSE json_build_object('expert_id', $1::integer, 'skills', $2::json)::text END
  FROM (SELECT expert_skills_set($1::integer, ARRAY(SELECT k FROM json_each_text($2::json) AS j (k, v) ORDER BY k),
                                 ARRAY(SELECT v::integer FROM json_each_text($2::json) AS j (k, v) ORDER BY k), $3) AS outcome) AS x
