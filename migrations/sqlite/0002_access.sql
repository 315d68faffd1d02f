-- What callers may do; OAuth clients, read tokens, and the keys that sign tokens.
--
-- Of client secrets and read tokens nothing is kept but their SHA-256. Rules, names and times are as in step 1.

-- What a key may do of that which its account may. NULL is all of it.
ALTER TABLE credentials ADD COLUMN permissions TEXT;

CREATE TABLE oauth_clients (
    -- Visible ASCII without the colon that ends a user name in Basic credentials.
    client_id    TEXT    NOT NULL PRIMARY KEY
                 CHECK (length(CAST(client_id AS BLOB)) BETWEEN 1 AND 255)
                 CHECK (instr(client_id, char(0)) = 0)
                 CHECK (client_id NOT GLOB '*[^!-9;-~]*'),
    account      TEXT    NOT NULL REFERENCES accounts (id),
    organization TEXT    REFERENCES organizations (id),
    permissions  TEXT,
    state        TEXT    NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'disabled', 'revoked')),
    expires_at   INTEGER CHECK (expires_at BETWEEN 0 AND 253402300799),
    comment      TEXT    CHECK (length(CAST(comment AS BLOB)) <= 1024),
    revision     INTEGER NOT NULL DEFAULT 1 CHECK (revision >= 1),
    demo         INTEGER NOT NULL DEFAULT 0 CHECK (demo IN (0, 1)),
    created_at   INTEGER NOT NULL DEFAULT (unixepoch()) CHECK (created_at BETWEEN 0 AND 253402300799)
) STRICT, WITHOUT ROWID;

CREATE INDEX oauth_clients_by_account ON oauth_clients (account);
CREATE INDEX oauth_clients_by_organization ON oauth_clients (organization);

CREATE TABLE client_secrets (
    client_id  TEXT    NOT NULL REFERENCES oauth_clients (client_id),
    number     INTEGER NOT NULL CHECK (number >= 1),
    hash       BLOB    NOT NULL CHECK (length(hash) = 32),
    created_at INTEGER NOT NULL DEFAULT (unixepoch()) CHECK (created_at BETWEEN 0 AND 253402300799),
    retires_at INTEGER CHECK (retires_at BETWEEN 0 AND 253402300799),
    PRIMARY KEY (client_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE read_tokens (
    id           TEXT    NOT NULL PRIMARY KEY
                 CHECK (length(CAST(id AS BLOB)) BETWEEN 1 AND 255)
                 CHECK (instr(id, char(0)) = 0)
                 CHECK (id NOT GLOB '*[' || char(1) || '-' || char(31) || char(127) || '-' || char(159) || ']*'),
    hash         BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    -- How the token begins and ends, for its owner.
    hint         TEXT    NOT NULL DEFAULT '' CHECK (length(CAST(hint AS BLOB)) <= 64),
    account      TEXT    NOT NULL REFERENCES accounts (id),
    organization TEXT    NOT NULL REFERENCES organizations (id),
    permissions  TEXT,
    state        TEXT    NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'disabled', 'revoked')),
    expires_at   INTEGER CHECK (expires_at BETWEEN 0 AND 253402300799),
    comment      TEXT    CHECK (length(CAST(comment AS BLOB)) <= 1024),
    revision     INTEGER NOT NULL DEFAULT 1 CHECK (revision >= 1),
    demo         INTEGER NOT NULL DEFAULT 0 CHECK (demo IN (0, 1)),
    created_at   INTEGER NOT NULL DEFAULT (unixepoch()) CHECK (created_at BETWEEN 0 AND 253402300799)
) STRICT, WITHOUT ROWID;

CREATE INDEX read_tokens_by_account ON read_tokens (account);
CREATE INDEX read_tokens_by_organization ON read_tokens (organization);

CREATE TABLE token_keys (
    kid        TEXT    NOT NULL PRIMARY KEY
               CHECK (length(CAST(kid AS BLOB)) BETWEEN 1 AND 255)
               CHECK (instr(kid, char(0)) = 0)
               CHECK (kid NOT GLOB '*[' || char(1) || '-' || char(31) || char(127) || '-' || char(159) || ']*'),
    -- Of the keys that may sign, the one with the highest number does.
    number     INTEGER NOT NULL UNIQUE CHECK (number >= 1),
    algorithm  TEXT    NOT NULL CHECK (algorithm <> ''),
    -- A SubjectPublicKeyInfo, and sealed the PKCS #8 PrivateKeyInfo that belongs to it.
    public_key BLOB    NOT NULL CHECK (length(public_key) BETWEEN 1 AND 16384),
    keyring_id TEXT    NOT NULL REFERENCES keyring (id),
    sealed     BLOB    NOT NULL CHECK (length(sealed) BETWEEN 30 AND 65536),
    not_before INTEGER CHECK (not_before BETWEEN 0 AND 253402300799),
    retires_at INTEGER CHECK (retires_at BETWEEN 0 AND 253402300799),
    -- The sum over all keys is the revision of the set.
    revision   INTEGER NOT NULL DEFAULT 1 CHECK (revision >= 1),
    created_at INTEGER NOT NULL DEFAULT (unixepoch()) CHECK (created_at BETWEEN 0 AND 253402300799)
) STRICT, WITHOUT ROWID;

CREATE INDEX token_keys_by_keyring ON token_keys (keyring_id);

-- The form of permissions stands here once: words with one space between them, `-` before one that is denied, `*` for
-- a first or last segment or alone, as the program reads them. Whatever holds permissions writes them here as well,
-- where nothing is kept. A check of each column would say it four times, and one column is older than the form.
CREATE VIEW permissions_to_check AS SELECT '' AS words;

CREATE TRIGGER permissions_are_words INSTEAD OF INSERT ON permissions_to_check
WHEN NEW.words <> ''
 AND (length(CAST(NEW.words AS BLOB)) > 4096
      OR instr(NEW.words, char(0)) > 0
      OR ' ' || NEW.words || ' ' GLOB '*[^-A-Za-z0-9._:* ]*'
      -- A word, and each of its segments, begins with a letter, a digit or a star.
      OR ' ' || NEW.words || ' ' GLOB '* [^-A-Za-z0-9*]*'
      OR ' ' || NEW.words || ' ' GLOB '* -[^A-Za-z0-9*]*'
      OR ' ' || NEW.words || ' ' GLOB '*:[^A-Za-z0-9*]*'
      -- A star is a whole segment, the first or the last, and there is another if it is not alone.
      OR ' ' || NEW.words || ' ' GLOB '*[^ :-][*]*'
      OR ' ' || NEW.words || ' ' GLOB '*[^ ]-[*]*'
      OR ' ' || NEW.words || ' ' GLOB '*[*][^ :]*'
      OR ' ' || NEW.words || ' ' GLOB '*:[*]:*'
      OR ' ' || NEW.words || ' ' GLOB '*[ -][*]:[*] *')
BEGIN
    SELECT RAISE(ABORT, 'permissions are words with one space between them');
END;

CREATE TRIGGER accounts_have_permissions BEFORE INSERT ON accounts
BEGIN
    INSERT INTO permissions_to_check VALUES (NEW.permissions);
END;

CREATE TRIGGER accounts_keep_to_permissions BEFORE UPDATE OF permissions ON accounts
BEGIN
    INSERT INTO permissions_to_check VALUES (NEW.permissions);
END;

CREATE TRIGGER credentials_have_permissions BEFORE INSERT ON credentials
BEGIN
    INSERT INTO permissions_to_check VALUES (NEW.permissions);
END;

CREATE TRIGGER credentials_keep_to_permissions BEFORE UPDATE OF permissions ON credentials
BEGIN
    INSERT INTO permissions_to_check VALUES (NEW.permissions);
END;

CREATE TRIGGER oauth_clients_have_permissions BEFORE INSERT ON oauth_clients
BEGIN
    INSERT INTO permissions_to_check VALUES (NEW.permissions);
END;

CREATE TRIGGER oauth_clients_keep_to_permissions BEFORE UPDATE OF permissions ON oauth_clients
BEGIN
    INSERT INTO permissions_to_check VALUES (NEW.permissions);
END;

CREATE TRIGGER read_tokens_have_permissions BEFORE INSERT ON read_tokens
BEGIN
    INSERT INTO permissions_to_check VALUES (NEW.permissions);
END;

CREATE TRIGGER read_tokens_keep_to_permissions BEFORE UPDATE OF permissions ON read_tokens
BEGIN
    INSERT INTO permissions_to_check VALUES (NEW.permissions);
END;

-- Names are for ever, and so is a withdrawal. INSERT OR REPLACE deletes without asking the triggers against deletion.

CREATE TRIGGER oauth_clients_stay BEFORE DELETE ON oauth_clients
BEGIN
    SELECT RAISE(ABORT, 'a client is revoked, never deleted');
END;

CREATE TRIGGER oauth_clients_come_once BEFORE INSERT ON oauth_clients
WHEN EXISTS (SELECT 1 FROM oauth_clients WHERE client_id = NEW.client_id)
BEGIN
    SELECT RAISE(ABORT, 'a client id is never given out twice');
END;

CREATE TRIGGER oauth_clients_keep_their_name BEFORE UPDATE OF client_id ON oauth_clients
BEGIN
    SELECT RAISE(ABORT, 'a client keeps its id');
END;

CREATE TRIGGER oauth_clients_stay_revoked BEFORE UPDATE OF state ON oauth_clients
WHEN OLD.state = 'revoked' AND NEW.state <> 'revoked'
BEGIN
    SELECT RAISE(ABORT, 'a revoked client stays revoked');
END;

CREATE TRIGGER client_secrets_keep_their_place BEFORE UPDATE OF client_id, number, hash ON client_secrets
BEGIN
    SELECT RAISE(ABORT, 'a client secret keeps its place');
END;

CREATE TRIGGER read_tokens_stay BEFORE DELETE ON read_tokens
BEGIN
    SELECT RAISE(ABORT, 'a read token is revoked, never deleted');
END;

CREATE TRIGGER read_tokens_come_once BEFORE INSERT ON read_tokens
WHEN EXISTS (SELECT 1 FROM read_tokens WHERE id = NEW.id OR hash = NEW.hash)
BEGIN
    SELECT RAISE(ABORT, 'a read token is never given out twice');
END;

CREATE TRIGGER read_tokens_keep_their_name BEFORE UPDATE OF id, hash ON read_tokens
BEGIN
    SELECT RAISE(ABORT, 'a read token keeps its id and its hash');
END;

CREATE TRIGGER read_tokens_stay_revoked BEFORE UPDATE OF state ON read_tokens
WHEN OLD.state = 'revoked' AND NEW.state <> 'revoked'
BEGIN
    SELECT RAISE(ABORT, 'a revoked read token stays revoked');
END;

CREATE TRIGGER token_keys_stay BEFORE DELETE ON token_keys
BEGIN
    SELECT RAISE(ABORT, 'a signing key retires, and is never deleted');
END;

CREATE TRIGGER token_keys_come_once BEFORE INSERT ON token_keys
WHEN EXISTS (SELECT 1 FROM token_keys WHERE kid = NEW.kid OR number = NEW.number)
BEGIN
    SELECT RAISE(ABORT, 'a signing key keeps its name, number, algorithm and public key');
END;

CREATE TRIGGER token_keys_keep_their_name BEFORE UPDATE OF kid, number, algorithm, public_key ON token_keys
BEGIN
    SELECT RAISE(ABORT, 'a signing key keeps its name, number, algorithm and public key');
END;

CREATE TRIGGER token_keys_stay_retired BEFORE UPDATE OF retires_at ON token_keys
WHEN OLD.retires_at < coalesce(NEW.retires_at, 253402300800)
BEGIN
    SELECT RAISE(ABORT, 'the end of a signing key is not put off');
END;

-- The revisions, as those of credentials.

CREATE TRIGGER oauth_clients_revision_rises BEFORE UPDATE OF revision ON oauth_clients
WHEN NEW.revision <= OLD.revision
BEGIN
    SELECT RAISE(ABORT, 'a revision only rises');
END;

CREATE TRIGGER read_tokens_revision_rises BEFORE UPDATE OF revision ON read_tokens
WHEN NEW.revision <= OLD.revision
BEGIN
    SELECT RAISE(ABORT, 'a revision only rises');
END;

CREATE TRIGGER token_keys_revision_rises BEFORE UPDATE OF revision ON token_keys
WHEN NEW.revision <= OLD.revision
BEGIN
    SELECT RAISE(ABORT, 'a revision only rises');
END;

CREATE TRIGGER credentials_permissions_changed AFTER UPDATE OF permissions ON credentials
BEGIN
    UPDATE credentials SET revision = revision + 1 WHERE scheme = NEW.scheme AND key_id = NEW.key_id;
END;

CREATE TRIGGER oauth_clients_changed
AFTER UPDATE OF account, organization, permissions, state, expires_at, demo ON oauth_clients
BEGIN
    UPDATE oauth_clients SET revision = revision + 1 WHERE client_id = NEW.client_id;
END;

CREATE TRIGGER client_secrets_added AFTER INSERT ON client_secrets
BEGIN
    UPDATE oauth_clients SET revision = revision + 1 WHERE client_id = NEW.client_id;
END;

CREATE TRIGGER client_secrets_changed AFTER UPDATE ON client_secrets
BEGIN
    UPDATE oauth_clients SET revision = revision + 1 WHERE client_id = NEW.client_id;
END;

CREATE TRIGGER client_secrets_removed AFTER DELETE ON client_secrets
BEGIN
    UPDATE oauth_clients SET revision = revision + 1 WHERE client_id = OLD.client_id;
END;

CREATE TRIGGER read_tokens_changed
AFTER UPDATE OF account, organization, permissions, state, expires_at, demo ON read_tokens
BEGIN
    UPDATE read_tokens SET revision = revision + 1 WHERE id = NEW.id;
END;

CREATE TRIGGER token_keys_changed AFTER UPDATE OF keyring_id, sealed, not_before, retires_at ON token_keys
BEGIN
    UPDATE token_keys SET revision = revision + 1 WHERE kid = NEW.kid;
END;

CREATE TRIGGER accounts_changed_for_tokens AFTER UPDATE OF organization, state, permissions ON accounts
BEGIN
    UPDATE oauth_clients SET revision = revision + 1 WHERE account = NEW.id;
    UPDATE read_tokens SET revision = revision + 1 WHERE account = NEW.id;
END;

CREATE TRIGGER organizations_changed_for_tokens AFTER UPDATE OF state ON organizations
BEGIN
    UPDATE oauth_clients SET revision = revision + 1
    WHERE organization = NEW.id OR account IN (SELECT id FROM accounts WHERE organization = NEW.id);
    UPDATE read_tokens SET revision = revision + 1
    WHERE organization = NEW.id OR account IN (SELECT id FROM accounts WHERE organization = NEW.id);
END;

-- Until now nothing read what an account may do, and each could do everything. It stays so for those that have no
-- words. From now on, no word means nothing. What is no list of words is refused here, and must be changed first.
UPDATE accounts SET permissions = CASE permissions WHEN '' THEN '*' ELSE permissions END;
