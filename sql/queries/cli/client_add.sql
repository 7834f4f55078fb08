-- $1 name, $2 key, $3 scopes or null for the usual ones, $4 origins, $5 rate, $6 burst (0: the default).
INSERT INTO client (name, key_hash, scopes, origins, rate_per_s, burst)
SELECT $1, sha256(convert_to($2, 'UTF8')),
       coalesce(nullif($3::text[], '{}'), '{tickets:write,tickets:read,calls:write,jobs:write}'), $4::text[],
       nullif($5::integer, 0), nullif($6::integer, 0)
