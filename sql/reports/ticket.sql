-- Everything that happened to one ticket.   psql "$SQUAD_DB" -v ref=K7QM3-ZT94W -f sql/reports/ticket.sql
\pset footer off
\pset null -
\if :{?ref}
\else
  \warn 'Which ticket? Give -v ref=XXXXX-XXXXX'
  \quit
\endif
\pset title 'Ticket'
SELECT * FROM rpt.ticket WHERE ref = :'ref' \gx
\pset title 'What happened'
SELECT step, at, after_ms AS "after, ms", what, actor, expert, detail FROM rpt.timeline WHERE ref = :'ref' ORDER BY step;
