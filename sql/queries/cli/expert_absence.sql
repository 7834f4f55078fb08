-- $1 expert, $2 from, $3 to (null: until it is taken back), in the expert's zone; $4 reason.
SELECT absence_add(e.id, $2::timestamp AT TIME ZONE e.zone, $3::timestamp AT TIME ZONE e.zone, $4, 'squad/' || session_user)
  FROM expert e WHERE e.id = $1::integer
