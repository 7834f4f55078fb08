-- $1 expert, $2 presence, $3 reason.
SELECT outcome, rescinded, keeps FROM expert_status_set($1::integer, $2, $3, 'squad/' || session_user)
