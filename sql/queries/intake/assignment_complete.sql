-- $1 assignment, $2 who, $3 traceparent. The body is that of the 200.
SELECT outcome,
       json_build_object('id', $1, 'state', state, 'ref', ref,
                         'ended_at', to_char(ended_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
  FROM assignment_complete($1::uuid, $2::text, $3::text)
