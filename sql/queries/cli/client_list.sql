SELECT name, array_to_string(scopes, ' '), array_to_string(origins, ' '), coalesce(rate_per_s, 0), coalesce(burst, 0),
       (extract(epoch FROM created_at) * 1000000)::bigint, (extract(epoch FROM revoked_at) * 1000000)::bigint,
       CASE WHEN old_key_until > now() THEN (extract(epoch FROM old_key_until) * 1000000)::bigint END
  FROM client ORDER BY revoked_at IS NOT NULL, name
