-- What happened to a ticket, as the tables know it; publishing is in Kafka.
SELECT (extract(epoch FROM at) * 1000000)::bigint AS at_us, kind, program, detail
  FROM (SELECT t.created_at, 0::bigint, 'received', 'intake',
               jsonb_strip_nulls(jsonb_build_object('type', t.type, 'area', t.area, 'source', t.source,
                   'contract', t.contract, 'client', c.name, 'call_provider', t.call_provider))
          FROM ticket t LEFT JOIN client c ON c.id = t.client_id
         WHERE t.id = $1
        UNION ALL
        SELECT v.at, v.seq, v.kind,
               CASE WHEN v.kind IN ('review', 'parked', 'reserved') THEN 'assigner'
                    WHEN v.kind = 'completed' THEN 'intake' ELSE 'notifier' END,
               v.detail || jsonb_strip_nulls(jsonb_build_object('actor', v.actor, 'expert', e.name,
                   'why', CASE WHEN v.kind = 'reserved' THEN a.why END,
                   'attempt', CASE WHEN v.kind = 'reserved' THEN a.attempt END))
          FROM ticket_event v
          LEFT JOIN assignment a ON a.id::text = v.detail->>'assignment_id'
          LEFT JOIN expert e ON e.id::text = v.detail->>'expert_id'
         WHERE v.ticket_id = $1) AS happened (at, seq, kind, program, detail)
 ORDER BY at, seq
