-- Events of one expert come from two kinds of transactions: a job ends (expert.freed, under the lock of
-- expert_load) and somebody changes the expert (expert.changed, under the lock of expert). Without a lock
-- that both hold, the one with the lower outbox.seq can commit last, and the topic shows them in another
-- order than they were committed in. So whoever frees a slot also locks the expert, before the event is
-- written; in the order that holds everywhere, expert_load before expert.

CREATE FUNCTION squad.expert_load_freed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = squad, pg_temp AS $$
BEGIN
    PERFORM FROM expert e WHERE e.id = NEW.expert_id FOR NO KEY UPDATE;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION squad.expert_load_freed() IS 'Trigger: who frees a slot holds the expert, so that the events of an expert are written in the order of their commits.';
CREATE TRIGGER expert_load_freed BEFORE UPDATE ON squad.expert_load FOR EACH ROW
    WHEN (NEW.load < OLD.load) EXECUTE FUNCTION squad.expert_load_freed();
COMMENT ON TRIGGER expert_load_freed ON squad.expert_load IS 'Events of one expert in the order of their commits.';
REVOKE EXECUTE ON FUNCTION squad.expert_load_freed() FROM PUBLIC;

SELECT squad.register_migration(16, 'expert_order');
