-- What is still to be done, apart from tickets that wait for an expert; $1: the topic prefix, which
-- names the relay. unpublished is null before the relay's first copy of its position.
SELECT (SELECT count(*) FROM ticket t WHERE NOT EXISTS (SELECT FROM dispatch d WHERE d.ticket_id = t.id)) AS unseen,
       (SELECT count(*) FROM notice WHERE state IN ('pending', 'sending')) AS notices,
       (SELECT (SELECT count(*) FROM outbox o
                 WHERE o.xid >= pg_snapshot_xmin(p.snapshot_prev)
                   AND NOT pg_visible_in_snapshot(o.xid, p.snapshot_prev)
                   AND (p.snapshot_cur IS NULL OR o.seq > coalesce(p.last_seq, 0)
                        OR NOT pg_visible_in_snapshot(o.xid, p.snapshot_cur)))
          FROM relay_progress p WHERE p.relay = $1) AS unpublished
