-- The leader's lock, for speed only: fencing in Kafka is what makes two leaders harmless. $1: name of the relay.
SELECT pg_try_advisory_lock(1936814445, hashtext($1))
