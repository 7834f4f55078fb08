-- $1 expert, $2 first and $3 last day, $4 shifts as [{"from":"2026-11-24T08:00","to":"2026-11-24T16:00"}] in the expert's zone,
-- $5 who. (outcome, body)
SELECT CASE x.outcome WHEN 'missing' THEN 'not-found' WHEN 'changed' THEN 'ok' ELSE 'conflict' END,
       CASE x.outcome WHEN 'missing' THEN 'There is no such expert.' WHEN 'overlap' THEN 'Two shifts overlap.'
                      WHEN 'wrong_range' THEN 'A shift does not end after it begins, or begins on another day than those given.'
                      ELSE json_build_object('expert_id', $1::integer, 'from', $2::text, 'to', $3::text, 'shifts', $4::json)::text END
  FROM (SELECT expert_shifts_set($1::integer, $2::date, $3::date, ARRAY(SELECT (j ->> 'from')::timestamp FROM json_array_elements($4::json) AS j),
                                 ARRAY(SELECT (j ->> 'to')::timestamp FROM json_array_elements($4::json) AS j), $5) AS outcome) AS x
