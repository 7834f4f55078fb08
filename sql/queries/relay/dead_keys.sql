-- Keys that a dead letter blocks (--poison block).
SELECT DISTINCT o.aggregatetype || '/' || o.aggregateid
  FROM squad.relay_dead d JOIN squad.outbox o ON o.seq = d.seq
