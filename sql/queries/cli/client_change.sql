-- Changes what is given of client $1: $2 scopes, $3 origins (null: as they are), $4 rate, $5 burst (0: as it is).
UPDATE client
   SET scopes = coalesce($2::text[], scopes), origins = coalesce($3::text[], origins),
       rate_per_s = coalesce(nullif($4::integer, 0), rate_per_s), burst = coalesce(nullif($5::integer, 0), burst)
 WHERE name = $1 AND revoked_at IS NULL
RETURNING array_to_string(scopes, ' '), array_to_string(origins, ' ')
