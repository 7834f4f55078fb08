-- Clients whose key is valid.
SELECT id, name, key_hash FROM client WHERE revoked_at IS NULL ORDER BY key_hash
