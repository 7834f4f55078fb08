-- How long the session waits for rows that somebody holds from now on, in milliseconds.
SELECT set_config('lock_timeout', $1, false)
