-- The expert of number $1, or those whose name contains $2; then who has exactly that name.
SELECT e.id, e.name FROM expert e
 WHERE e.id = $1::integer OR $1 IS NULL AND strpos(lower(e.name), lower($2::text)) > 0
 ORDER BY lower(e.name) = lower($2) DESC, e.id LIMIT 6
