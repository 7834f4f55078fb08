-- $1 assignment, $2 expert or null, $3 en_route or on_site, $4 who, $5 traceparent. (outcome, body)
SELECT CASE outcome WHEN 'missing' THEN 'not-found' WHEN 'gone' THEN 'assignment-ended' WHEN 'not_accepted' THEN 'conflict' ELSE 'ok' END,
       CASE outcome WHEN 'missing' THEN 'Nobody has this ticket.'
                    WHEN 'gone' THEN format('The assignment is over: it is %s.', state)
                    WHEN 'not_accepted' THEN format('The expert has not accepted: the assignment is %s.', state)
                    ELSE json_build_object('id', $1, 'state', state, 'ref', ref, 'expert_id', expert_id)::text END
  FROM job_move($1::uuid, $2::integer, $3::text, $4::text, $5::text)
