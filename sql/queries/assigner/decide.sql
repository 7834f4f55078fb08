-- Writes what was decided about each ticket: assigned, parked or review. One statement, because the
-- triggers refuse any state in between, and because all new rows of dispatch are made in one order:
-- two batches that meet can not deadlock. A ticket that is offered to several at once has a row for
-- each, place 1 to offers. facts: why this expert, or why nobody. announce: the waiting is news;
-- numbers that change while a ticket waits are written without a new event. retry_us: when the clock
-- alone changes the answer. A waiting ticket follows its own priority, also when its type or the times of
-- squad.priority have been changed meanwhile. IS TRUE: taken is looked up in a hash table; the planner, who does not know
-- how long arrays are, would join it by comparing every row with every other.
WITH input AS (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::integer[], $4::integer[], $5::integer[], $6::integer[], $7::text[],
                         $8::boolean[], $9::text[], $10::bigint[])
               AS i (ticket_id, state, expert_id, expert_version, place, offers, facts, announce, traceparent, retry_us)
), moved AS (
    INSERT INTO dispatch AS d (ticket_id, state, type, area, priority, created_at, attempts, flags, parked, assign_due,
                               routable_at, retry_at, tell_at, offers)
    SELECT t.id, i.state, t.type, t.area, coalesce(tt.priority, 3), t.created_at,
           CASE i.state WHEN 'assigned' THEN i.offers ELSE 0 END,
           array_remove(ARRAY[CASE WHEN tt.type IS NULL THEN 'unknown_type' END,
                              CASE WHEN t.contract IS NOT NULL AND c.contract IS NULL THEN 'unknown_contract' END],
                        NULL),
           CASE i.state WHEN 'parked' THEN i.facts::jsonb END, t.created_at + coalesce(p.due_s, 86400) * interval '1 second',
           CASE WHEN i.state <> 'review' THEN t.created_at END,
           to_timestamp(i.retry_us / 1e6), tell_at(p, t.created_at, NULL, NULL), i.offers
      FROM input i
      JOIN ticket t ON t.id = i.ticket_id
      LEFT JOIN ticket_type tt ON tt.type = t.type
      LEFT JOIN priority p ON p.priority = tt.priority
      LEFT JOIN contract c ON c.contract = t.contract
     WHERE i.place = 1
     ORDER BY t.id
    ON CONFLICT (ticket_id) DO UPDATE
       SET state = excluded.state, attempts = d.attempts + excluded.attempts, parked = excluded.parked,
           priority = CASE WHEN d.by_hand THEN d.priority ELSE excluded.priority END, flags = excluded.flags, offers = excluded.offers, holder = NULL,
           since = CASE d.state WHEN excluded.state THEN d.since ELSE clock_timestamp() END,
           assign_due = CASE WHEN d.by_hand OR d.priority = excluded.priority AND d.routable_at IS NOT NULL THEN d.assign_due
                             ELSE excluded.assign_due END,
           routable_at = CASE WHEN d.routable_at IS NULL AND excluded.routable_at IS NOT NULL THEN statement_timestamp()
                              ELSE d.routable_at END,
           tell_at = CASE WHEN d.routable_at IS NOT NULL OR excluded.routable_at IS NOT NULL THEN
                         (SELECT tell_at(p, coalesce(d.routable_at, statement_timestamp()), d.manager_told_at, d.customer_told_at)
                            FROM priority p WHERE p.priority = CASE WHEN d.by_hand THEN d.priority ELSE excluded.priority END) END,
           retry_at = excluded.retry_at
     WHERE d.state IN ('parked', 'review')
       AND (d.state <> excluded.state OR d.parked IS DISTINCT FROM excluded.parked
            OR d.retry_at IS DISTINCT FROM excluded.retry_at OR NOT d.by_hand AND d.priority <> excluded.priority
            OR d.tell_at IS DISTINCT FROM
               (SELECT tell_at(p, d.routable_at, d.manager_told_at, d.customer_told_at)
                  FROM priority p WHERE p.priority = CASE WHEN d.by_hand THEN d.priority ELSE excluded.priority END))
    RETURNING d.ticket_id, d.state, d.attempts, d.parked, d.type
), picked AS (
    SELECT i.*, m.attempts - i.offers + i.place AS attempt
      FROM input i JOIN moved m USING (ticket_id) WHERE m.state = 'assigned'
), taken AS (
    UPDATE expert_load l SET load = l.load + p.n
      FROM (SELECT expert_id, count(*)::integer AS n FROM picked GROUP BY expert_id) AS p
     WHERE l.expert_id = p.expert_id AND l.load + p.n <= l.capacity
    RETURNING l.expert_id
), reserved AS (
    INSERT INTO assignment (ticket_id, expert_id, attempt, place, expert_version, why)
    SELECT p.ticket_id, p.expert_id, p.attempt, p.place, p.expert_version, p.facts::jsonb
      FROM picked p
     WHERE (p.expert_id IN (SELECT t.expert_id FROM taken t)) IS TRUE
     ORDER BY p.ticket_id, p.place
    RETURNING id, ticket_id, expert_id, attempt, place, why
), asked AS (
    INSERT INTO notice (assignment_id, ticket_id, expert_id, channel, message, traceparent)
    SELECT r.id, r.ticket_id, r.expert_id, 'webhook', 'offer', i.traceparent
      FROM reserved r JOIN input i ON i.ticket_id = r.ticket_id AND i.place = r.place ORDER BY r.ticket_id, r.place
    RETURNING id, assignment_id, ticket_id, expert_id, channel, message, traceparent
), waiting AS (
    SELECT m.*, i.traceparent FROM moved m JOIN input i USING (ticket_id)
     WHERE m.state = 'review' OR m.state = 'parked' AND i.announce
), history AS (
    INSERT INTO ticket_event (ticket_id, kind, actor, detail)
    SELECT h.ticket_id, h.kind, $11, h.detail
      FROM (SELECT r.ticket_id, 'reserved',
                   r.why || jsonb_build_object('assignment_id', r.id, 'expert_id', r.expert_id, 'attempt', r.attempt)
              FROM reserved r
            UNION ALL
            SELECT w.ticket_id, w.state, coalesce(w.parked, jsonb_build_object('unknown_type', w.type))
              FROM waiting w) AS h (ticket_id, kind, detail)
     ORDER BY h.ticket_id
), published AS (
    INSERT INTO outbox (aggregatetype, aggregateid, type, payload, traceparent)
    SELECT e.aggregatetype, e.ticket_id::text, e.type, e.payload, e.traceparent
      FROM (SELECT a.ticket_id, a.traceparent, x.*
              FROM asked a, LATERAL (VALUES
                       (1, 'ticket', 'squad.ticket.reserved.v1',
                        json_build_object('ticket_id', a.ticket_id, 'assignment_id', a.assignment_id,
                                          'expert_id', a.expert_id)),
                       (2, 'notice', 'squad.notice.requested.v1',
                        json_build_object('notice_id', a.id, 'ticket_id', a.ticket_id,
                                          'assignment_id', a.assignment_id, 'expert_id', a.expert_id,
                                          'channel', a.channel, 'message', a.message)))
                   AS x (n, aggregatetype, type, payload)
            UNION ALL
            SELECT w.ticket_id, w.traceparent, 1, 'ticket', 'squad.ticket.' || w.state || '.v1',
                   CASE w.state WHEN 'parked' THEN json_build_object('ticket_id', w.ticket_id, 'reason', w.parked)
                                ELSE json_build_object('ticket_id', w.ticket_id, 'unknown_type', w.type) END
              FROM waiting w) AS e
     ORDER BY e.ticket_id, e.n
)
SELECT state, count(*) FROM moved GROUP BY state
