SELECT ticket_quarantine($1::uuid, $2::text, $3::integer, $4::bytea, $5::bytea, $6::jsonb, $7::text, $8::text)
