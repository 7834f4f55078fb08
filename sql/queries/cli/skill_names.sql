-- For "did you mean".
SELECT skill FROM skill ORDER BY skill
