-- Notices that fail and events that Kafka could not take, latest first.
--                                                     psql "$SQUAD_DB" -f sql/reports/problems.sql
\set QUIET on
\pset null -
\pset title 'Notices'
SELECT ref, expert, state, attempts, last_status AS status, last_error AS error, age_s * interval '1 second' AS age
  FROM rpt.notice_problem ORDER BY created_at DESC, notice_id LIMIT 50;
\pset title 'Dead letters'
SELECT topic, type, key, reason, payload_bytes AS bytes, at FROM rpt.dead_letter ORDER BY seq DESC LIMIT 50;
