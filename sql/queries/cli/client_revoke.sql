UPDATE client SET revoked_at = clock_timestamp(), old_key_hash = NULL, old_key_until = NULL
 WHERE name = $1 AND revoked_at IS NULL
RETURNING name
