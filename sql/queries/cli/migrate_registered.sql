-- False in a database that no migration has seen.
SELECT to_regclass('squad.migration') IS NOT NULL
