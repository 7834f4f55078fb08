-- Attempts that failed and will be followed by another one after $5 milliseconds each. An attempt
-- ($2) that is no longer the last, because its claim ended meanwhile, changes nothing, nor does a second time.
WITH input AS (
    SELECT * FROM unnest($1::uuid[], $2::integer[], $3::integer[], $4::text[], $5::bigint[])
                  AS i (id, attempt, status, error, delay_ms)
), again AS (
    UPDATE notice n
       SET next_attempt_at = clock_timestamp() + i.delay_ms * interval '1 millisecond', claimed_by = NULL,
           last_status = i.status, last_error = i.error
      FROM input i WHERE n.id = i.id AND n.state = 'sending' AND n.attempts = i.attempt AND n.claimed_by = $6
    RETURNING n.id, n.ticket_id, n.expert_id, n.attempts, i.status, i.error, i.delay_ms
)
INSERT INTO ticket_event (ticket_id, kind, actor, detail)
SELECT ticket_id, 'attempt_failed', $6,
       jsonb_strip_nulls(jsonb_build_object('notice_id', id, 'expert_id', expert_id, 'attempt', attempts,
                                            'status', status, 'error', error, 'next_in_ms', delay_ms))
  FROM again WHERE ticket_id IS NOT NULL ORDER BY ticket_id
