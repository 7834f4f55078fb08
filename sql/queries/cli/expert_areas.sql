-- $1 expert, $2 beginnings of postcodes.
SELECT expert_areas_set($1::integer, $2::text[], 'squad/' || session_user)
