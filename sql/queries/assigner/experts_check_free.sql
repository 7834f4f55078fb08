-- As experts_check without waiting: those that somebody else holds are left out.
SELECT expert_id, version, load, capacity FROM experts_hold_free($1::integer[])
