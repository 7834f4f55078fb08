-- What the HTTP interface needs: what a client may do and how often, the secret
-- of links, and the version of a ticket.

ALTER TABLE squad.client
    ADD COLUMN scopes        text[] NOT NULL DEFAULT '{tickets:write,tickets:read,calls:write,jobs:write}'
        CONSTRAINT client_scopes CHECK (scopes <@ '{tickets:write,tickets:read,calls:write,jobs:write,experts:read,experts:write,form}'),
    ADD COLUMN origins       text[] NOT NULL DEFAULT '{}'
        CONSTRAINT client_origins CHECK (array_to_string(origins, ' ', 'null') ~ '^(https?://[a-z0-9.:\[\]-]+( (?=h)|$))*$'),
    ADD COLUMN rate_per_s    integer CONSTRAINT client_rate_per_s CHECK (rate_per_s > 0),
    ADD COLUMN burst         integer CONSTRAINT client_burst CHECK (burst > 0),
    ADD COLUMN old_key_hash  bytea CONSTRAINT client_old_key UNIQUE CHECK (octet_length(old_key_hash) = 32),
    ADD COLUMN old_key_until timestamptz,
    ADD CONSTRAINT client_old_key_both CHECK ((old_key_hash IS NULL) = (old_key_until IS NULL));
COMMENT ON COLUMN squad.client.scopes IS 'What it may do: tickets:write, tickets:read, calls:write, jobs:write, experts:read, experts:write; form: people may use /new/NAME.';
COMMENT ON COLUMN squad.client.origins IS 'Origins, as https://www.example.com, whose pages may call in its name (CORS).';
COMMENT ON COLUMN squad.client.rate_per_s IS 'Requests a second that it may make in the long run; null: intake''s --client-rate.';
COMMENT ON COLUMN squad.client.burst IS 'Requests that it may make at once; null: intake''s --client-burst.';
COMMENT ON COLUMN squad.client.old_key_hash IS 'SHA-256 of the key before the last rotation.';
COMMENT ON COLUMN squad.client.old_key_until IS 'Until when the key before is let in.';

CREATE TABLE squad.link_secret (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    value       bytea NOT NULL DEFAULT sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
                CHECK (octet_length(value) = 32),
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE  squad.link_secret IS 'Secrets that tracking links and form tokens are made with; the last one makes new ones, the three before still open theirs. INSERT INTO squad.link_secret DEFAULT VALUES begins a new one.';
COMMENT ON COLUMN squad.link_secret.id IS 'Number; the highest is in use.';
COMMENT ON COLUMN squad.link_secret.value IS '32 random bytes.';
COMMENT ON COLUMN squad.link_secret.created_at IS 'When it was made.';
INSERT INTO squad.link_secret DEFAULT VALUES;

CREATE FUNCTION squad.ticket_version(p_ticket uuid) RETURNS text
LANGUAGE sql STABLE SET search_path = squad, pg_temp AS $$
    SELECT left(md5(concat_ws('|', (SELECT d FROM dispatch d WHERE d.ticket_id = p_ticket)::text,
                                   (SELECT max(e.seq) FROM ticket_event e WHERE e.ticket_id = p_ticket))), 16)
$$;
COMMENT ON FUNCTION squad.ticket_version(uuid) IS 'Changes whenever the ticket does: a digest of where it stands and of its last event. The ETag of GET /v1/tickets/{ref}.';

GRANT SELECT ON squad.link_secret TO squad_intake;
GRANT SELECT ON squad.ticket_event TO squad_intake;
REVOKE EXECUTE ON FUNCTION squad.ticket_version(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION squad.ticket_version(uuid) TO squad_intake;

SELECT squad.register_migration(6, 'http');
