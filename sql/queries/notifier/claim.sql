-- Takes at most $3 due notices for instance $1 before the attempt, so that a crash can only send
-- again, never forget. The claim ends $2 milliseconds after the attempt's own time-out.
WITH due AS (
    SELECT id FROM notice
     WHERE state IN ('pending', 'sending') AND next_attempt_at <= clock_timestamp()
     ORDER BY next_attempt_at LIMIT $3::integer
       FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE notice n
       SET state = 'sending', attempts = n.attempts + 1, claimed_by = $1,
           next_attempt_at = clock_timestamp() + (p.timeout_ms + $2::bigint) * interval '1 millisecond'
      FROM due, retry_policy p
     WHERE n.id = due.id AND p.channel = n.channel
    RETURNING n.id, n.assignment_id, n.ticket_id, n.expert_id, n.channel, n.message, n.attempts, n.traceparent,
              p.max_attempts, p.base_ms, p.cap_ms, p.timeout_ms
)
SELECT c.id, c.attempts, c.max_attempts, c.base_ms, c.cap_ms, c.timeout_ms, c.traceparent, c.message,
       c.assignment_id, t.id AS ticket_id, t.ref, t.type, t.area, t.problem, t.contract,
       to_char(t.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS created_at,
       t.customer_name, t.customer_phone, e.id AS expert_id, e.name AS expert_name, x.address, x.secret
  FROM claimed c
  JOIN ticket t ON t.id = c.ticket_id
  JOIN expert e ON e.id = c.expert_id
  LEFT JOIN expert_contact x ON x.expert_id = c.expert_id AND x.channel = c.channel
