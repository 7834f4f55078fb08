-- References that were acknowledged and that no ticket has.
SELECT a.ref FROM unnest($1::text[]) AS a (ref)
 WHERE NOT EXISTS (SELECT FROM ticket t WHERE t.ref = a.ref)
