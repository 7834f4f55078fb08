-- Rows that became visible between the snapshot $1 and this statement's own, at most $2 of them, and the window's
-- end (also when there is no row). More than $2 - 1 rows: the window must be cut, see window_begin.sql. A row is new
-- when its transaction was not complete in $1. The end is this statement's snapshot, cut behind the last transaction
-- that is known to be on disk because its row is here: later ids, of aborts or without rows, may be given out again
-- after a crash, and their new rows must not look old.
WITH fresh AS MATERIALIZED (
    (SELECT * FROM squad.outbox o
      WHERE o.xid >= pg_snapshot_xmax($1::pg_snapshot) LIMIT $2::int)
    UNION ALL
    (SELECT * FROM squad.outbox o
      WHERE o.xid = ANY (ARRAY(SELECT pg_snapshot_xip($1::pg_snapshot))) LIMIT $2::int)
), edge AS (
    SELECT greatest(pg_snapshot_xmax($1::pg_snapshot)::text::bigint,
                    (SELECT max(xid)::text::bigint + 1 FROM fresh)) AS xmax
)
SELECT least(pg_snapshot_xmin(pg_current_snapshot())::text::bigint, e.xmax) || ':' || e.xmax || ':' ||
       array_to_string(ARRAY(SELECT x FROM pg_snapshot_xip(pg_current_snapshot()) x WHERE x::text::bigint < e.xmax), ','),
       f.seq, f.id, f.aggregatetype, f.aggregateid, f.type, f.payload, f.traceparent, f.at, f.xid
  FROM edge e
  LEFT JOIN fresh f ON true
 ORDER BY f.seq
