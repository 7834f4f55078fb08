SELECT coalesce(json_agg(q), '[]') FROM (
    SELECT t.ref, t.created_at AS at, c.name AS client, t.type, t.area, t.problem
      FROM dispatch d JOIN ticket t ON t.id = d.ticket_id LEFT JOIN client c ON c.id = t.client_id
     WHERE d.state = 'quarantined'
     ORDER BY t.created_at LIMIT 1000) AS q
