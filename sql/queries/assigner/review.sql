-- Tickets of a type that nobody has heard of: for a person. They come back by review_known.
WITH input AS (
    SELECT * FROM unnest($1::uuid[], $2::text[]) AS i (ticket_id, traceparent)
), moved AS (
    INSERT INTO dispatch AS d (ticket_id, state, type, area, priority, created_at, flags)
    SELECT t.id, 'review', t.type, t.area, 3, t.created_at,
           CASE WHEN t.contract IS NOT NULL AND c.contract IS NULL THEN ARRAY['unknown_type', 'unknown_contract']
                ELSE ARRAY['unknown_type'] END
      FROM input i
      JOIN ticket t ON t.id = i.ticket_id
      LEFT JOIN contract c ON c.contract = t.contract
     ORDER BY t.id
    ON CONFLICT (ticket_id) DO UPDATE
       SET state = 'review', since = clock_timestamp(), parked = NULL, flags = excluded.flags
     WHERE d.state = 'parked'
    RETURNING d.ticket_id, d.type
), history AS (
    INSERT INTO ticket_event (ticket_id, kind, actor, detail)
    SELECT ticket_id, 'review', $3, jsonb_build_object('unknown_type', type) FROM moved ORDER BY ticket_id
), published AS (
    INSERT INTO outbox (aggregatetype, aggregateid, type, payload, traceparent)
    SELECT 'ticket', m.ticket_id::text, 'squad.ticket.review.v1',
           json_build_object('ticket_id', m.ticket_id, 'unknown_type', m.type), i.traceparent
      FROM moved m JOIN input i USING (ticket_id) ORDER BY m.ticket_id
)
SELECT ticket_id FROM moved
