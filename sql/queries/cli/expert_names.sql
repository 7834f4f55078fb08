-- For "did you mean".
SELECT name FROM expert ORDER BY id LIMIT 20000
