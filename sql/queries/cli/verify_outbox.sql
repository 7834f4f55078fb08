-- Outbox rows after a seq, in pieces, within one snapshot.
SELECT seq, id, aggregatetype, aggregateid, type, payload, traceparent
  FROM outbox WHERE seq > $1 ORDER BY seq LIMIT $2
