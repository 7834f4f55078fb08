-- Changes what is given of client $1: $2 scopes, $3 origins (null: as they are), $4 rate, $5 burst (-1: as it is,
-- 0: the default).
UPDATE client
   SET scopes = coalesce($2::text[], scopes), origins = coalesce($3::text[], origins),
       rate_per_s = CASE WHEN $4::integer < 0 THEN rate_per_s ELSE nullif($4, 0) END,
       burst = CASE WHEN $5::integer < 0 THEN burst ELSE nullif($5, 0) END
 WHERE name = $1 AND revoked_at IS NULL
RETURNING array_to_string(scopes, ' '), array_to_string(origins, ' ')
