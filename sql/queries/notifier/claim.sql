-- Takes at most $3 due notices for instance $1 before the attempt, so that a crash can only send
-- again, never forget. The claim ends $2 milliseconds after the attempt's own time-out. $4 are hosts
-- to which attempts are under way, $5 how many; none beyond $6 is added, and a host that has no room
-- does not stand in the way of the others.
-- statement_timestamp(), because the index can not be searched by a volatile function.
WITH busy AS (
    SELECT * FROM unnest($4::text[], $5::integer[]) AS b (host, in_flight)
), due AS (
    SELECT n.id, n.next_attempt_at, h.host
      FROM notice n
      LEFT JOIN expert_contact x ON x.expert_id = n.expert_id AND x.channel = n.channel,
           LATERAL (SELECT nullif(split_part(x.address, '/', 3), '') AS host) h
     WHERE n.state IN ('pending', 'sending') AND n.next_attempt_at <= statement_timestamp()
       AND coalesce(h.host <> ALL (ARRAY(SELECT b.host FROM busy b WHERE b.in_flight >= $6::integer)), true)
     ORDER BY n.next_attempt_at LIMIT $3::integer
       FOR UPDATE OF n SKIP LOCKED
), ranked AS (
    SELECT due.id, due.host,
           row_number() OVER (PARTITION BY due.host ORDER BY due.next_attempt_at) + coalesce(b.in_flight, 0) AS place
      FROM due LEFT JOIN busy b ON b.host = due.host
), claimed AS (
    UPDATE notice n
       SET state = 'sending', attempts = n.attempts + 1, claimed_by = $1,
           next_attempt_at = clock_timestamp() + (p.timeout_ms + $2::bigint) * interval '1 millisecond'
      FROM ranked r, retry_policy p
     WHERE n.id = r.id AND p.channel = n.channel AND (r.host IS NULL OR r.place <= $6::integer)
    RETURNING n.id, n.assignment_id, n.ticket_id, n.expert_id, n.channel, n.message, n.attempts, n.traceparent,
              p.max_attempts, p.base_ms, p.cap_ms, p.timeout_ms, r.host
)
SELECT c.id, c.attempts, c.max_attempts, c.base_ms, c.cap_ms, c.timeout_ms, c.traceparent, c.message,
       c.assignment_id, t.id AS ticket_id, t.ref, t.type, t.area, t.problem, t.contract,
       to_char(t.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS created_at,
       t.customer_name, t.customer_phone, e.id AS expert_id, e.name AS expert_name, x.address, x.secret, c.host, a.token
  FROM claimed c
  JOIN ticket t ON t.id = c.ticket_id
  JOIN expert e ON e.id = c.expert_id
  JOIN assignment a ON a.id = c.assignment_id
  LEFT JOIN expert_contact x ON x.expert_id = c.expert_id AND x.channel = c.channel
