-- Adds a client who may do everything (this is for trying squad out), or gives it another key; the same key changes nothing.
INSERT INTO client AS c (name, key_hash, scopes)
VALUES ($1, sha256(convert_to($2, 'UTF8')), '{tickets:write,tickets:read,calls:write,jobs:write,experts:read,experts:write}')
ON CONFLICT (name) DO UPDATE SET key_hash = excluded.key_hash
 WHERE c.key_hash <> excluded.key_hash
RETURNING xmax = 0 AS added
