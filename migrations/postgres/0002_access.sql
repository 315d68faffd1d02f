-- What callers may do; OAuth clients, read tokens, and the keys that sign tokens.
--
-- Of client secrets and read tokens nothing is kept but their SHA-256. Rules, names and times are as in step 1.

-- Words with one space between them, `-` before one that is denied, `*` for a first or last segment or alone: the
-- form that the program reads.
CREATE FUNCTION are_permissions(words TEXT) RETURNS BOOLEAN LANGUAGE sql IMMUTABLE STRICT
AS $$
    SELECT words = '' OR octet_length(words) <= 4096 AND (' ' || words) ~ (
        '^( -?(\*|(\*:)?[A-Za-z0-9][A-Za-z0-9._-]*(:[A-Za-z0-9][A-Za-z0-9._-]*)*(:\*)?))+$')
$$;

-- Until now nothing read what an account may do, and each could do everything. It stays so for those that have no
-- words. From now on, no word means nothing. What is no list of words is refused here, and must be changed first.
UPDATE accounts SET permissions = '*' WHERE permissions = '';

ALTER TABLE accounts ADD CHECK (are_permissions(permissions));

-- What a key may do of that which its account may. NULL is all of it.
ALTER TABLE credentials ADD COLUMN permissions TEXT CHECK (are_permissions(permissions));

CREATE TABLE oauth_clients (
    -- Visible ASCII without the colon that ends a user name in Basic credentials.
    client_id    TEXT    COLLATE "C" NOT NULL PRIMARY KEY
                 CHECK (octet_length(client_id) BETWEEN 1 AND 255 AND client_id !~ '[^!-9;-~]'),
    account      TEXT    COLLATE "C" NOT NULL REFERENCES accounts (id),
    organization TEXT    COLLATE "C" REFERENCES organizations (id),
    permissions  TEXT    CHECK (are_permissions(permissions)),
    state        TEXT    NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'disabled', 'revoked')),
    expires_at   BIGINT  CHECK (expires_at BETWEEN 0 AND 253402300799),
    comment      TEXT    CHECK (octet_length(comment) <= 1024),
    revision     BIGINT  NOT NULL DEFAULT 1 CHECK (revision >= 1),
    demo         BOOLEAN NOT NULL DEFAULT FALSE,
    created_at   BIGINT  NOT NULL DEFAULT unixepoch() CHECK (created_at BETWEEN 0 AND 253402300799)
);

CREATE INDEX oauth_clients_by_account ON oauth_clients (account);
CREATE INDEX oauth_clients_by_organization ON oauth_clients (organization);

CREATE TABLE client_secrets (
    client_id  TEXT    COLLATE "C" NOT NULL REFERENCES oauth_clients (client_id),
    number     BIGINT  NOT NULL CHECK (number >= 1),
    hash       BYTEA   NOT NULL CHECK (length(hash) = 32),
    created_at BIGINT  NOT NULL DEFAULT unixepoch() CHECK (created_at BETWEEN 0 AND 253402300799),
    retires_at BIGINT  CHECK (retires_at BETWEEN 0 AND 253402300799),
    PRIMARY KEY (client_id, number)
);

CREATE TABLE read_tokens (
    id           TEXT    COLLATE "C" NOT NULL PRIMARY KEY
                 CHECK (octet_length(id) BETWEEN 1 AND 255)
                 CHECK (id !~ '[\u0001-\u001f\u007f-\u009f]'),
    hash         BYTEA   NOT NULL UNIQUE CHECK (length(hash) = 32),
    -- How the token begins and ends, for its owner.
    hint         TEXT    NOT NULL DEFAULT '' CHECK (octet_length(hint) <= 64),
    account      TEXT    COLLATE "C" NOT NULL REFERENCES accounts (id),
    organization TEXT    COLLATE "C" NOT NULL REFERENCES organizations (id),
    permissions  TEXT    CHECK (are_permissions(permissions)),
    state        TEXT    NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'disabled', 'revoked')),
    expires_at   BIGINT  CHECK (expires_at BETWEEN 0 AND 253402300799),
    comment      TEXT    CHECK (octet_length(comment) <= 1024),
    revision     BIGINT  NOT NULL DEFAULT 1 CHECK (revision >= 1),
    demo         BOOLEAN NOT NULL DEFAULT FALSE,
    created_at   BIGINT  NOT NULL DEFAULT unixepoch() CHECK (created_at BETWEEN 0 AND 253402300799)
);

CREATE INDEX read_tokens_by_account ON read_tokens (account);
CREATE INDEX read_tokens_by_organization ON read_tokens (organization);

CREATE TABLE token_keys (
    kid        TEXT    COLLATE "C" NOT NULL PRIMARY KEY
               CHECK (octet_length(kid) BETWEEN 1 AND 255)
               CHECK (kid !~ '[\u0001-\u001f\u007f-\u009f]'),
    -- Of the keys that may sign, the one with the highest number does.
    number     BIGINT  NOT NULL UNIQUE CHECK (number >= 1),
    algorithm  TEXT    NOT NULL CHECK (algorithm <> ''),
    -- A SubjectPublicKeyInfo, and sealed the PKCS #8 PrivateKeyInfo that belongs to it.
    public_key BYTEA   NOT NULL CHECK (length(public_key) BETWEEN 1 AND 16384),
    keyring_id TEXT    COLLATE "C" NOT NULL REFERENCES keyring (id),
    sealed     BYTEA   NOT NULL CHECK (length(sealed) BETWEEN 30 AND 65536),
    not_before BIGINT  CHECK (not_before BETWEEN 0 AND 253402300799),
    retires_at BIGINT  CHECK (retires_at BETWEEN 0 AND 253402300799),
    -- The sum over all keys is the revision of the set.
    revision   BIGINT  NOT NULL DEFAULT 1 CHECK (revision >= 1),
    created_at BIGINT  NOT NULL DEFAULT unixepoch() CHECK (created_at BETWEEN 0 AND 253402300799)
);

CREATE INDEX token_keys_by_keyring ON token_keys (keyring_id);

-- Names are for ever, and so is a withdrawal.

CREATE TRIGGER oauth_clients_stay BEFORE DELETE ON oauth_clients
FOR EACH ROW EXECUTE FUNCTION refuse('a client is revoked, never deleted');

CREATE TRIGGER oauth_clients_are_not_truncated BEFORE TRUNCATE ON oauth_clients
EXECUTE FUNCTION refuse('a client is revoked, never deleted');

CREATE TRIGGER oauth_clients_keep_their_name BEFORE UPDATE OF client_id ON oauth_clients
FOR EACH ROW EXECUTE FUNCTION refuse('a client keeps its id');

CREATE TRIGGER oauth_clients_stay_revoked BEFORE UPDATE OF state ON oauth_clients
FOR EACH ROW WHEN (OLD.state = 'revoked' AND NEW.state <> 'revoked')
EXECUTE FUNCTION refuse('a revoked client stays revoked');

CREATE TRIGGER client_secrets_are_not_truncated BEFORE TRUNCATE ON client_secrets
EXECUTE FUNCTION refuse('client secrets are deleted row by row');

CREATE TRIGGER client_secrets_keep_their_place BEFORE UPDATE OF client_id, number, hash ON client_secrets
FOR EACH ROW EXECUTE FUNCTION refuse('a client secret keeps its place');

CREATE TRIGGER read_tokens_stay BEFORE DELETE ON read_tokens
FOR EACH ROW EXECUTE FUNCTION refuse('a read token is revoked, never deleted');

CREATE TRIGGER read_tokens_are_not_truncated BEFORE TRUNCATE ON read_tokens
EXECUTE FUNCTION refuse('a read token is revoked, never deleted');

CREATE TRIGGER read_tokens_keep_their_name BEFORE UPDATE OF id, hash ON read_tokens
FOR EACH ROW EXECUTE FUNCTION refuse('a read token keeps its id and its hash');

CREATE TRIGGER read_tokens_stay_revoked BEFORE UPDATE OF state ON read_tokens
FOR EACH ROW WHEN (OLD.state = 'revoked' AND NEW.state <> 'revoked')
EXECUTE FUNCTION refuse('a revoked read token stays revoked');

CREATE TRIGGER token_keys_stay BEFORE DELETE ON token_keys
FOR EACH ROW EXECUTE FUNCTION refuse('a signing key retires, and is never deleted');

CREATE TRIGGER token_keys_are_not_truncated BEFORE TRUNCATE ON token_keys
EXECUTE FUNCTION refuse('a signing key retires, and is never deleted');

CREATE TRIGGER token_keys_keep_their_name BEFORE UPDATE OF kid, number, algorithm, public_key ON token_keys
FOR EACH ROW EXECUTE FUNCTION refuse('a signing key keeps its name, number, algorithm and public key');

CREATE TRIGGER token_keys_stay_retired BEFORE UPDATE OF retires_at ON token_keys
FOR EACH ROW WHEN (OLD.retires_at < coalesce(NEW.retires_at, 253402300800))
EXECUTE FUNCTION refuse('the end of a signing key is not put off');

-- The revisions, as those of credentials.

CREATE TRIGGER oauth_clients_revision_rises BEFORE UPDATE OF revision ON oauth_clients
FOR EACH ROW WHEN (NEW.revision <= OLD.revision)
EXECUTE FUNCTION refuse('a revision only rises');

CREATE TRIGGER read_tokens_revision_rises BEFORE UPDATE OF revision ON read_tokens
FOR EACH ROW WHEN (NEW.revision <= OLD.revision)
EXECUTE FUNCTION refuse('a revision only rises');

CREATE TRIGGER token_keys_revision_rises BEFORE UPDATE OF revision ON token_keys
FOR EACH ROW WHEN (NEW.revision <= OLD.revision)
EXECUTE FUNCTION refuse('a revision only rises');

CREATE TRIGGER credentials_permissions_changed AFTER UPDATE OF permissions ON credentials
FOR EACH ROW EXECUTE FUNCTION raise_revision();

CREATE FUNCTION raise_client_revision() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        UPDATE oauth_clients SET revision = revision + 1 WHERE client_id = OLD.client_id;
    ELSE
        UPDATE oauth_clients SET revision = revision + 1 WHERE client_id = NEW.client_id;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER oauth_clients_changed
AFTER UPDATE OF account, organization, permissions, state, expires_at, demo ON oauth_clients
FOR EACH ROW EXECUTE FUNCTION raise_client_revision();

CREATE TRIGGER client_secrets_changed AFTER INSERT OR UPDATE OR DELETE ON client_secrets
FOR EACH ROW EXECUTE FUNCTION raise_client_revision();

CREATE FUNCTION raise_read_token_revision() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
    UPDATE read_tokens SET revision = revision + 1 WHERE id = NEW.id;
    RETURN NULL;
END $$;

CREATE TRIGGER read_tokens_changed
AFTER UPDATE OF account, organization, permissions, state, expires_at, demo ON read_tokens
FOR EACH ROW EXECUTE FUNCTION raise_read_token_revision();

CREATE FUNCTION raise_token_key_revision() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
    UPDATE token_keys SET revision = revision + 1 WHERE kid = NEW.kid;
    RETURN NULL;
END $$;

CREATE TRIGGER token_keys_changed AFTER UPDATE OF keyring_id, sealed, not_before, retires_at ON token_keys
FOR EACH ROW EXECUTE FUNCTION raise_token_key_revision();

CREATE OR REPLACE FUNCTION raise_revisions_of_account() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
    UPDATE credentials SET revision = revision + 1 WHERE account = NEW.id;
    UPDATE oauth_clients SET revision = revision + 1 WHERE account = NEW.id;
    UPDATE read_tokens SET revision = revision + 1 WHERE account = NEW.id;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION raise_revisions_of_organization() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
    UPDATE credentials SET revision = revision + 1
    WHERE organization = NEW.id OR account IN (SELECT id FROM accounts WHERE organization = NEW.id);
    UPDATE oauth_clients SET revision = revision + 1
    WHERE organization = NEW.id OR account IN (SELECT id FROM accounts WHERE organization = NEW.id);
    UPDATE read_tokens SET revision = revision + 1
    WHERE organization = NEW.id OR account IN (SELECT id FROM accounts WHERE organization = NEW.id);
    RETURN NULL;
END $$;

CREATE TRIGGER oauth_clients_hold_their_owners BEFORE INSERT OR UPDATE OF account, organization ON oauth_clients
FOR EACH ROW EXECUTE FUNCTION hold_owners();

CREATE TRIGGER read_tokens_hold_their_owners BEFORE INSERT OR UPDATE OF account, organization ON read_tokens
FOR EACH ROW EXECUTE FUNCTION hold_owners();
