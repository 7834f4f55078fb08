-- Outbox rows that a snapshot did not show and that are there now. Uses outbox_xid. A cursor, because
-- reading them in pieces by seq would sort them all again for each piece.
DECLARE late NO SCROLL CURSOR FOR
SELECT seq, id, aggregatetype, aggregateid, type, payload, traceparent
  FROM outbox
 WHERE xid >= pg_snapshot_xmin($1::pg_snapshot) AND NOT pg_visible_in_snapshot(xid, $1::pg_snapshot)
 ORDER BY seq
