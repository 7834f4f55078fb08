-- $1 expert, $2 slots.
SELECT expert_capacity_set($1::integer, $2::integer, 'squad/' || session_user)
