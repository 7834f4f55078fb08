-- The offer $1 whose secret is $2, for its page.
SELECT a.state, t.ref, coalesce(y.title, t.type), t.area, t.problem, e.name,
       CASE a.state WHEN 'offered' THEN greatest(0, ceil(extract(epoch FROM a.expires_at - clock_timestamp()) / 60))::text END,
       t.customer_name, t.customer_phone
  FROM assignment a
  JOIN ticket t ON t.id = a.ticket_id
  JOIN expert e ON e.id = a.expert_id
  LEFT JOIN ticket_type y ON y.type = t.type
 WHERE a.id = $1::uuid AND a.token = $2::uuid
