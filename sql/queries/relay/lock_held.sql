-- Whether this session still has the leader's lock. $1: name of the relay.
SELECT EXISTS (SELECT FROM pg_locks
                WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted
                  AND classid = 1936814445::oid AND objid::bigint = hashtext($1)::bigint & 4294967295)
