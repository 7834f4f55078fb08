-- Numbers that squad status shows, by name; ages are microseconds, null when there is nothing.
-- $1: the relay's name (topic prefix).
SELECT (SELECT count(*) FROM ticket) AS tickets,
       seen.review, seen.quarantined, seen.parked, seen.assigned, seen.completed, seen.canceled,
       (SELECT count(*) FROM ticket t
         WHERE NOT EXISTS (SELECT FROM dispatch d WHERE d.ticket_id = t.id)) AS received,
       (SELECT (extract(epoch FROM now() - min(t.created_at)) * 1000000)::bigint FROM ticket t
         WHERE NOT EXISTS (SELECT FROM dispatch d WHERE d.ticket_id = t.id)) AS received_oldest_us,
       (extract(epoch FROM now() - seen.parked_since) * 1000000)::bigint AS parked_oldest_us,
       (extract(epoch FROM now() - seen.review_since) * 1000000)::bigint AS review_oldest_us,
       (extract(epoch FROM now() - seen.quarantined_since) * 1000000)::bigint AS quarantined_oldest_us,
       told.pending, told.retrying, told.delivered, told.undeliverable,
       (extract(epoch FROM now() - told.oldest) * 1000000)::bigint AS notice_oldest_us,
       (SELECT count(*) FROM outbox) AS outbox,
       (SELECT coalesce(max(seq), 0) FROM outbox) AS outbox_seq,
       late.n AS unpublished,
       (extract(epoch FROM now() - late.oldest) * 1000000)::bigint AS unpublished_oldest_us,
       p.leader, p.rows_total AS relay_rows, p.transactions_total AS relay_transactions,
       (extract(epoch FROM now() - p.leader_since) * 1000000)::bigint AS leader_us,
       (extract(epoch FROM now() - p.updated_at) * 1000000)::bigint AS position_us,
       (SELECT count(*) FROM relay_dead) AS dead
  FROM (SELECT count(*) FILTER (WHERE state = 'review') AS review,
               count(*) FILTER (WHERE state = 'parked') AS parked,
               count(*) FILTER (WHERE state = 'assigned') AS assigned,
               count(*) FILTER (WHERE state = 'completed') AS completed,
               count(*) FILTER (WHERE state = 'canceled') AS canceled,
               count(*) FILTER (WHERE state = 'quarantined') AS quarantined,
               min(since) FILTER (WHERE state = 'quarantined') AS quarantined_since,
               min(since) FILTER (WHERE state = 'parked') AS parked_since,
               min(since) FILTER (WHERE state = 'review') AS review_since
          FROM dispatch) AS seen,
       (SELECT count(*) FILTER (WHERE state = 'pending') AS pending,
               count(*) FILTER (WHERE state = 'sending') AS retrying,
               count(*) FILTER (WHERE state = 'delivered') AS delivered,
               count(*) FILTER (WHERE state = 'undeliverable') AS undeliverable,
               min(created_at) FILTER (WHERE state IN ('pending', 'sending')) AS oldest
          FROM notice) AS told
  LEFT JOIN relay_progress p ON p.relay = $1,
       LATERAL (SELECT count(*) AS n, min(o.at) AS oldest FROM outbox o
                 WHERE p.relay IS NULL
                    OR (o.xid >= pg_snapshot_xmin(p.snapshot_prev)
                        AND NOT pg_visible_in_snapshot(o.xid, p.snapshot_prev)
                        AND (p.snapshot_cur IS NULL OR o.seq > coalesce(p.last_seq, 0)
                             OR NOT pg_visible_in_snapshot(o.xid, p.snapshot_cur)))) AS late
