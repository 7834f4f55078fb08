-- Nobody can take these now. Numbers that changed while a ticket waits are written without a new
-- event; announce says for which ones the waiting is news.
WITH input AS (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::boolean[], $4::text[])
               AS i (ticket_id, reason, announce, traceparent)
), moved AS (
    INSERT INTO dispatch AS d (ticket_id, state, type, area, priority, created_at, flags, parked)
    SELECT t.id, 'parked', t.type, t.area, tt.priority, t.created_at,
           CASE WHEN t.contract IS NOT NULL AND c.contract IS NULL THEN ARRAY['unknown_contract'] ELSE '{}' END,
           i.reason::jsonb
      FROM input i
      JOIN ticket t ON t.id = i.ticket_id
      JOIN ticket_type tt ON tt.type = t.type
      LEFT JOIN contract c ON c.contract = t.contract
     ORDER BY t.id
    ON CONFLICT (ticket_id) DO UPDATE
       SET state = 'parked', since = CASE d.state WHEN 'parked' THEN d.since ELSE clock_timestamp() END,
           parked = excluded.parked, priority = excluded.priority, flags = excluded.flags
     WHERE d.state = 'review' OR d.state = 'parked' AND d.parked <> excluded.parked
    RETURNING d.ticket_id, d.parked
), news AS (
    SELECT m.*, i.traceparent FROM moved m JOIN input i USING (ticket_id) WHERE i.announce
), history AS (
    INSERT INTO ticket_event (ticket_id, kind, actor, detail)
    SELECT ticket_id, 'parked', $5, parked FROM news ORDER BY ticket_id
), published AS (
    INSERT INTO outbox (aggregatetype, aggregateid, type, payload, traceparent)
    SELECT 'ticket', ticket_id::text, 'squad.ticket.parked.v1',
           json_build_object('ticket_id', ticket_id, 'reason', parked), traceparent
      FROM news ORDER BY ticket_id
)
SELECT ticket_id FROM moved
