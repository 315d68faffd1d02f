-- The life of a key, its rules held by the database as well, and an audit log of whoever changes what.
--
-- Who acts is said at the beginning of a transaction, in the same words on both engines:
--     INSERT INTO acting (actor, reason) VALUES ('ada', 'the laptop was stolen');
-- It is taken back at the end of it: DELETE FROM acting. Where nothing is said, `sql` acts.

-- Which of its secrets a key is used with. Use is no change: it is not audited and raises no revision.
ALTER TABLE secret_versions ADD COLUMN last_used_at INTEGER CHECK (last_used_at BETWEEN 0 AND 253402300799);

DROP TRIGGER secret_versions_changed;

CREATE TRIGGER secret_versions_changed
AFTER UPDATE OF keyring_id, sealed, fingerprint, created_at, retires_at ON secret_versions
BEGIN
    UPDATE credentials SET revision = revision + 1 WHERE scheme = NEW.scheme AND key_id = NEW.key_id;
END;

CREATE TRIGGER secret_versions_used AFTER UPDATE OF last_used_at ON secret_versions
BEGIN
    UPDATE credentials SET last_used_at = NEW.last_used_at
    WHERE scheme = NEW.scheme AND key_id = NEW.key_id
      AND (last_used_at IS NULL OR last_used_at < NEW.last_used_at);
END;

-- Secrets come in the order of their numbers, at most three live at a time, and one alone has no end. What ends within
-- a minute is not counted: the clock of whoever let it end at once may be ahead of this one.

CREATE TRIGGER secret_versions_are_for_keys_in_force BEFORE INSERT ON secret_versions
WHEN EXISTS (SELECT 1 FROM credentials WHERE scheme = NEW.scheme AND key_id = NEW.key_id AND state = 'revoked')
BEGIN
    SELECT RAISE(ABORT, 'a revoked credential gets no secret');
END;

CREATE TRIGGER secret_versions_count_upwards BEFORE INSERT ON secret_versions
WHEN EXISTS (SELECT 1 FROM secret_versions
             WHERE scheme = NEW.scheme AND key_id = NEW.key_id AND number >= NEW.number)
BEGIN
    SELECT RAISE(ABORT, 'a new secret has a higher number than all before it');
END;

CREATE TRIGGER secret_versions_stay_retired BEFORE UPDATE OF retires_at ON secret_versions
WHEN OLD.retires_at <= unixepoch() AND (NEW.retires_at IS NULL OR NEW.retires_at > unixepoch())
BEGIN
    SELECT RAISE(ABORT, 'a retired secret stays retired');
END;

CREATE TRIGGER secret_versions_end_when_added BEFORE INSERT ON secret_versions
WHEN NEW.retires_at IS NULL
 AND EXISTS (SELECT 1 FROM secret_versions
             WHERE scheme = NEW.scheme AND key_id = NEW.key_id AND number <> NEW.number AND retires_at IS NULL)
BEGIN
    SELECT RAISE(ABORT, 'one secret of a key alone has no end');
END;

CREATE TRIGGER secret_versions_are_few_when_added BEFORE INSERT ON secret_versions
WHEN (NEW.retires_at IS NULL OR NEW.retires_at > unixepoch() + 60)
 AND (SELECT count(*) FROM secret_versions
      WHERE scheme = NEW.scheme AND key_id = NEW.key_id AND number <> NEW.number
        AND (retires_at IS NULL OR retires_at > unixepoch() + 60)) >= 3
BEGIN
    SELECT RAISE(ABORT, 'no more than three secrets of a key live at a time');
END;

CREATE TRIGGER secret_versions_end_when_kept BEFORE UPDATE OF retires_at ON secret_versions
WHEN NEW.retires_at IS NULL
 AND EXISTS (SELECT 1 FROM secret_versions
             WHERE scheme = NEW.scheme AND key_id = NEW.key_id AND number <> NEW.number AND retires_at IS NULL)
BEGIN
    SELECT RAISE(ABORT, 'one secret of a key alone has no end');
END;

CREATE TRIGGER secret_versions_are_few_when_kept BEFORE UPDATE OF retires_at ON secret_versions
WHEN (NEW.retires_at IS NULL OR NEW.retires_at > unixepoch() + 60)
 AND (SELECT count(*) FROM secret_versions
      WHERE scheme = NEW.scheme AND key_id = NEW.key_id AND number <> NEW.number
        AND (retires_at IS NULL OR retires_at > unixepoch() + 60)) >= 3
BEGIN
    SELECT RAISE(ABORT, 'no more than three secrets of a key live at a time');
END;

-- The highest number stays, for otherwise it would be given to another secret.
CREATE TRIGGER secret_versions_are_deleted_late BEFORE DELETE ON secret_versions
WHEN OLD.retires_at IS NULL OR OLD.retires_at > unixepoch()
  OR NOT EXISTS (SELECT 1 FROM secret_versions
                 WHERE scheme = OLD.scheme AND key_id = OLD.key_id AND number > OLD.number)
BEGIN
    SELECT RAISE(ABORT, 'only a retired secret is deleted, and never the last one');
END;

-- Who acts. A row that was left behind makes way for the next.

CREATE TABLE acting (actor TEXT, reason TEXT) STRICT;

CREATE TRIGGER acting_changes BEFORE INSERT ON acting
BEGIN
    DELETE FROM acting;
END;

-- What was changed, by whom, and why. Triggers write it, so that a change by hand is noted as well. It never holds a
-- secret, sealed or not.

CREATE TABLE audit_log (
    id      INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    actor   TEXT    NOT NULL,
    reason  TEXT,
    subject TEXT    NOT NULL,
    verb    TEXT    NOT NULL,
    scheme  TEXT,
    key_id  TEXT,
    name    TEXT,
    -- The columns that tell something, as JSON.
    was     TEXT,
    became  TEXT
) STRICT;

CREATE INDEX audit_log_by_key ON audit_log (key_id, id);

CREATE TRIGGER audit_log_stays_as_it_is BEFORE UPDATE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'the audit log is only added to');
END;

CREATE TRIGGER audit_log_stays BEFORE DELETE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'the audit log is only added to');
END;

CREATE TRIGGER audit_log_is_not_replaced BEFORE INSERT ON audit_log
WHEN EXISTS (SELECT 1 FROM audit_log WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is only added to');
END;

CREATE TRIGGER organizations_added_audited AFTER INSERT ON organizations
BEGIN
    INSERT INTO audit_log (at, actor, reason, subject, verb, scheme, key_id, name, was, became)
    VALUES (unixepoch(), COALESCE((SELECT actor FROM acting), 'sql'), (SELECT reason FROM acting), 'organization',
            'create', NULL, NULL, NEW.id, NULL, json_object('name', NEW.name, 'state', NEW.state));
END;

CREATE TRIGGER organizations_changed_audited AFTER UPDATE OF name, state ON organizations
BEGIN
    INSERT INTO audit_log (at, actor, reason, subject, verb, scheme, key_id, name, was, became)
    VALUES (unixepoch(), COALESCE((SELECT actor FROM acting), 'sql'), (SELECT reason FROM acting), 'organization',
            CASE WHEN NEW.state = OLD.state THEN 'change' WHEN NEW.state = 'active' THEN 'enable'
                 WHEN NEW.state = 'disabled' THEN 'disable' ELSE 'revoke' END, NULL, NULL, NEW.id,
            json_object('name', OLD.name, 'state', OLD.state),
            json_object('name', NEW.name, 'state', NEW.state));
END;

CREATE TRIGGER accounts_added_audited AFTER INSERT ON accounts
BEGIN
    INSERT INTO audit_log (at, actor, reason, subject, verb, scheme, key_id, name, was, became)
    VALUES (unixepoch(), COALESCE((SELECT actor FROM acting), 'sql'), (SELECT reason FROM acting), 'account',
            'create', NULL, NULL, NEW.id, NULL,
            json_object('organization', NEW.organization, 'state', NEW.state, 'permissions', NEW.permissions));
END;

CREATE TRIGGER accounts_changed_audited AFTER UPDATE OF organization, state, permissions ON accounts
BEGIN
    INSERT INTO audit_log (at, actor, reason, subject, verb, scheme, key_id, name, was, became)
    VALUES (unixepoch(), COALESCE((SELECT actor FROM acting), 'sql'), (SELECT reason FROM acting), 'account',
            CASE WHEN NEW.state = OLD.state THEN 'change' WHEN NEW.state = 'active' THEN 'enable'
                 WHEN NEW.state = 'disabled' THEN 'disable' ELSE 'revoke' END, NULL, NULL, NEW.id,
            json_object('organization', OLD.organization, 'state', OLD.state, 'permissions', OLD.permissions),
            json_object('organization', NEW.organization, 'state', NEW.state, 'permissions', NEW.permissions));
END;

CREATE TRIGGER credentials_added_audited AFTER INSERT ON credentials
BEGIN
    INSERT INTO audit_log (at, actor, reason, subject, verb, scheme, key_id, name, was, became)
    VALUES (unixepoch(), COALESCE((SELECT actor FROM acting), 'sql'), (SELECT reason FROM acting), 'key',
            'create', NEW.scheme, NEW.key_id, NULL, NULL,
            json_object('account', NEW.account, 'organization', NEW.organization,
                        'public_key', NEW.public_key, 'permissions', NEW.permissions, 'state', NEW.state,
                        'not_before', NEW.not_before, 'expires_at', NEW.expires_at,
                        'demo', json(iif(NEW.demo, 'true', 'false'))));
END;

CREATE TRIGGER credentials_changed_audited
AFTER UPDATE OF account, organization, public_key, permissions, state, not_before, expires_at, demo ON credentials
BEGIN
    INSERT INTO audit_log (at, actor, reason, subject, verb, scheme, key_id, name, was, became)
    VALUES (unixepoch(), COALESCE((SELECT actor FROM acting), 'sql'), (SELECT reason FROM acting), 'key',
            CASE WHEN NEW.state = OLD.state THEN 'change' WHEN NEW.state = 'active' THEN 'enable'
                 WHEN NEW.state = 'disabled' THEN 'disable' ELSE 'revoke' END, NEW.scheme, NEW.key_id, NULL,
            json_object('account', OLD.account, 'organization', OLD.organization,
                        'public_key', OLD.public_key, 'permissions', OLD.permissions, 'state', OLD.state,
                        'not_before', OLD.not_before, 'expires_at', OLD.expires_at,
                        'demo', json(iif(OLD.demo, 'true', 'false'))),
            json_object('account', NEW.account, 'organization', NEW.organization,
                        'public_key', NEW.public_key, 'permissions', NEW.permissions, 'state', NEW.state,
                        'not_before', NEW.not_before, 'expires_at', NEW.expires_at,
                        'demo', json(iif(NEW.demo, 'true', 'false'))));
END;

CREATE TRIGGER secret_versions_added_audited AFTER INSERT ON secret_versions
BEGIN
    INSERT INTO audit_log (at, actor, reason, subject, verb, scheme, key_id, name, was, became)
    VALUES (unixepoch(), COALESCE((SELECT actor FROM acting), 'sql'), (SELECT reason FROM acting), 'secret',
            'create', NEW.scheme, NEW.key_id, NULL, NULL,
            json_object('number', NEW.number, 'keyring_id', NEW.keyring_id, 'fingerprint', NEW.fingerprint,
                        'retires_at', NEW.retires_at));
END;

CREATE TRIGGER secret_versions_changed_audited
AFTER UPDATE OF keyring_id, sealed, fingerprint, created_at, retires_at ON secret_versions
BEGIN
    INSERT INTO audit_log (at, actor, reason, subject, verb, scheme, key_id, name, was, became)
    VALUES (unixepoch(), COALESCE((SELECT actor FROM acting), 'sql'), (SELECT reason FROM acting), 'secret',
            'change', NEW.scheme, NEW.key_id, NULL,
            json_object('number', OLD.number, 'keyring_id', OLD.keyring_id, 'fingerprint', OLD.fingerprint,
                        'retires_at', OLD.retires_at),
            json_object('number', NEW.number, 'keyring_id', NEW.keyring_id, 'fingerprint', NEW.fingerprint,
                        'retires_at', NEW.retires_at));
END;

CREATE TRIGGER secret_versions_removed_audited AFTER DELETE ON secret_versions
BEGIN
    INSERT INTO audit_log (at, actor, reason, subject, verb, scheme, key_id, name, was, became)
    VALUES (unixepoch(), COALESCE((SELECT actor FROM acting), 'sql'), (SELECT reason FROM acting), 'secret',
            'delete', OLD.scheme, OLD.key_id, NULL,
            json_object('number', OLD.number, 'keyring_id', OLD.keyring_id, 'fingerprint', OLD.fingerprint,
                        'retires_at', OLD.retires_at), NULL);
END;

CREATE TRIGGER app_installations_added_audited AFTER INSERT ON app_installations
BEGIN
    INSERT INTO audit_log (at, actor, reason, subject, verb, scheme, key_id, name, was, became)
    VALUES (unixepoch(), COALESCE((SELECT actor FROM acting), 'sql'), (SELECT reason FROM acting), 'installation',
            'create', NEW.scheme, NEW.key_id, NEW.organization, NULL, '{}');
END;

CREATE TRIGGER app_installations_removed_audited AFTER DELETE ON app_installations
BEGIN
    INSERT INTO audit_log (at, actor, reason, subject, verb, scheme, key_id, name, was, became)
    VALUES (unixepoch(), COALESCE((SELECT actor FROM acting), 'sql'), (SELECT reason FROM acting), 'installation',
            'delete', OLD.scheme, OLD.key_id, OLD.organization, '{}', NULL);
END;

CREATE TRIGGER keyring_added_audited AFTER INSERT ON keyring
BEGIN
    INSERT INTO audit_log (at, actor, reason, subject, verb, scheme, key_id, name, was, became)
    VALUES (unixepoch(), COALESCE((SELECT actor FROM acting), 'sql'), (SELECT reason FROM acting), 'keyring key',
            'create', NULL, NULL, NEW.id, NULL, '{}');
END;

CREATE TRIGGER keyring_changed_audited AFTER UPDATE ON keyring
BEGIN
    INSERT INTO audit_log (at, actor, reason, subject, verb, scheme, key_id, name, was, became)
    VALUES (unixepoch(), COALESCE((SELECT actor FROM acting), 'sql'), (SELECT reason FROM acting), 'keyring key',
            'change', NULL, NULL, NEW.id, '{}', '{}');
END;

CREATE TRIGGER keyring_removed_audited AFTER DELETE ON keyring
BEGIN
    INSERT INTO audit_log (at, actor, reason, subject, verb, scheme, key_id, name, was, became)
    VALUES (unixepoch(), COALESCE((SELECT actor FROM acting), 'sql'), (SELECT reason FROM acting), 'keyring key',
            'delete', NULL, NULL, OLD.id, '{}', NULL);
END;

CREATE TRIGGER oauth_clients_added_audited AFTER INSERT ON oauth_clients
BEGIN
    INSERT INTO audit_log (at, actor, reason, subject, verb, scheme, key_id, name, was, became)
    VALUES (unixepoch(), COALESCE((SELECT actor FROM acting), 'sql'), (SELECT reason FROM acting), 'client',
            'create', NULL, NULL, NEW.client_id, NULL,
            json_object('account', NEW.account, 'organization', NEW.organization,
                        'permissions', NEW.permissions, 'state', NEW.state, 'expires_at', NEW.expires_at,
                        'comment', NEW.comment, 'demo', json(iif(NEW.demo, 'true', 'false'))));
END;

CREATE TRIGGER oauth_clients_changed_audited
AFTER UPDATE OF account, organization, permissions, state, expires_at, comment, demo ON oauth_clients
BEGIN
    INSERT INTO audit_log (at, actor, reason, subject, verb, scheme, key_id, name, was, became)
    VALUES (unixepoch(), COALESCE((SELECT actor FROM acting), 'sql'), (SELECT reason FROM acting), 'client',
            CASE WHEN NEW.state = OLD.state THEN 'change' WHEN NEW.state = 'active' THEN 'enable'
                 WHEN NEW.state = 'disabled' THEN 'disable' ELSE 'revoke' END, NULL, NULL, NEW.client_id,
            json_object('account', OLD.account, 'organization', OLD.organization,
                        'permissions', OLD.permissions, 'state', OLD.state, 'expires_at', OLD.expires_at,
                        'comment', OLD.comment, 'demo', json(iif(OLD.demo, 'true', 'false'))),
            json_object('account', NEW.account, 'organization', NEW.organization,
                        'permissions', NEW.permissions, 'state', NEW.state, 'expires_at', NEW.expires_at,
                        'comment', NEW.comment, 'demo', json(iif(NEW.demo, 'true', 'false'))));
END;

CREATE TRIGGER client_secrets_added_audited AFTER INSERT ON client_secrets
BEGIN
    INSERT INTO audit_log (at, actor, reason, subject, verb, scheme, key_id, name, was, became)
    VALUES (unixepoch(), COALESCE((SELECT actor FROM acting), 'sql'), (SELECT reason FROM acting), 'client secret',
            'create', NULL, NULL, NEW.client_id, NULL,
            json_object('number', NEW.number, 'retires_at', NEW.retires_at));
END;

CREATE TRIGGER client_secrets_changed_audited AFTER UPDATE OF created_at, retires_at ON client_secrets
BEGIN
    INSERT INTO audit_log (at, actor, reason, subject, verb, scheme, key_id, name, was, became)
    VALUES (unixepoch(), COALESCE((SELECT actor FROM acting), 'sql'), (SELECT reason FROM acting), 'client secret',
            'change', NULL, NULL, NEW.client_id,
            json_object('number', OLD.number, 'retires_at', OLD.retires_at),
            json_object('number', NEW.number, 'retires_at', NEW.retires_at));
END;

CREATE TRIGGER client_secrets_removed_audited AFTER DELETE ON client_secrets
BEGIN
    INSERT INTO audit_log (at, actor, reason, subject, verb, scheme, key_id, name, was, became)
    VALUES (unixepoch(), COALESCE((SELECT actor FROM acting), 'sql'), (SELECT reason FROM acting), 'client secret',
            'delete', NULL, NULL, OLD.client_id,
            json_object('number', OLD.number, 'retires_at', OLD.retires_at), NULL);
END;

CREATE TRIGGER read_tokens_added_audited AFTER INSERT ON read_tokens
BEGIN
    INSERT INTO audit_log (at, actor, reason, subject, verb, scheme, key_id, name, was, became)
    VALUES (unixepoch(), COALESCE((SELECT actor FROM acting), 'sql'), (SELECT reason FROM acting), 'read token',
            'create', NULL, NULL, NEW.id, NULL,
            json_object('account', NEW.account, 'organization', NEW.organization,
                        'permissions', NEW.permissions, 'state', NEW.state, 'expires_at', NEW.expires_at,
                        'comment', NEW.comment, 'demo', json(iif(NEW.demo, 'true', 'false'))));
END;

CREATE TRIGGER read_tokens_changed_audited
AFTER UPDATE OF account, organization, permissions, state, expires_at, comment, demo ON read_tokens
BEGIN
    INSERT INTO audit_log (at, actor, reason, subject, verb, scheme, key_id, name, was, became)
    VALUES (unixepoch(), COALESCE((SELECT actor FROM acting), 'sql'), (SELECT reason FROM acting), 'read token',
            CASE WHEN NEW.state = OLD.state THEN 'change' WHEN NEW.state = 'active' THEN 'enable'
                 WHEN NEW.state = 'disabled' THEN 'disable' ELSE 'revoke' END, NULL, NULL, NEW.id,
            json_object('account', OLD.account, 'organization', OLD.organization,
                        'permissions', OLD.permissions, 'state', OLD.state, 'expires_at', OLD.expires_at,
                        'comment', OLD.comment, 'demo', json(iif(OLD.demo, 'true', 'false'))),
            json_object('account', NEW.account, 'organization', NEW.organization,
                        'permissions', NEW.permissions, 'state', NEW.state, 'expires_at', NEW.expires_at,
                        'comment', NEW.comment, 'demo', json(iif(NEW.demo, 'true', 'false'))));
END;

CREATE TRIGGER token_keys_added_audited AFTER INSERT ON token_keys
BEGIN
    INSERT INTO audit_log (at, actor, reason, subject, verb, scheme, key_id, name, was, became)
    VALUES (unixepoch(), COALESCE((SELECT actor FROM acting), 'sql'), (SELECT reason FROM acting), 'signing key',
            'create', NULL, NULL, NEW.kid, NULL,
            json_object('number', NEW.number, 'algorithm', NEW.algorithm, 'keyring_id', NEW.keyring_id,
                        'not_before', NEW.not_before, 'retires_at', NEW.retires_at));
END;

CREATE TRIGGER token_keys_changed_audited AFTER UPDATE OF keyring_id, sealed, not_before, retires_at ON token_keys
BEGIN
    INSERT INTO audit_log (at, actor, reason, subject, verb, scheme, key_id, name, was, became)
    VALUES (unixepoch(), COALESCE((SELECT actor FROM acting), 'sql'), (SELECT reason FROM acting), 'signing key',
            'change', NULL, NULL, NEW.kid,
            json_object('number', OLD.number, 'algorithm', OLD.algorithm, 'keyring_id', OLD.keyring_id,
                        'not_before', OLD.not_before, 'retires_at', OLD.retires_at),
            json_object('number', NEW.number, 'algorithm', NEW.algorithm, 'keyring_id', NEW.keyring_id,
                        'not_before', NEW.not_before, 'retires_at', NEW.retires_at));
END;
