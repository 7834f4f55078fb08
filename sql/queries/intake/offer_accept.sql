-- $1 offer, $2 expert or null, $3 who, $4 traceparent. (outcome, body)
SELECT CASE outcome WHEN 'missing' THEN 'not-found' WHEN 'gone' THEN 'assignment-ended' ELSE 'ok' END,
       CASE outcome WHEN 'missing' THEN 'There is no such offer.'
                    WHEN 'gone' THEN format('This offer is over: it is %s.', state)
                    ELSE json_build_object('id', $1, 'state', state, 'ref', ref, 'expert_id', expert_id)::text END
  FROM offer_accept($1::uuid, $2::integer, $3::text, $4::text)
