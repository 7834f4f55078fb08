-- Everything that happened to one ticket; after_ms is milliseconds after the step before.
--                                           psql "$SQUAD_DB" -v ref=K7QM3-ZT94W -f sql/reports/ticket.sql
\set QUIET on
\pset null -
\if :{?ref}
\else
  \warn 'Which ticket? Give -v ref=XXXXX-XXXXX'
  \quit
\endif
SELECT count(*) = 0 AS unknown FROM rpt.ticket WHERE ref = upper(:'ref') \gset
\if :unknown
  \warn 'There is no ticket' :ref
  \quit
\endif
\pset title 'Ticket'
SELECT * FROM rpt.ticket WHERE ref = upper(:'ref') \gx
\pset title 'What happened'
SELECT step, at, after_ms AS "after, ms", what, actor, expert, detail
  FROM rpt.timeline WHERE ref = upper(:'ref') ORDER BY step;
