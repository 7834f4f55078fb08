-- As ticket_insert.sql, for a batch in which a key may exist already: such rows
-- are left out of the result. Only that index is asked beforehand; asking all
-- four cost a quarter of the statement. A clash of references, or of a call
-- posted by two clients, is a unique_violation, which the store tracks down to
-- its row.
WITH clock AS MATERIALIZED (
    SELECT at, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '"}' AS tail
      FROM clock_timestamp() AS at
), input AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::integer[], $4::bytea[], $5::bytea[], $6::text[],
                         $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[],
                         $13::text[], $14::text[], $15::text[], $16::text[], $17::text[], $18::text[])
        AS i (id, ref, client_id, key_hash, body_hash, source, type, area, problem, contract,
              customer_ref, customer_name, customer_phone, customer_email, call_provider, call_id,
              payload, traceparent)
), stored AS (
    INSERT INTO ticket (id, ref, client_id, key_hash, body_hash, source, type, area, problem, contract,
                        customer_ref, customer_name, customer_phone, customer_email, call_provider,
                        call_id, created_at)
    SELECT id, ref, client_id, key_hash, body_hash, source, type, area, problem, contract,
           customer_ref, customer_name, customer_phone, customer_email, call_provider,
           call_id, clock.at
      FROM input, clock
        ON CONFLICT (client_id, key_hash) DO NOTHING
    RETURNING id, created_at
), published AS (
    INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, traceparent)
    SELECT s.id, 'ticket', s.id::text, 'squad.ticket.created.v1', (i.payload || clock.tail)::json, i.traceparent
      FROM stored s JOIN input i USING (id), clock
)
SELECT id, created_at FROM stored
