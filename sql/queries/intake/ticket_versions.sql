-- Versions of tickets that somebody waits for, by place in the array.
SELECT k.n::integer, ticket_version(k.id::uuid) FROM unnest($1::text[]) WITH ORDINALITY AS k (id, n)
