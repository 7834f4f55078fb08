-- Is what was stored also published?                  psql "$SQUAD_DB" -f sql/reports/outbox.sql
\set QUIET on
\pset null -
\pset title 'Events not yet published'
SELECT relay, unpublished, oldest_s * interval '1 second' AS oldest, position_age_s * interval '1 second' AS "position is"
  FROM rpt.outbox_lag;
\pset title 'Relay'
SELECT relay, leader, leader_since, rows_total AS published, dead_total AS "dead letters", transactions_total AS transactions
  FROM rpt.relay;
\pset title 'Partitions of the outbox'
SELECT partition, from_seq, below_seq, unpublished, droppable FROM rpt.outbox_partition;
