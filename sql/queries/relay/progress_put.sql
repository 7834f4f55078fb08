-- The copy of the position for people and for retention. Writes nothing while somebody holds its row.
WITH free AS (SELECT FROM squad.relay_progress WHERE relay = $1 FOR NO KEY UPDATE SKIP LOCKED)
INSERT INTO squad.relay_progress AS p
       (relay, snapshot_prev, snapshot_cur, last_seq, rows_total, dead_total, transactions_total,
        system_identifier, timeline, leader, leader_since, updated_at)
SELECT $1, $2::text::pg_snapshot, $3::text::pg_snapshot, $4, $5, $6, $7, $8, $9, $10,
       clock_timestamp() - $11::bigint * interval '1 ms', clock_timestamp()
 WHERE EXISTS (SELECT FROM free) OR NOT EXISTS (SELECT FROM squad.relay_progress WHERE relay = $1)
ON CONFLICT (relay) DO UPDATE
   SET snapshot_prev = excluded.snapshot_prev, snapshot_cur = excluded.snapshot_cur, last_seq = excluded.last_seq,
       rows_total = excluded.rows_total, dead_total = excluded.dead_total,
       transactions_total = excluded.transactions_total, system_identifier = excluded.system_identifier,
       timeline = excluded.timeline, leader = excluded.leader, leader_since = excluded.leader_since,
       updated_at = excluded.updated_at
