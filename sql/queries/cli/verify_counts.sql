SELECT (SELECT count(*) FROM ticket) AS tickets,
       count(*) FILTER (WHERE d.state IN ('assigned', 'completed')) AS assigned,
       count(*) FILTER (WHERE d.state = 'parked') AS parked,
       count(*) FILTER (WHERE d.state = 'review') AS review,
       (SELECT count(*) FROM assignment a
         WHERE a.state IN ('reserved', 'offered', 'accepted', 'en_route', 'on_site', 'completed')
           AND EXISTS (SELECT FROM notice n WHERE n.assignment_id = a.id AND n.message = 'offer' AND n.state = 'delivered')) AS notified
  FROM dispatch d
