-- Rows that became visible between the snapshot $1 and this statement's own, at most $2 of them, and this
-- statement's snapshot (also when there is no row). More than $2 - 1 rows: the window must be cut, see
-- window_begin.sql. A row is new when its transaction was not complete in $1.
WITH fresh AS (
    (SELECT * FROM squad.outbox o
      WHERE o.xid >= pg_snapshot_xmax($1::pg_snapshot) LIMIT $2::int)
    UNION ALL
    (SELECT * FROM squad.outbox o
      WHERE o.xid = ANY (ARRAY(SELECT pg_snapshot_xip($1::pg_snapshot))) LIMIT $2::int)
)
SELECT pg_current_snapshot()::text, f.seq, f.id, f.aggregatetype, f.aggregateid, f.type, f.payload, f.traceparent, f.at
  FROM (SELECT) AS one
  LEFT JOIN fresh f ON true
 ORDER BY f.seq
