-- A window too large for one piece: its end, as in window.sql, and its first seq: reading goes on by seq.
WITH edge AS (
    SELECT greatest(pg_snapshot_xmax($1::pg_snapshot)::text::bigint,
                    (SELECT max(o.xid)::text::bigint + 1 FROM squad.outbox o)) AS xmax
)
SELECT least(pg_snapshot_xmin(pg_current_snapshot())::text::bigint, e.xmax) || ':' || e.xmax || ':' ||
       array_to_string(ARRAY(SELECT x FROM pg_snapshot_xip(pg_current_snapshot()) x WHERE x::text::bigint < e.xmax), ','),
       squad.outbox_first($1::pg_snapshot)
  FROM edge e
