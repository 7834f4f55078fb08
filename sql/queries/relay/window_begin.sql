-- A window too large for one piece: this statement's snapshot $2 becomes the window's end, and reading goes by
-- seq from the first new row.
SELECT pg_current_snapshot()::text, min(m.seq)
  FROM (SELECT min(o.seq) AS seq FROM squad.outbox o WHERE o.xid >= pg_snapshot_xmax($1::pg_snapshot)
        UNION ALL
        SELECT min(o.seq) FROM squad.outbox o WHERE o.xid = ANY (ARRAY(SELECT pg_snapshot_xip($1::pg_snapshot)))) m
