-- Whether the row that the position calls the newest is still there. $1: its seq; $2: its id.
SELECT EXISTS (SELECT FROM squad.outbox WHERE seq = $1 AND id::text = $2)
