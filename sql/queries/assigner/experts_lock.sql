-- Its own statement: what is read in the next one is then not older than the locks. Sorted: two
-- batches that lock in different order deadlock. Class 1: experts.
SELECT pg_advisory_xact_lock(1, e) FROM (SELECT e FROM unnest($1::integer[]) AS e ORDER BY e OFFSET 0) AS experts
