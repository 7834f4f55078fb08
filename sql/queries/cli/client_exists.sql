SELECT count(*) > 0, count(revoked_at) > 0 FROM client WHERE name = $1
