-- Who has how much, fullest first.                    psql "$SQUAD_DB" -f sql/reports/experts.sql
\set QUIET on
\pset footer off
\pset null -
\pset title 'Experts'
SELECT expert_id AS id, name, CASE WHEN active THEN '' ELSE 'inactive' END AS " ", load, capacity,
       load_percent AS "%", reserved AS "not yet told", idle_s * interval '1 second' AS idle, skills, areas
  FROM rpt.expert ORDER BY load_percent DESC NULLS LAST, expert_id;
