-- A sample of the requests that were refused, and OAuth clients whose refusals are explained to the operator.

-- It names a key only if there is one of that name: what a stranger sends is no row, and may be a secret that was put in
-- the wrong place. Servers keep it short; it is not the audit log, and may be deleted.
CREATE TABLE refusals (
    id         BIGINT GENERATED ALWAYS AS IDENTITY NOT NULL PRIMARY KEY,
    at         BIGINT NOT NULL CHECK (at BETWEEN 0 AND 253402300799),
    request_id TEXT   COLLATE "C" NOT NULL CHECK (octet_length(request_id) BETWEEN 1 AND 64),
    outcome    TEXT   COLLATE "C" NOT NULL CHECK (octet_length(outcome) BETWEEN 1 AND 255),
    scheme     TEXT   COLLATE "C" CHECK (octet_length(scheme) BETWEEN 1 AND 255),
    key_id     TEXT   COLLATE "C" CHECK (octet_length(key_id) BETWEEN 1 AND 255)
);

CREATE INDEX refusals_by_request_id ON refusals (request_id);

-- As of keys, until a moment that lies a day ahead at most.

ALTER TABLE oauth_clients ADD COLUMN debug_until BIGINT CHECK (debug_until BETWEEN 0 AND 253402300799);

CREATE TRIGGER oauth_clients_debugged_for_a_day BEFORE INSERT OR UPDATE OF debug_until ON oauth_clients
FOR EACH ROW EXECUTE FUNCTION guard_debug();

CREATE TRIGGER oauth_clients_debugged AFTER UPDATE OF debug_until ON oauth_clients
FOR EACH ROW EXECUTE FUNCTION raise_client_revision();

CREATE TRIGGER oauth_clients_debugged_audited AFTER UPDATE OF debug_until ON oauth_clients
FOR EACH ROW EXECUTE FUNCTION audit('client', 'debug_until');
