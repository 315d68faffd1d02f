-- A sample of the requests that were refused, and OAuth clients whose refusals are explained to the operator.

-- It names a key only if there is one of that name: what a stranger sends is no row, and may be a secret that was put in
-- the wrong place. Servers keep it short; it is not the audit log, and may be deleted.
CREATE TABLE refusals (
    id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at         INTEGER NOT NULL CHECK (at BETWEEN 0 AND 253402300799),
    request_id TEXT    NOT NULL CHECK (length(CAST(request_id AS BLOB)) BETWEEN 1 AND 64),
    outcome    TEXT    NOT NULL CHECK (length(CAST(outcome AS BLOB)) BETWEEN 1 AND 255),
    scheme     TEXT    CHECK (length(CAST(scheme AS BLOB)) BETWEEN 1 AND 255),
    key_id     TEXT    CHECK (length(CAST(key_id AS BLOB)) BETWEEN 1 AND 255)
) STRICT;

CREATE INDEX refusals_by_request_id ON refusals (request_id);

-- As of keys, until a moment that lies a day ahead at most.

ALTER TABLE oauth_clients ADD COLUMN debug_until INTEGER CHECK (debug_until BETWEEN 0 AND 253402300799);

CREATE TRIGGER oauth_clients_added_debugged_for_a_day BEFORE INSERT ON oauth_clients
WHEN NEW.debug_until > unixepoch() + 86460
BEGIN
    SELECT RAISE(ABORT, 'a client is debugged for a day at most');
END;

CREATE TRIGGER oauth_clients_debugged_for_a_day BEFORE UPDATE OF debug_until ON oauth_clients
WHEN NEW.debug_until > unixepoch() + 86460
BEGIN
    SELECT RAISE(ABORT, 'a client is debugged for a day at most');
END;

CREATE TRIGGER oauth_clients_debugged AFTER UPDATE OF debug_until ON oauth_clients
BEGIN
    UPDATE oauth_clients SET revision = revision + 1 WHERE client_id = NEW.client_id;
END;

CREATE TRIGGER oauth_clients_debugged_audited AFTER UPDATE OF debug_until ON oauth_clients
BEGIN
    INSERT INTO audit_log (at, actor, reason, subject, verb, scheme, key_id, name, was, became)
    VALUES (unixepoch(), COALESCE((SELECT actor FROM acting), 'sql'), (SELECT reason FROM acting), 'client',
            'change', NULL, NULL, NEW.client_id,
            json_object('debug_until', OLD.debug_until), json_object('debug_until', NEW.debug_until));
END;
