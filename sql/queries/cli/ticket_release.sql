-- $1 reference or null, $2 id or null, $3 who releases it.
SELECT t.ref, squad.ticket_release(t.ref, $3)
  FROM ticket t
 WHERE t.ref = $1 OR t.id = $2::uuid
