-- Must be empty. Each row breaks a promise or a rule between tables.
--                                                      psql "$SQUAD_DB" -f sql/reports/audit.sql
\set QUIET on
\pset title 'Violations (none is right)'
SELECT check_name AS "check", id, what FROM rpt.audit ORDER BY check_name, id LIMIT 200;
