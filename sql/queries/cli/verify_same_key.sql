-- P3: one key, one ticket; one event, one row. Constraints hold the first; sums find a broken index.
SELECT count(*) OVER () AS total, id, what FROM (
    SELECT min(id::text) AS id, format('%s tickets of client %s have the same key', count(*), client_id) AS what
      FROM ticket GROUP BY client_id, key_hash HAVING count(*) > 1
    UNION ALL
    SELECT min(id::text), format('%s tickets have the reference %s', count(*), ref)
      FROM ticket GROUP BY ref HAVING count(*) > 1
    UNION ALL
    SELECT min(id::text), format('%s tickets come from call %s of %s', count(*), call_id, call_provider)
      FROM ticket WHERE call_id IS NOT NULL GROUP BY call_provider, call_id HAVING count(*) > 1
    UNION ALL
    SELECT min(o.id::text), format('%s created events of ticket %s', count(*), o.aggregateid)
      FROM outbox o WHERE o.aggregatetype = 'ticket' AND o.type = 'squad.ticket.created.v1'
     GROUP BY o.aggregateid HAVING count(*) > 1
) AS doubled (id, what)
 LIMIT 20
