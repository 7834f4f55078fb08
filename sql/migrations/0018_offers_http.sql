-- What the endpoints of experts need beside the functions of 0009 and 0010.

CREATE FUNCTION squad.offers_version(p_expert integer) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = squad, pg_temp
RETURN (SELECT coalesce(md5(string_agg(a.id || a.state, ',' ORDER BY a.id)), 'none')
          FROM assignment a WHERE a.expert_id = p_expert AND a.ended_at IS NULL);
COMMENT ON FUNCTION squad.offers_version(integer) IS 'Changes with the offers and the accepted work of an expert; for the long poll of GET /v1/me/offers.';
REVOKE EXECUTE ON FUNCTION squad.offers_version(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION squad.offers_version(integer) TO squad_intake;

SELECT squad.register_migration(18, 'offers_http');
