-- How long tickets took, the last 48 hours in which an expert was reserved; milliseconds since the
-- ticket was stored.                                  psql "$SQUAD_DB" -f sql/reports/times.sql
\set QUIET on
\pset null -
\pset title 'Milliseconds from stored to an expert reserved, and to that expert notified'
SELECT hour, assigned, assign_p50_ms AS p50, assign_p95_ms AS p95, assign_worst_ms AS worst,
       notified, notice_p50_ms AS "p50 ", notice_p95_ms AS "p95 ", notice_worst_ms AS "worst ", undeliverable
  FROM rpt.time_by_hour
 WHERE hour > (SELECT at FROM rpt.clock) - interval '48 hours' ORDER BY hour;
