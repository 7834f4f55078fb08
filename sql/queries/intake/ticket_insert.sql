-- One batch: tickets and their events, in one statement and so in one
-- transaction. Rows come sorted by key, so that two batches can not deadlock.
-- A key that exists already, or any other clash, fails the whole; the store then
-- runs ticket_insert_careful.sql. ON CONFLICT and a join with what it let through
-- cost a third of the statement, and hardly a batch has a conflict.
-- $17 is the event's payload up to its last value: the time is the server's.
-- A ticket is created once, so the event has the ticket's id.
WITH clock AS MATERIALIZED (
    SELECT at, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '"}' AS tail
      FROM clock_timestamp() AS at
), stored AS (
    INSERT INTO ticket (id, ref, client_id, key_hash, body_hash, source, type, area, problem, contract,
                        customer_ref, customer_name, customer_phone, customer_email, call_provider,
                        call_id, created_at)
    SELECT i.*, clock.at
      FROM unnest($1::uuid[], $2::text[], $3::integer[], $4::bytea[], $5::bytea[], $6::text[], $7::text[],
                  $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[],
                  $15::text[], $16::text[]) AS i, clock
), published AS (
    INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, traceparent)
    SELECT i.id, 'ticket', i.id::text, 'squad.ticket.created.v1', (i.payload || clock.tail)::json, i.traceparent
      FROM unnest($1::uuid[], $17::text[], $18::text[]) AS i (id, payload, traceparent), clock
)
SELECT at FROM clock
