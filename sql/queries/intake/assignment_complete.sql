-- $1 assignment, $2 who, $3 traceparent. (outcome, body)
SELECT CASE outcome WHEN 'missing' THEN 'not-found' WHEN 'gone' THEN 'assignment-ended' ELSE 'ok' END,
       CASE outcome WHEN 'missing' THEN 'There is no such assignment.'
                    WHEN 'gone' THEN 'The expert could not be told of it, so it went to someone else.'
                    ELSE json_build_object('id', $1, 'state', state, 'ref', ref,
                             'ended_at', to_char(ended_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::text END
  FROM assignment_complete($1::uuid, $2::text, $3::text)
