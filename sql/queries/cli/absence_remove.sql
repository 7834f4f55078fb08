-- $1 number of the absence.
SELECT absence_remove($1::bigint, 'squad/' || session_user)
