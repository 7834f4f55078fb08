-- Experts changed since snapshot $1, by the difference of two snapshots: xids that the older one
-- did not see as committed. Always one row at least, so that the new snapshot is known. Few are
-- expected: OFFSET 0 keeps the planner, who expects most of them, from reading all experts.
WITH older AS (
    SELECT pg_snapshot_xmax($1::pg_snapshot) AS xmax, ARRAY(SELECT pg_snapshot_xip($1::pg_snapshot)) AS xip
), changed AS (
    SELECT e.id FROM older o, expert e WHERE e.xid >= o.xmax
    UNION SELECT e.id FROM older o, expert e WHERE e.xid = ANY (o.xip)
    UNION SELECT l.expert_id FROM older o, expert_load l WHERE l.xid >= o.xmax OR l.xid = ANY (o.xip)
    UNION SELECT p.expert_id FROM older o, expert_location p WHERE p.xid >= o.xmax
    UNION SELECT p.expert_id FROM older o, expert_location p WHERE p.xid = ANY (o.xip)
)
SELECT pg_current_snapshot()::text AS snapshot, e.id, e.version, l.load, l.capacity,
       epoch_us(l.idle_since) AS idle_since_us, p.lat, p.lon, epoch_us(p.at) AS at_us,
       epoch_us(statement_timestamp()) AS now_us
  FROM (SELECT) one
  LEFT JOIN (changed c
             JOIN LATERAL (SELECT * FROM expert x WHERE x.id = c.id OFFSET 0) AS e ON true
             JOIN LATERAL (SELECT * FROM expert_load x WHERE x.expert_id = c.id OFFSET 0) AS l ON true
             LEFT JOIN LATERAL (SELECT * FROM expert_location x WHERE x.expert_id = c.id OFFSET 0) AS p ON true) ON true
