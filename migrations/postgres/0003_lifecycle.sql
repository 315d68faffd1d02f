-- The life of a key, its rules held by the database as well, and an audit log of whoever changes what.
--
-- Who acts is said at the beginning of a transaction, in the same words on both engines:
--     INSERT INTO acting (actor, reason) VALUES ('ada', 'the laptop was stolen');
-- It holds to the end of the transaction. Where nothing is said, the database user acts.

-- Which of its secrets a key is used with. Use is no change: it is not audited and raises no revision.
ALTER TABLE secret_versions ADD COLUMN last_used_at BIGINT CHECK (last_used_at BETWEEN 0 AND 253402300799);

DROP TRIGGER secret_versions_changed ON secret_versions;

CREATE TRIGGER secret_versions_changed
AFTER INSERT OR DELETE OR UPDATE OF keyring_id, sealed, fingerprint, created_at, retires_at ON secret_versions
FOR EACH ROW EXECUTE FUNCTION raise_revision();

CREATE FUNCTION note_use() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
    UPDATE credentials SET last_used_at = NEW.last_used_at
    WHERE scheme = NEW.scheme AND key_id = NEW.key_id
      AND (last_used_at IS NULL OR last_used_at < NEW.last_used_at);
    RETURN NULL;
END $$;

CREATE TRIGGER secret_versions_used AFTER UPDATE OF last_used_at ON secret_versions
FOR EACH ROW EXECUTE FUNCTION note_use();

-- Secrets come in the order of their numbers, at most three live at a time, and one alone has no end. Whoever changes
-- them holds their key still first, so that two who change at once count each other, and a revocation wins. What ends
-- within a minute is not counted: the clock of whoever let it end at once may be ahead of this one.

CREATE FUNCTION guard_secrets() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
DECLARE
    key_state TEXT;
    reason    TEXT;
BEGIN
    SELECT state INTO key_state FROM credentials
    WHERE scheme = NEW.scheme AND key_id = NEW.key_id FOR NO KEY UPDATE;
    IF TG_OP = 'INSERT' THEN
        IF key_state = 'revoked' THEN
            reason := 'a revoked credential gets no secret';
        ELSIF EXISTS (SELECT FROM secret_versions
                      WHERE scheme = NEW.scheme AND key_id = NEW.key_id AND number >= NEW.number) THEN
            reason := 'a new secret has a higher number than all before it';
        END IF;
    ELSIF OLD.retires_at <= unixepoch() AND (NEW.retires_at IS NULL OR NEW.retires_at > unixepoch()) THEN
        reason := 'a retired secret stays retired';
    END IF;
    IF reason IS NULL AND NEW.retires_at IS NULL
       AND EXISTS (SELECT FROM secret_versions
                   WHERE scheme = NEW.scheme AND key_id = NEW.key_id AND number <> NEW.number
                     AND retires_at IS NULL) THEN
        reason := 'one secret of a key alone has no end';
    END IF;
    IF reason IS NULL AND (NEW.retires_at IS NULL OR NEW.retires_at > unixepoch() + 60)
       AND (SELECT count(*) FROM secret_versions
            WHERE scheme = NEW.scheme AND key_id = NEW.key_id AND number <> NEW.number
              AND (retires_at IS NULL OR retires_at > unixepoch() + 60)) >= 3 THEN
        reason := 'no more than three secrets of a key live at a time';
    END IF;
    IF reason IS NOT NULL THEN
        RAISE EXCEPTION '%', reason USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER secret_versions_keep_the_rules BEFORE INSERT OR UPDATE OF retires_at ON secret_versions
FOR EACH ROW EXECUTE FUNCTION guard_secrets();

-- The highest number stays, for otherwise it would be given to another secret.
CREATE FUNCTION guard_deleted_secrets() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
    IF OLD.retires_at IS NULL OR OLD.retires_at > unixepoch()
       OR NOT EXISTS (SELECT FROM secret_versions
                      WHERE scheme = OLD.scheme AND key_id = OLD.key_id AND number > OLD.number) THEN
        RAISE EXCEPTION 'only a retired secret is deleted, and never the last one'
        USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END $$;

CREATE TRIGGER secret_versions_are_deleted_late BEFORE DELETE ON secret_versions
FOR EACH ROW EXECUTE FUNCTION guard_deleted_secrets();

-- Who acts, to the end of the transaction.

CREATE VIEW acting AS
SELECT NULLIF(current_setting('countersign.actor', TRUE), '') AS actor,
       NULLIF(current_setting('countersign.reason', TRUE), '') AS reason;

CREATE FUNCTION act() RETURNS TRIGGER LANGUAGE plpgsql
AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM set_config('countersign.actor', '', TRUE), set_config('countersign.reason', '', TRUE);
        RETURN OLD;
    END IF;
    PERFORM set_config('countersign.actor', COALESCE(NEW.actor, ''), TRUE),
            set_config('countersign.reason', COALESCE(NEW.reason, ''), TRUE);
    RETURN NEW;
END $$;

CREATE TRIGGER acting_changes INSTEAD OF INSERT OR DELETE ON acting FOR EACH ROW EXECUTE FUNCTION act();

-- What was changed, by whom, and why. Triggers write it, so that a change by hand is noted as well. It never holds a
-- secret, sealed or not.

CREATE TABLE audit_log (
    id      BIGINT GENERATED ALWAYS AS IDENTITY NOT NULL PRIMARY KEY,
    at      BIGINT NOT NULL,
    actor   TEXT   NOT NULL,
    reason  TEXT,
    subject TEXT   NOT NULL,
    verb    TEXT   NOT NULL,
    scheme  TEXT   COLLATE "C",
    key_id  TEXT   COLLATE "C",
    name    TEXT   COLLATE "C",
    -- The columns that tell something, as JSON.
    was     TEXT,
    became  TEXT
);

CREATE INDEX audit_log_by_key ON audit_log (key_id, id);

CREATE TRIGGER audit_log_stays BEFORE UPDATE OR DELETE ON audit_log
FOR EACH ROW EXECUTE FUNCTION refuse('the audit log is only added to');

CREATE TRIGGER audit_log_is_not_truncated BEFORE TRUNCATE ON audit_log
EXECUTE FUNCTION refuse('the audit log is only added to');

-- Arguments: what is changed, then the columns that are shown. A column that is not named stays out.
CREATE FUNCTION audit() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
DECLARE
    shown   TEXT[] := TG_ARGV[1:];
    was     JSONB  := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
    became  JSONB  := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
    subject JSONB  := COALESCE(became, was);
BEGIN
    INSERT INTO audit_log (at, actor, reason, subject, verb, scheme, key_id, name, was, became)
    SELECT unixepoch(), COALESCE(acting.actor, session_user), acting.reason, TG_ARGV[0],
           CASE WHEN TG_OP = 'INSERT' THEN 'create'
                WHEN TG_OP = 'DELETE' THEN 'delete'
                WHEN was ->> 'state' = became ->> 'state' THEN 'change'
                ELSE COALESCE(CASE became ->> 'state' WHEN 'active' THEN 'enable' WHEN 'disabled' THEN 'disable'
                                                      WHEN 'revoked' THEN 'revoke' END, 'change') END,
           subject ->> 'scheme', subject ->> 'key_id',
           CASE TG_ARGV[0] WHEN 'installation' THEN subject ->> 'organization'
                            ELSE COALESCE(subject ->> 'id', subject ->> 'client_id', subject ->> 'kid') END,
           (SELECT jsonb_object_agg(key, value) FROM jsonb_each(was) WHERE key = ANY (shown)),
           (SELECT jsonb_object_agg(key, value) FROM jsonb_each(became) WHERE key = ANY (shown))
    FROM acting;
    RETURN NULL;
END $$;

CREATE TRIGGER organizations_audited AFTER INSERT OR UPDATE OF name, state ON organizations
FOR EACH ROW EXECUTE FUNCTION audit('organization', 'name', 'state');

CREATE TRIGGER accounts_audited AFTER INSERT OR UPDATE OF organization, state, permissions ON accounts
FOR EACH ROW EXECUTE FUNCTION audit('account', 'organization', 'state', 'permissions');

CREATE TRIGGER credentials_audited
AFTER INSERT OR UPDATE OF account, organization, public_key, permissions, state, not_before, expires_at, demo
ON credentials
FOR EACH ROW EXECUTE FUNCTION audit('key', 'account', 'organization', 'public_key', 'permissions', 'state',
                                    'not_before', 'expires_at', 'demo');

CREATE TRIGGER secret_versions_audited
AFTER INSERT OR DELETE OR UPDATE OF keyring_id, sealed, fingerprint, created_at, retires_at ON secret_versions
FOR EACH ROW EXECUTE FUNCTION audit('secret', 'number', 'keyring_id', 'fingerprint', 'retires_at');

CREATE TRIGGER app_installations_audited AFTER INSERT OR DELETE ON app_installations
FOR EACH ROW EXECUTE FUNCTION audit('installation');

CREATE TRIGGER keyring_audited AFTER INSERT OR DELETE OR UPDATE ON keyring
FOR EACH ROW EXECUTE FUNCTION audit('keyring key');

CREATE TRIGGER oauth_clients_audited
AFTER INSERT OR UPDATE OF account, organization, permissions, state, expires_at, comment, demo ON oauth_clients
FOR EACH ROW EXECUTE FUNCTION audit('client', 'account', 'organization', 'permissions', 'state', 'expires_at',
                                    'comment', 'demo');

CREATE TRIGGER client_secrets_audited
AFTER INSERT OR DELETE OR UPDATE OF created_at, retires_at ON client_secrets
FOR EACH ROW EXECUTE FUNCTION audit('client secret', 'number', 'retires_at');

CREATE TRIGGER read_tokens_audited
AFTER INSERT OR UPDATE OF account, organization, permissions, state, expires_at, comment, demo ON read_tokens
FOR EACH ROW EXECUTE FUNCTION audit('read token', 'account', 'organization', 'permissions', 'state', 'expires_at',
                                    'comment', 'demo');

CREATE TRIGGER token_keys_audited
AFTER INSERT OR UPDATE OF keyring_id, sealed, not_before, retires_at ON token_keys
FOR EACH ROW EXECUTE FUNCTION audit('signing key', 'number', 'algorithm', 'keyring_id', 'not_before', 'retires_at');
