-- Which tickets wait, and why; then those a person must look at.
--                                                      psql "$SQUAD_DB" -f sql/reports/waiting.sql
\set QUIET on
\pset null -
\pset title 'Why tickets wait'
SELECT why, count(*) AS tickets, max(parked_s) * interval '1 second' AS longest
  FROM rpt.parked GROUP BY why ORDER BY count(*) DESC, why;
\pset title 'The 50 tickets that are served first when an expert is free'
SELECT ref, type, area, priority AS prio, age_s * interval '1 second' AS age, attempts AS tried, why
  FROM rpt.parked ORDER BY overdue DESC, priority, assign_due, created_at, ref LIMIT 50;
\pset title 'For a person: the type is unknown'
SELECT ref, type, area, source, flags, age_s * interval '1 second' AS age
  FROM rpt.review ORDER BY created_at, ref LIMIT 50;
