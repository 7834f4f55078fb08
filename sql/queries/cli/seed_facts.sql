SELECT (SELECT count(*) FROM expert) AS experts,
       (SELECT coalesce(sum(capacity), 0) FROM expert_load) AS slots,
       (SELECT count(*) FROM skill) AS skills,
       (SELECT count(*) FROM ticket_type) AS types,
       (SELECT count(*) FROM outbox WHERE xid = pg_current_xact_id_if_assigned()) AS events
