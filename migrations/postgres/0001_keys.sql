-- Organizations, accounts, and credentials with their sealed secrets.
--
-- Names stand as the provider spells them and are compared byte for byte: 1 to 255 bytes, no control characters.
-- Times are whole seconds since the Unix epoch. They end with the year 9999, so that milliseconds are refused.
-- Whatever is written here by hand obeys the same rules as what the program writes: triggers see to it.

-- In another encoding, the key id of a stranger could be text that the database cannot even be asked for.
DO $$
BEGIN
    IF current_setting('server_encoding') <> 'UTF8' THEN
        RAISE EXCEPTION 'the database must be created with the encoding UTF8';
    END IF;
END $$;

-- Two functions by their names in SQLite: what is written for one engine can be executed on both.

CREATE FUNCTION unixepoch() RETURNS BIGINT LANGUAGE sql STABLE
AS $$ SELECT CAST(floor(extract(EPOCH FROM now())) AS BIGINT) $$;

CREATE FUNCTION unhex(digits TEXT) RETURNS BYTEA LANGUAGE sql IMMUTABLE STRICT
AS $$ SELECT decode(digits, 'hex') $$;

CREATE TABLE organizations (
    id         TEXT    COLLATE "C" NOT NULL PRIMARY KEY
               CHECK (octet_length(id) BETWEEN 1 AND 255)
               CHECK (id !~ '[\u0001-\u001f\u007f-\u009f]'),
    name       TEXT,
    state      TEXT    NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'disabled')),
    created_at BIGINT  NOT NULL DEFAULT unixepoch() CHECK (created_at BETWEEN 0 AND 253402300799)
);

CREATE TABLE accounts (
    id           TEXT    COLLATE "C" NOT NULL PRIMARY KEY
                 CHECK (octet_length(id) BETWEEN 1 AND 255)
                 CHECK (id !~ '[\u0001-\u001f\u007f-\u009f]'),
    organization TEXT    COLLATE "C" REFERENCES organizations (id),
    state        TEXT    NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'disabled')),
    -- What the account may do: words with a space between them. Nothing reads them yet.
    permissions  TEXT    NOT NULL DEFAULT '',
    created_at   BIGINT  NOT NULL DEFAULT unixepoch() CHECK (created_at BETWEEN 0 AND 253402300799)
);

CREATE INDEX accounts_by_organization ON accounts (organization);

CREATE TABLE credentials (
    scheme       TEXT    COLLATE "C" NOT NULL
                 CHECK (length(scheme) BETWEEN 1 AND 64 AND scheme !~ '[^a-z0-9-]'),
    key_id       TEXT    COLLATE "C" NOT NULL
                 CHECK (octet_length(key_id) BETWEEN 1 AND 255)
                 CHECK (key_id !~ '[\u0001-\u001f\u007f-\u009f]'),
    algorithm    TEXT    NOT NULL CHECK (algorithm <> ''),
    account      TEXT    COLLATE "C" NOT NULL REFERENCES accounts (id),
    organization TEXT    COLLATE "C" REFERENCES organizations (id),
    public_key   TEXT    COLLATE "C" CHECK (octet_length(public_key) BETWEEN 1 AND 4096),
    state        TEXT    NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'disabled', 'revoked')),
    not_before   BIGINT  CHECK (not_before BETWEEN 0 AND 253402300799),
    expires_at   BIGINT  CHECK (expires_at BETWEEN 0 AND 253402300799),
    -- Rises with every change that decides about a request, also of the account, the organization and the secrets.
    revision     BIGINT  NOT NULL DEFAULT 1 CHECK (revision >= 1),
    demo         BOOLEAN NOT NULL DEFAULT FALSE,
    created_at   BIGINT  NOT NULL DEFAULT unixepoch() CHECK (created_at BETWEEN 0 AND 253402300799),
    last_used_at BIGINT  CHECK (last_used_at BETWEEN 0 AND 253402300799),
    PRIMARY KEY (scheme, key_id),
    CHECK (not_before < expires_at)
);

CREATE INDEX credentials_by_account ON credentials (account);
CREATE INDEX credentials_by_organization ON credentials (organization);

-- The keys that seal the secrets below, by name only. The canary opens with the key of that name and no other.
CREATE TABLE keyring (
    id         TEXT    COLLATE "C" NOT NULL PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 64),
    canary     BYTEA   NOT NULL,
    created_at BIGINT  NOT NULL DEFAULT unixepoch() CHECK (created_at BETWEEN 0 AND 253402300799)
);

CREATE TABLE secret_versions (
    scheme      TEXT    COLLATE "C" NOT NULL,
    key_id      TEXT    COLLATE "C" NOT NULL,
    number      BIGINT  NOT NULL CHECK (number >= 1),
    keyring_id  TEXT    COLLATE "C" NOT NULL REFERENCES keyring (id),
    -- Version, nonce and tag have 29 bytes, and no secret is empty.
    sealed      BYTEA   NOT NULL CHECK (length(sealed) BETWEEN 30 AND 65536),
    fingerprint TEXT    NOT NULL CHECK (length(fingerprint) = 8 AND fingerprint !~ '[^0-9a-f]'),
    created_at  BIGINT  NOT NULL DEFAULT unixepoch() CHECK (created_at BETWEEN 0 AND 253402300799),
    retires_at  BIGINT  CHECK (retires_at BETWEEN 0 AND 253402300799),
    PRIMARY KEY (scheme, key_id, number),
    FOREIGN KEY (scheme, key_id) REFERENCES credentials (scheme, key_id)
);

CREATE INDEX secret_versions_by_keyring ON secret_versions (keyring_id);

CREATE TABLE app_installations (
    scheme       TEXT    COLLATE "C" NOT NULL,
    key_id       TEXT    COLLATE "C" NOT NULL,
    organization TEXT    COLLATE "C" NOT NULL REFERENCES organizations (id),
    created_at   BIGINT  NOT NULL DEFAULT unixepoch() CHECK (created_at BETWEEN 0 AND 253402300799),
    PRIMARY KEY (scheme, key_id, organization),
    FOREIGN KEY (scheme, key_id) REFERENCES credentials (scheme, key_id)
);

CREATE INDEX app_installations_by_organization ON app_installations (organization);

-- Names are for ever. A name that could be given out twice would carry the rights and the history of its first owner
-- to the second.

CREATE FUNCTION refuse() RETURNS TRIGGER LANGUAGE plpgsql
AS $$ BEGIN RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'restrict_violation'; END $$;

CREATE TRIGGER organizations_stay BEFORE DELETE ON organizations
FOR EACH ROW EXECUTE FUNCTION refuse('an organization is disabled, never deleted');

CREATE TRIGGER organizations_keep_their_name BEFORE UPDATE OF id ON organizations
FOR EACH ROW EXECUTE FUNCTION refuse('an organization keeps its name');

CREATE TRIGGER accounts_stay BEFORE DELETE ON accounts
FOR EACH ROW EXECUTE FUNCTION refuse('an account is disabled, never deleted');

CREATE TRIGGER accounts_keep_their_name BEFORE UPDATE OF id ON accounts
FOR EACH ROW EXECUTE FUNCTION refuse('an account keeps its name');

CREATE TRIGGER credentials_stay BEFORE DELETE ON credentials
FOR EACH ROW EXECUTE FUNCTION refuse('a credential is revoked, never deleted');

-- TRUNCATE deletes without asking the triggers above, and without counting as a change below.

CREATE TRIGGER organizations_are_not_truncated BEFORE TRUNCATE ON organizations
EXECUTE FUNCTION refuse('an organization is disabled, never deleted');

CREATE TRIGGER accounts_are_not_truncated BEFORE TRUNCATE ON accounts
EXECUTE FUNCTION refuse('an account is disabled, never deleted');

CREATE TRIGGER credentials_are_not_truncated BEFORE TRUNCATE ON credentials
EXECUTE FUNCTION refuse('a credential is revoked, never deleted');

CREATE TRIGGER secret_versions_are_not_truncated BEFORE TRUNCATE ON secret_versions
EXECUTE FUNCTION refuse('secret versions are deleted row by row');

CREATE TRIGGER credentials_keep_their_name BEFORE UPDATE OF scheme, key_id, algorithm ON credentials
FOR EACH ROW EXECUTE FUNCTION refuse('a credential keeps its scheme, key id and algorithm');

CREATE TRIGGER credentials_stay_revoked BEFORE UPDATE OF state ON credentials
FOR EACH ROW WHEN (OLD.state = 'revoked' AND NEW.state <> 'revoked')
EXECUTE FUNCTION refuse('a revoked credential stays revoked');

-- A sealed secret opens in its own row only.
CREATE TRIGGER secret_versions_keep_their_place BEFORE UPDATE OF scheme, key_id, number ON secret_versions
FOR EACH ROW EXECUTE FUNCTION refuse('a secret version keeps its place');

-- The revision. It is counted here, so that a change by hand counts as well. The functions look for the tables where
-- they were made, whatever the search path of who makes the change.

CREATE TRIGGER credentials_revision_rises BEFORE UPDATE OF revision ON credentials
FOR EACH ROW WHEN (NEW.revision <= OLD.revision)
EXECUTE FUNCTION refuse('a revision only rises');

CREATE FUNCTION raise_revision() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        UPDATE credentials SET revision = revision + 1 WHERE scheme = OLD.scheme AND key_id = OLD.key_id;
    ELSE
        UPDATE credentials SET revision = revision + 1 WHERE scheme = NEW.scheme AND key_id = NEW.key_id;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER credentials_changed
AFTER UPDATE OF account, organization, public_key, state, not_before, expires_at, demo ON credentials
FOR EACH ROW EXECUTE FUNCTION raise_revision();

CREATE TRIGGER secret_versions_changed AFTER INSERT OR UPDATE OR DELETE ON secret_versions
FOR EACH ROW EXECUTE FUNCTION raise_revision();

CREATE FUNCTION raise_revisions_of_account() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
    UPDATE credentials SET revision = revision + 1 WHERE account = NEW.id;
    RETURN NULL;
END $$;

CREATE TRIGGER accounts_changed AFTER UPDATE OF organization, state, permissions ON accounts
FOR EACH ROW EXECUTE FUNCTION raise_revisions_of_account();

CREATE FUNCTION raise_revisions_of_organization() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
    UPDATE credentials SET revision = revision + 1
    WHERE organization = NEW.id OR account IN (SELECT id FROM accounts WHERE organization = NEW.id);
    RETURN NULL;
END $$;

CREATE TRIGGER organizations_changed AFTER UPDATE OF state ON organizations
FOR EACH ROW EXECUTE FUNCTION raise_revisions_of_organization();

-- A change of an owner counts for every credential below it, so it must not overlook one that another transaction is
-- just binding to that owner: who binds holds the owner still until the end of its transaction.

CREATE FUNCTION hold_owners() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
    PERFORM FROM accounts WHERE id = NEW.account FOR SHARE;
    PERFORM FROM organizations
    WHERE id = NEW.organization OR id = (SELECT organization FROM accounts WHERE id = NEW.account)
    FOR SHARE;
    RETURN NEW;
END $$;

CREATE TRIGGER credentials_hold_their_owners BEFORE INSERT OR UPDATE OF account, organization ON credentials
FOR EACH ROW EXECUTE FUNCTION hold_owners();

CREATE FUNCTION hold_organization() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
    PERFORM FROM organizations WHERE id = NEW.organization FOR SHARE;
    RETURN NEW;
END $$;

CREATE TRIGGER accounts_hold_their_organization BEFORE UPDATE OF organization ON accounts
FOR EACH ROW EXECUTE FUNCTION hold_organization();
