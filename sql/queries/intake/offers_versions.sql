-- Versions of the offers of experts that somebody waits for, by place in the array.
SELECT k.n::integer, offers_version(k.id::integer) FROM unnest($1::text[]) WITH ORDINALITY AS k (id, n)
