-- $1 expert, $2 presence, $3 reason, $4 who. (outcome, body)
SELECT CASE outcome WHEN 'missing' THEN 'not-found' ELSE 'ok' END,
       CASE outcome WHEN 'missing' THEN 'There is no such expert.'
                    ELSE json_build_object('expert_id', $1::integer, 'status', status, 'rescinded', rescinded, 'keeps', keeps)::text END
  FROM expert_status_set($1::integer, $2::text, $3::text, $4::text)
