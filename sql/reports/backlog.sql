-- What is not completed, by state and age.            psql "$SQUAD_DB" -f sql/reports/backlog.sql
\set QUIET on
\pset footer off
\pset null -
\pset title 'Tickets not completed, by state and age since they were stored'
SELECT state, tickets, under_1_min AS "< 1 min", under_5_min AS "< 5 min", under_1_h AS "< 1 h",
       under_1_day AS "< 1 day", older, oldest_s * interval '1 second' AS oldest
  FROM rpt.backlog;
