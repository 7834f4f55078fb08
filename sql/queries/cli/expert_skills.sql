-- $1 expert, $2 skills, $3 levels.
SELECT expert_skills_set($1::integer, $2::text[], $3::integer[], 'squad/' || session_user)
