-- $1 expert, $2 day, $3 starts, $4 ends of that day's shifts, as local times.
SELECT expert_shifts_set($1::integer, $2::date, $2::date, $3::timestamp[], $4::timestamp[], 'squad/' || session_user)
