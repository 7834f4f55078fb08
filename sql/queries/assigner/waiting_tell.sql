-- Says to the manager and to the customer that tickets wait.
SELECT count(*) FROM waiting_tell($1::integer, $2)
