-- $1 expert, $2 zone or null, $3 weekdays, $4 starts, $5 ends.
SELECT expert_pattern_set($1::integer, $2, $3::integer[], $4::time[], $5::time[], 'squad/' || session_user)
