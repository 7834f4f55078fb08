-- Adds a client, or gives it another key; the same key changes nothing.
INSERT INTO client AS c (name, key_hash) VALUES ($1, sha256(convert_to($2, 'UTF8')))
ON CONFLICT (name) DO UPDATE SET key_hash = excluded.key_hash
 WHERE c.key_hash <> excluded.key_hash
RETURNING xmax = 0 AS added
