-- Gives client $1 the key $2; the one before is let in for $3 more seconds.
UPDATE client
   SET old_key_hash = CASE WHEN $3::integer > 0 THEN key_hash END,
       old_key_until = CASE WHEN $3::integer > 0 THEN clock_timestamp() + make_interval(secs => $3::integer) END,
       key_hash = sha256(convert_to($2, 'UTF8'))
 WHERE name = $1 AND revoked_at IS NULL
RETURNING old_key_until
