-- As roster_changes, of the experts given and without a new snapshot: an event has named them.
SELECT NULL AS snapshot, e.id, e.version, l.load, l.capacity,
       epoch_us(l.idle_since) AS idle_since_us, p.lat, p.lon, epoch_us(p.at) AS at_us
  FROM expert e JOIN expert_load l ON l.expert_id = e.id
  LEFT JOIN expert_location p ON p.expert_id = e.id
 WHERE e.id = ANY ($1::integer[])
