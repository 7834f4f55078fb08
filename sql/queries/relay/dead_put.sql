INSERT INTO squad.relay_dead (event_id, seq, topic, reason) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
