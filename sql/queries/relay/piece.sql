-- The next $4 rows after seq $3 of the window between the snapshots $1 and $2.
SELECT $2::text, o.seq, o.id, o.aggregatetype, o.aggregateid, o.type, o.payload, o.traceparent, o.at
  FROM squad.outbox o
 WHERE o.seq > $3::bigint
   AND (o.xid >= pg_snapshot_xmax($1::pg_snapshot)
        OR o.xid = ANY (ARRAY(SELECT pg_snapshot_xip($1::pg_snapshot))))
   AND pg_visible_in_snapshot(o.xid, $2::pg_snapshot)
 ORDER BY o.seq LIMIT $4::int
