-- The re-check of the chosen experts.

CREATE FUNCTION squad.experts_hold(p_experts integer[])
RETURNS TABLE (expert_id integer, version integer, load integer, capacity integer)
LANGUAGE sql SECURITY DEFINER SET search_path = squad, pg_temp
BEGIN ATOMIC
    SELECT l.expert_id, e.version, l.load, l.capacity
      FROM squad.expert_load l JOIN squad.expert e ON e.id = l.expert_id
     WHERE l.expert_id = ANY (p_experts)
     ORDER BY l.expert_id FOR UPDATE OF l FOR SHARE OF e;
END;
COMMENT ON FUNCTION squad.experts_hold(integer[]) IS
    'Experts as they are now; neither load nor anything else of them changes until the commit. A function, because a row lock wants a right to update.';
REVOKE EXECUTE ON FUNCTION squad.experts_hold(integer[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION squad.experts_hold(integer[]) TO squad_assigner;

SELECT squad.register_migration(12, 'dispatch_hold');
