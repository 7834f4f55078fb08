-- One migration at a time in this database; the lock goes with the session.
SELECT pg_advisory_lock(1936814436, 1)
