-- Keys that a dead letter blocks (--poison block), and from where on: what came before it is not to blame.
SELECT o.aggregatetype, o.aggregateid, min(o.seq)
  FROM squad.relay_dead d JOIN squad.outbox o ON o.seq = d.seq
 GROUP BY 1, 2
