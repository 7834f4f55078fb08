-- A window too large for one piece: its end, as in window.sql, and its first seq: reading goes on by seq.
WITH fresh AS (
    SELECT min(o.seq) AS seq, max(o.xid) AS xid FROM squad.outbox o WHERE o.xid >= pg_snapshot_xmax($1::pg_snapshot)
    UNION ALL
    SELECT min(o.seq), NULL FROM squad.outbox o WHERE o.xid = ANY (ARRAY(SELECT pg_snapshot_xip($1::pg_snapshot)))
), edge AS (
    SELECT min(seq) AS seq,
           greatest(pg_snapshot_xmax($1::pg_snapshot)::text::bigint, max(xid)::text::bigint + 1) AS xmax
      FROM fresh
)
SELECT least(pg_snapshot_xmin(pg_current_snapshot())::text::bigint, e.xmax) || ':' || e.xmax || ':' ||
       array_to_string(ARRAY(SELECT x FROM pg_snapshot_xip(pg_current_snapshot()) x WHERE x::text::bigint < e.xmax), ','),
       e.seq
  FROM edge e
