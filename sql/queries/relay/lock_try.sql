-- The leader's lock, for speed only: fencing in Kafka is what makes two leaders harmless. Not on a standby server, whose
-- locks are its own and where nobody can lead. $1: name of the relay.
SELECT CASE WHEN pg_is_in_recovery() THEN false ELSE pg_try_advisory_lock(1936814445, hashtext($1)) END, pg_is_in_recovery()
