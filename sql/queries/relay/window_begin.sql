-- A window too large for one piece: its end, as in window.sql, its first seq, by which reading goes on, and its newest row.
WITH newest AS (
    SELECT o.xid, o.seq, o.id FROM squad.outbox o ORDER BY o.xid DESC LIMIT 1
), edge AS (
    SELECT greatest(pg_snapshot_xmax($1::pg_snapshot)::text::bigint, n.xid::text::bigint + 1) AS xmax, n.* FROM newest n
)
SELECT least(pg_snapshot_xmin(pg_current_snapshot())::text::bigint, e.xmax) || ':' || e.xmax || ':' ||
       array_to_string(ARRAY(SELECT x FROM pg_snapshot_xip(pg_current_snapshot()) x WHERE x::text::bigint < e.xmax), ','),
       squad.outbox_first($1::pg_snapshot), e.xid, e.seq, e.id
  FROM edge e
