-- Telling the programs that keep what they have read what changes, and knowing which programs those are.
--
-- A change is told in the transaction that makes it, so that it is told if and only if it is made, by whatever program:
-- once a row for the rows that a request is judged by. The text names what to forget, its parts separated by U+001F,
-- which is in no name. The same texts are in the SQLite step of this number.
--
-- The channel is named after the schema, by its number: a database may hold several key stores.

CREATE FUNCTION tell() RETURNS TRIGGER LANGUAGE plpgsql
AS $$
DECLARE
    what TEXT := TG_ARGV[0];
BEGIN
    IF what = 'key' THEN
        what := concat_ws(E'\x1f', what, NEW.scheme, NEW.key_id);
    ELSIF what = 'installation' AND TG_OP = 'DELETE' THEN
        what := concat_ws(E'\x1f', what, OLD.scheme, OLD.key_id, OLD.organization);
    ELSIF what = 'installation' THEN
        what := concat_ws(E'\x1f', what, NEW.scheme, NEW.key_id, NEW.organization);
    ELSIF what = 'client' THEN
        what := concat_ws(E'\x1f', what, NEW.client_id);
    ELSIF what = 'read-token' THEN
        what := concat_ws(E'\x1f', what, encode(NEW.hash, 'hex'));
    END IF;
    PERFORM pg_notify('countersign_' || quote_ident(TG_TABLE_SCHEMA)::regnamespace::oid, what);
    RETURN NULL;
END $$;

-- The revision of a row rises with every change that counts, also with one of its owners or secrets, and with no other.

CREATE TRIGGER credentials_told AFTER INSERT OR UPDATE OF revision ON credentials
FOR EACH ROW EXECUTE FUNCTION tell('key');

CREATE TRIGGER oauth_clients_told AFTER INSERT OR UPDATE OF revision ON oauth_clients
FOR EACH ROW EXECUTE FUNCTION tell('client');

CREATE TRIGGER read_tokens_told AFTER INSERT OR UPDATE OF revision ON read_tokens
FOR EACH ROW EXECUTE FUNCTION tell('read-token');

CREATE TRIGGER token_keys_told AFTER INSERT OR UPDATE OF revision ON token_keys
FOR EACH ROW EXECUTE FUNCTION tell('token-keys');

CREATE TRIGGER signing_keys_told AFTER INSERT OR UPDATE OF revision ON token_keys
FOR EACH ROW EXECUTE FUNCTION tell('signing-key');

-- An installation has no revision: it is there or not, and its organization is in force or not.

CREATE TRIGGER app_installations_told AFTER INSERT OR DELETE ON app_installations
FOR EACH ROW EXECUTE FUNCTION tell('installation');

CREATE TRIGGER app_installations_moved BEFORE UPDATE OF scheme, key_id, organization ON app_installations
FOR EACH ROW EXECUTE FUNCTION refuse('an installation is removed and made, never changed');

CREATE TRIGGER app_installations_are_not_truncated BEFORE TRUNCATE ON app_installations
EXECUTE FUNCTION refuse('installations are deleted row by row');

CREATE FUNCTION tell_installations() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
    PERFORM pg_notify('countersign_' || quote_ident(TG_TABLE_SCHEMA)::regnamespace::oid,
                      concat_ws(E'\x1f', 'installation', scheme, key_id, organization))
    FROM app_installations WHERE organization = NEW.id;
    RETURN NULL;
END $$;

CREATE TRIGGER organizations_told AFTER UPDATE OF state ON organizations
FOR EACH ROW EXECUTE FUNCTION tell_installations();

-- The programs that keep what they have read. Each holds a lease and trusts nothing that it keeps when it has run out,
-- so that whoever waits for all of them need not wait for one that has vanished.
CREATE TABLE instances (
    id           TEXT   COLLATE "C" NOT NULL PRIMARY KEY CHECK (octet_length(id) BETWEEN 1 AND 255),
    lease_until  BIGINT NOT NULL CHECK (lease_until BETWEEN 0 AND 253402300799),
    -- The highest barrier up to which it has forgotten what changed.
    acknowledged BIGINT NOT NULL CHECK (acknowledged >= 0)
);

-- Who wants to wait for a change takes a number when it has been committed, and tells it.
CREATE SEQUENCE barriers;
