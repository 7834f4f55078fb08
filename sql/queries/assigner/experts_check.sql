-- The chosen experts as they are now, held until the commit.
SELECT expert_id, version, load, capacity FROM experts_hold($1::integer[])
