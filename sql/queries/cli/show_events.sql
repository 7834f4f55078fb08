-- What happened to a ticket, as the tables know it; publishing is in Kafka.
SELECT (extract(epoch FROM at) * 1000000)::bigint AS at_us, kind, program, detail
  FROM (SELECT t.created_at, 0::bigint, 'received', 'intake',
               jsonb_strip_nulls(jsonb_build_object('type', t.type, 'area', t.area, 'source', t.source,
                   'contract', t.contract, 'client', c.name, 'call_provider', t.call_provider))
          FROM ticket t LEFT JOIN client c ON c.id = t.client_id
         WHERE t.id = $1
        UNION ALL
        SELECT v.at, v.seq, v.kind,
               CASE WHEN v.actor ~ '^(assigner|notifier)/' THEN split_part(v.actor, '/', 1)
                    WHEN v.kind = 'released' THEN 'squad' ELSE 'intake' END,
               v.detail || jsonb_strip_nulls(jsonb_build_object('actor', v.actor, 'expert', e.name,
                   'why', CASE WHEN v.kind = 'reserved' THEN a.why END,
                   'attempt', CASE WHEN v.kind = 'reserved' THEN a.attempt END,
                   'due_us', (extract(epoch FROM (v.detail->>'due')::timestamptz) * 1000000)::bigint))
          FROM ticket_event v
          LEFT JOIN assignment a ON a.id = (v.detail->>'assignment_id')::uuid
          LEFT JOIN expert e ON e.id = (v.detail->>'expert_id')::integer
         WHERE v.ticket_id = $1) AS happened (at, seq, kind, program, detail)
 ORDER BY at, seq
