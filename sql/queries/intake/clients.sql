-- Clients by valid key: the present one, and the one before it while that is still let in. now: the
-- database's time.
SELECT c.id, c.name, k.key_hash, array_to_string(c.scopes, ' ') AS scopes,
       array_to_string(c.origins, ' ') AS origins, coalesce(c.rate_per_s, 0) AS rate_per_s,
       coalesce(c.burst, 0) AS burst, clock_timestamp() AS now
  FROM client c,
       LATERAL (VALUES (c.key_hash, true), (c.old_key_hash, c.old_key_until > clock_timestamp())) AS k (key_hash, valid)
 WHERE c.revoked_at IS NULL AND k.valid
 ORDER BY k.key_hash
