-- A ticket's history behind event $4, at most $5 entries. (outcome, body, version, last): last is the
-- number to go on behind, null when that was all.
WITH t AS (
    SELECT t.* FROM (SELECT * FROM ticket WHERE ref = $2::text
                     UNION ALL
                     SELECT * FROM ticket WHERE id = $3::uuid) t WHERE t.client_id = $1::integer
), e AS (
    SELECT x.* FROM t, LATERAL (
        SELECT 0 AS seq, t.created_at AS at, 'received' AS kind, 'intake' AS actor, '{}'::jsonb AS detail
         WHERE $4::bigint < 0
        UNION ALL
        SELECT v.seq, v.at, v.kind, v.actor, v.detail FROM ticket_event v
         WHERE v.ticket_id = t.id AND v.seq > $4::bigint) x
     ORDER BY x.seq LIMIT $5::integer + 1
), page AS (
    SELECT * FROM e ORDER BY seq LIMIT $5::integer
)
SELECT 'ok', json_build_object('ref', t.ref, 'events', coalesce((SELECT json_agg(json_build_object(
               'seq', p.seq, 'at', to_char(p.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
               'kind', p.kind, 'actor', p.actor, 'detail', p.detail) ORDER BY p.seq) FROM page p), '[]')),
       NULL,
       CASE WHEN (SELECT count(*) FROM e) > $5::integer THEN (SELECT max(seq) FROM page) END
  FROM t
