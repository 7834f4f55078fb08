-- $1 reference or $2 id, $3 expert or null, $4 reason, $5 override, $6 who, $7 traceparent. (outcome, body)
SELECT CASE outcome WHEN 'refused' THEN 'conflict' WHEN 'missing' THEN 'not-found' WHEN 'gone' THEN 'conflict' ELSE 'ok' END,
       CASE outcome WHEN 'missing' THEN 'There is no such expert.'
                    WHEN 'gone' THEN format('The ticket is %s: nobody can be given it.', state)
                    WHEN 'refused' THEN format('The expert %s.%s', (SELECT string_agg(rule_words(b), ', ') FROM unnest(broken) AS b),
                        CASE WHEN broken && ARRAY['capacity', 'type'] THEN '' ELSE ' With "override": true it is done all the same, and recorded.' END)
                    ELSE json_build_object('ref', t.ref, 'state', r.state, 'outcome', r.outcome, 'assignment_id', r.assignment_id,
                                           'override', to_json(coalesce(r.broken, '{}')))::text END
  FROM (SELECT t.id, t.ref FROM ticket t WHERE t.ref = $1 OR t.id = $2::uuid) AS t,
       LATERAL ticket_reassign(t.id, $3::integer, $4::text, $5::boolean, $6::text, $7::text) AS r
