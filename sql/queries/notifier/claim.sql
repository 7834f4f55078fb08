-- Takes at most $3 due notices for instance $1 before the attempt, so that a crash can only send
-- again, never forget. The claim ends $2 milliseconds after the attempt's own time-out. $4 are hosts
-- to which attempts are under way, $5 how many; none beyond $6 is added, and a host that has no room
-- does not stand in the way of the others. $7 is the company's address, where the manager and customers
-- are told. Of one offer the expert hears in order; what has become pointless is dropped.
-- statement_timestamp(), because the index can not be searched by a volatile function.
WITH busy AS (
    SELECT * FROM unnest($4::text[], $5::integer[]) AS b (host, in_flight)
), due AS (
    SELECT n.id, n.next_attempt_at, n.message, n.assignment_id, n.ticket_id, n.expert_id, h.host
      FROM notice n
      LEFT JOIN expert_contact x ON x.expert_id = n.expert_id AND x.channel = n.channel,
           -- As curl reads it: without the user, whatever follows it, in whatever case.
           LATERAL (SELECT lower(substring(CASE n.recipient WHEN 'expert' THEN x.address ELSE $7 END
                                           FROM '^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#]*@)?([^/?#@]+)')) AS host) h
     WHERE n.state IN ('pending', 'sending') AND n.next_attempt_at <= statement_timestamp()
       AND coalesce(h.host <> ALL (ARRAY(SELECT b.host FROM busy b WHERE b.in_flight >= $6::integer)), true)
       AND (n.message NOT IN ('over', 'amended')
            OR NOT EXISTS (SELECT FROM notice o WHERE o.assignment_id = n.assignment_id AND o.message = 'offer'
                                                  AND o.state IN ('pending', 'sending'))
                AND NOT EXISTS (SELECT FROM notice o WHERE o.ticket_id = n.ticket_id AND o.assignment_id = n.assignment_id
                                                       AND o.message = 'amended' AND o.state IN ('pending', 'sending')
                                                       AND (o.created_at, o.id) < (n.created_at, n.id)))
     ORDER BY n.next_attempt_at LIMIT $3::integer
       FOR UPDATE OF n SKIP LOCKED
), ranked AS (
    SELECT due.id, due.host,
           row_number() OVER (PARTITION BY due.host ORDER BY due.next_attempt_at) + coalesce(b.in_flight, 0) AS place,
           CASE due.message
               WHEN 'offer' THEN a.ended_at IS NOT NULL AND a.state <> 'completed'
               WHEN 'amended' THEN a.ended_at IS NOT NULL
               -- Who has accepted knows of it, and so may he to whom it was sent even once.
               WHEN 'over' THEN a.accepted_at IS NULL
                                AND NOT EXISTS (SELECT FROM notice o WHERE o.assignment_id = due.assignment_id
                                                                       AND o.message = 'offer' AND o.attempts > 0)
               -- An offer may yet be declined, and nobody would be told again.
               WHEN 'waiting' THEN NOT EXISTS (SELECT FROM dispatch d WHERE d.ticket_id = due.ticket_id
                                                                        AND d.state NOT IN ('completed', 'canceled'))
                                   OR EXISTS (SELECT FROM assignment o WHERE o.ticket_id = due.ticket_id
                                                                         AND o.state IN ('accepted', 'en_route', 'on_site'))
               ELSE NOT EXISTS (SELECT FROM expert e WHERE e.id = due.expert_id AND e.status = 'break') END AS pointless
      FROM due LEFT JOIN busy b ON b.host = due.host LEFT JOIN assignment a ON a.id = due.assignment_id
), claimed AS (
    UPDATE notice n
       SET state = CASE WHEN r.pointless THEN 'dropped' ELSE 'sending' END,
           attempts = n.attempts + CASE WHEN r.pointless THEN 0 ELSE 1 END, claimed_by = $1,
           next_attempt_at = clock_timestamp() + (p.timeout_ms + $2::bigint) * interval '1 millisecond',
           ended_at = CASE WHEN r.pointless THEN clock_timestamp() END
      FROM ranked r, retry_policy p
     WHERE n.id = r.id AND p.channel = n.channel AND (r.host IS NULL OR r.place <= $6::integer)
    RETURNING n.id, n.assignment_id, n.ticket_id, n.expert_id, n.channel, n.message, n.recipient, n.attempts, n.traceparent,
              n.state, p.max_attempts, p.base_ms, p.cap_ms, p.timeout_ms, r.host
)
SELECT c.id, c.attempts, c.max_attempts, c.base_ms, c.cap_ms, c.timeout_ms, c.traceparent, c.message,
       c.assignment_id, t.id AS ticket_id, t.ref, t.type, t.area, t.problem, t.contract,
       to_char(t.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS created_at,
       t.customer_name, t.customer_phone, t.customer_email, e.id AS expert_id, e.name AS expert_name, x.address, x.secret,
       c.host, a.token, c.recipient, a.state AS offer_state,
       CASE c.message WHEN 'break' THEN e.status_reason ELSE a.reason END AS reason, c.state = 'dropped' AS dropped
  FROM claimed c
  LEFT JOIN ticket t ON t.id = c.ticket_id
  LEFT JOIN expert e ON e.id = c.expert_id
  LEFT JOIN assignment a ON a.id = c.assignment_id
  LEFT JOIN expert_contact x ON x.expert_id = c.expert_id AND x.channel = c.channel
