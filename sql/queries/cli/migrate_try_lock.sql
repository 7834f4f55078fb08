-- False: another squad migrate is at work. The key is that of migrate_lock.sql.
SELECT pg_try_advisory_lock(1936814436, 1)
