-- Takes the slots: dispatch, expert_load, assignment, notice, history and events in one statement,
-- because the triggers refuse any state in between.
WITH input AS (
    SELECT * FROM unnest($1::uuid[], $2::integer[], $3::integer[], $4::text[], $5::text[])
               AS i (ticket_id, expert_id, expert_version, why, traceparent)
), moved AS (
    INSERT INTO dispatch AS d (ticket_id, state, type, area, priority, created_at, attempts, flags)
    SELECT t.id, 'assigned', t.type, t.area, tt.priority, t.created_at, 1,
           CASE WHEN t.contract IS NOT NULL AND c.contract IS NULL THEN ARRAY['unknown_contract'] ELSE '{}' END
      FROM input i
      JOIN ticket t ON t.id = i.ticket_id
      JOIN ticket_type tt ON tt.type = t.type
      LEFT JOIN contract c ON c.contract = t.contract
     ORDER BY t.id
    ON CONFLICT (ticket_id) DO UPDATE
       SET state = 'assigned', since = clock_timestamp(), attempts = d.attempts + 1, parked = NULL,
           priority = excluded.priority, flags = excluded.flags
     WHERE d.state IN ('parked', 'review')
    RETURNING d.ticket_id, d.attempts
), picked AS (
    SELECT i.*, m.attempts FROM input i JOIN moved m USING (ticket_id)
), taken AS (
    UPDATE expert_load l SET load = l.load + p.n
      FROM (SELECT expert_id, count(*)::integer AS n FROM picked GROUP BY expert_id) AS p
     WHERE l.expert_id = p.expert_id AND l.load + p.n <= l.capacity
    RETURNING l.expert_id
), reserved AS (
    INSERT INTO assignment (ticket_id, expert_id, attempt, expert_version, why)
    SELECT p.ticket_id, p.expert_id, p.attempts, p.expert_version, p.why::jsonb
      FROM picked p JOIN taken USING (expert_id) ORDER BY p.ticket_id
    RETURNING id, ticket_id, expert_id, attempt, why
), asked AS (
    INSERT INTO notice (assignment_id, ticket_id, expert_id, channel, message, traceparent)
    SELECT r.id, r.ticket_id, r.expert_id, 'webhook', 'offer', i.traceparent
      FROM reserved r JOIN input i USING (ticket_id)
    RETURNING id, assignment_id, ticket_id, expert_id, channel, message, traceparent
), history AS (
    INSERT INTO ticket_event (ticket_id, kind, actor, detail)
    SELECT r.ticket_id, 'reserved', $6,
           r.why || jsonb_build_object('assignment_id', r.id, 'expert_id', r.expert_id, 'attempt', r.attempt)
      FROM reserved r ORDER BY r.ticket_id
), published AS (
    INSERT INTO outbox (aggregatetype, aggregateid, type, payload, traceparent)
    SELECT e.aggregatetype, a.ticket_id::text, e.type, e.payload, a.traceparent
      FROM asked a, LATERAL (VALUES
               ('ticket', 'squad.ticket.reserved.v1',
                json_build_object('ticket_id', a.ticket_id, 'assignment_id', a.assignment_id, 'expert_id', a.expert_id)),
               ('notice', 'squad.notice.requested.v1',
                json_build_object('notice_id', a.id, 'ticket_id', a.ticket_id, 'assignment_id', a.assignment_id,
                                  'expert_id', a.expert_id, 'channel', a.channel, 'message', a.message)))
           AS e (aggregatetype, type, payload)
     ORDER BY a.ticket_id
)
SELECT ticket_id FROM reserved
