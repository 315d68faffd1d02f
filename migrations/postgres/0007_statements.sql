-- Many rows in one statement: what triggers did for each new row of a key or a secret, they do once for all of them, so
-- that a million keys are loaded in minutes. The rules, the texts that are told and the entries of the audit log are
-- those of the steps before.
--
-- Plans are kept for a session, and what was best for the first statement may be the worst for the next: a table grows
-- while it is filled. So each function says in which way it joins: the rows of the statement among themselves by hashing
-- or sorting, and those of a table by its index.
--
-- Each rule holds at the end of the statement. Where it says that somebody waits for somebody, he does so there, and his
-- rows are seen by nobody until then.

-- Told apart, so many changes of one statement cost those who hear of them more than to forget everything.
CREATE FUNCTION tell_keys(keys TEXT[], namespace NAME) RETURNS VOID LANGUAGE plpgsql
AS $$
DECLARE
    channel TEXT := 'countersign_' || quote_ident(namespace)::regnamespace::oid;
BEGIN
    IF cardinality(keys) > 10000 THEN
        PERFORM pg_notify(channel, 'all');
    ELSE
        PERFORM pg_notify(channel, key) FROM unnest(keys) key;
    END IF;
END $$;

-- Keys.

DROP TRIGGER credentials_hold_their_owners ON credentials;
CREATE TRIGGER credentials_hold_their_owners BEFORE UPDATE OF account, organization ON credentials
FOR EACH ROW EXECUTE FUNCTION hold_owners();

DROP TRIGGER credentials_debugged_for_a_day ON credentials;
CREATE TRIGGER credentials_debugged_for_a_day BEFORE INSERT OR UPDATE OF debug_until ON credentials
FOR EACH ROW WHEN (NEW.debug_until IS NOT NULL) EXECUTE FUNCTION guard_debug();

DROP TRIGGER credentials_audited ON credentials;
CREATE TRIGGER credentials_audited
AFTER UPDATE OF account, organization, public_key, permissions, state, not_before, expires_at, demo ON credentials
FOR EACH ROW EXECUTE FUNCTION audit('key', 'account', 'organization', 'public_key', 'permissions', 'state',
                                    'not_before', 'expires_at', 'demo');

DROP TRIGGER credentials_told ON credentials;

CREATE FUNCTION keys_are_added() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    who acting%ROWTYPE;
BEGIN
    PERFORM FROM accounts WHERE id IN (SELECT account FROM added) FOR SHARE;
    PERFORM FROM organizations
    WHERE id IN (SELECT organization FROM added
                 UNION SELECT organization FROM accounts WHERE id IN (SELECT account FROM added))
    FOR SHARE;
    SELECT * INTO who FROM acting;
    INSERT INTO audit_log (at, actor, reason, subject, verb, scheme, key_id, became)
    SELECT unixepoch(), COALESCE(who.actor, session_user), who.reason, 'key', 'create', scheme, key_id,
           jsonb_build_object('account', account, 'organization', organization, 'public_key', public_key,
                              'permissions', permissions, 'state', state, 'not_before', not_before,
                              'expires_at', expires_at, 'demo', demo)
    FROM added;
    PERFORM tell_keys((SELECT array_agg(concat_ws(E'\x1f', 'key', scheme, key_id)) FROM added), TG_TABLE_SCHEMA);
    RETURN NULL;
END $$;

CREATE TRIGGER credentials_added AFTER INSERT ON credentials
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION keys_are_added();

-- A key is told whenever its revision has risen. A trigger that sees all rows of a statement can't be for some columns
-- alone, and this one is called for the others as well.
CREATE FUNCTION keys_have_changed() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT
SET enable_hashjoin = on SET enable_nestloop = off
AS $$
BEGIN
    PERFORM tell_keys((SELECT array_agg(concat_ws(E'\x1f', 'key', after.scheme, after.key_id))
                       FROM after JOIN before ON before.scheme = after.scheme AND before.key_id = after.key_id
                       WHERE after.revision <> before.revision), TG_TABLE_SCHEMA);
    RETURN NULL;
END $$;

CREATE TRIGGER credentials_told AFTER UPDATE ON credentials
REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION keys_have_changed();

-- Secrets.

DROP TRIGGER secret_versions_keep_the_rules ON secret_versions;
CREATE TRIGGER secret_versions_keep_the_rules BEFORE UPDATE OF retires_at ON secret_versions
FOR EACH ROW EXECUTE FUNCTION guard_secrets();

DROP TRIGGER secret_versions_changed ON secret_versions;
CREATE TRIGGER secret_versions_changed
AFTER DELETE OR UPDATE OF keyring_id, sealed, fingerprint, created_at, retires_at ON secret_versions
FOR EACH ROW EXECUTE FUNCTION raise_revision();

DROP TRIGGER secret_versions_audited ON secret_versions;
CREATE TRIGGER secret_versions_audited
AFTER DELETE OR UPDATE OF keyring_id, sealed, fingerprint, created_at, retires_at ON secret_versions
FOR EACH ROW EXECUTE FUNCTION audit('secret', 'number', 'keyring_id', 'fingerprint', 'retires_at');

-- Raising the revision holds each key still, so that what is asked afterwards is the last word.
CREATE FUNCTION secrets_are_added() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    who    acting%ROWTYPE;
    soon   BIGINT := unixepoch() + 60;
    broken TEXT;
BEGIN
    UPDATE credentials c SET revision = c.revision + a.secrets
    FROM (SELECT scheme, key_id, count(*) AS secrets FROM added GROUP BY scheme, key_id) a
    WHERE c.scheme = a.scheme AND c.key_id = a.key_id;

    SELECT CASE WHEN c.state = 'revoked' THEN 'a revoked credential gets no secret'
                WHEN s.highest > a.lowest THEN 'a new secret has a higher number than all before it'
                WHEN s.endless > 1 THEN 'one secret of a key alone has no end'
                ELSE 'no more than three secrets of a key live at a time' END
    INTO broken
    FROM (SELECT scheme, key_id, array_agg(number) AS numbers, min(number) AS lowest
          FROM added GROUP BY scheme, key_id) a
    JOIN credentials c ON c.scheme = a.scheme AND c.key_id = a.key_id
    CROSS JOIN LATERAL (
        SELECT max(number) FILTER (WHERE number <> ALL (a.numbers)) AS highest,
               count(*) FILTER (WHERE retires_at IS NULL) AS endless,
               count(*) FILTER (WHERE retires_at IS NULL OR retires_at > soon) AS living
        FROM secret_versions v WHERE v.scheme = a.scheme AND v.key_id = a.key_id) s
    WHERE c.state = 'revoked' OR s.highest > a.lowest OR s.endless > 1 OR s.living > 3
    LIMIT 1;
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION '%', broken USING ERRCODE = 'restrict_violation';
    END IF;

    SELECT * INTO who FROM acting;
    INSERT INTO audit_log (at, actor, reason, subject, verb, scheme, key_id, became)
    SELECT unixepoch(), COALESCE(who.actor, session_user), who.reason, 'secret', 'create', scheme, key_id,
           jsonb_build_object('number', number, 'keyring_id', keyring_id, 'fingerprint', fingerprint,
                              'retires_at', retires_at)
    FROM added;
    RETURN NULL;
END $$;

CREATE TRIGGER secret_versions_added AFTER INSERT ON secret_versions
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION secrets_are_added();
