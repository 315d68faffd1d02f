-- Organizations, accounts, and credentials with their sealed secrets.
--
-- Names stand as the provider spells them and are compared byte for byte: 1 to 255 bytes, no control characters.
-- Times are whole seconds since the Unix epoch. They end with the year 9999, so that milliseconds are refused.
-- Whatever is written here by hand obeys the same rules as what the program writes: triggers see to it.

CREATE TABLE organizations (
    id         TEXT    NOT NULL PRIMARY KEY
               CHECK (length(CAST(id AS BLOB)) BETWEEN 1 AND 255)
               CHECK (instr(id, char(0)) = 0)
               CHECK (id NOT GLOB '*[' || char(1) || '-' || char(31) || char(127) || '-' || char(159) || ']*'),
    name       TEXT,
    state      TEXT    NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'disabled')),
    created_at INTEGER NOT NULL DEFAULT (unixepoch()) CHECK (created_at BETWEEN 0 AND 253402300799)
) STRICT, WITHOUT ROWID;

CREATE TABLE accounts (
    id           TEXT    NOT NULL PRIMARY KEY
                 CHECK (length(CAST(id AS BLOB)) BETWEEN 1 AND 255)
                 CHECK (instr(id, char(0)) = 0)
                 CHECK (id NOT GLOB '*[' || char(1) || '-' || char(31) || char(127) || '-' || char(159) || ']*'),
    organization TEXT    REFERENCES organizations (id),
    state        TEXT    NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'disabled')),
    -- What the account may do: words with a space between them. Nothing reads them yet.
    permissions  TEXT    NOT NULL DEFAULT '',
    created_at   INTEGER NOT NULL DEFAULT (unixepoch()) CHECK (created_at BETWEEN 0 AND 253402300799)
) STRICT, WITHOUT ROWID;

CREATE INDEX accounts_by_organization ON accounts (organization);

CREATE TABLE credentials (
    scheme       TEXT    NOT NULL CHECK (length(scheme) BETWEEN 1 AND 64 AND scheme NOT GLOB '*[^a-z0-9-]*'),
    key_id       TEXT    NOT NULL
                 CHECK (length(CAST(key_id AS BLOB)) BETWEEN 1 AND 255)
                 CHECK (instr(key_id, char(0)) = 0)
                 CHECK (key_id NOT GLOB '*[' || char(1) || '-' || char(31) || char(127) || '-' || char(159) || ']*'),
    algorithm    TEXT    NOT NULL CHECK (algorithm <> ''),
    account      TEXT    NOT NULL REFERENCES accounts (id),
    organization TEXT    REFERENCES organizations (id),
    public_key   TEXT    CHECK (length(CAST(public_key AS BLOB)) BETWEEN 1 AND 4096),
    state        TEXT    NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'disabled', 'revoked')),
    not_before   INTEGER CHECK (not_before BETWEEN 0 AND 253402300799),
    expires_at   INTEGER CHECK (expires_at BETWEEN 0 AND 253402300799),
    -- Rises with every change that decides about a request, also of the account, the organization and the secrets.
    revision     INTEGER NOT NULL DEFAULT 1 CHECK (revision >= 1),
    demo         INTEGER NOT NULL DEFAULT 0 CHECK (demo IN (0, 1)),
    created_at   INTEGER NOT NULL DEFAULT (unixepoch()) CHECK (created_at BETWEEN 0 AND 253402300799),
    last_used_at INTEGER CHECK (last_used_at BETWEEN 0 AND 253402300799),
    PRIMARY KEY (scheme, key_id),
    CHECK (not_before < expires_at)
) STRICT, WITHOUT ROWID;

CREATE INDEX credentials_by_account ON credentials (account);
CREATE INDEX credentials_by_organization ON credentials (organization);

-- The keys that seal the secrets below, by name only. The canary opens with the key of that name and no other.
CREATE TABLE keyring (
    id         TEXT    NOT NULL PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 64),
    canary     BLOB    NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (unixepoch()) CHECK (created_at BETWEEN 0 AND 253402300799)
) STRICT, WITHOUT ROWID;

CREATE TABLE secret_versions (
    scheme      TEXT    NOT NULL,
    key_id      TEXT    NOT NULL,
    number      INTEGER NOT NULL CHECK (number >= 1),
    keyring_id  TEXT    NOT NULL REFERENCES keyring (id),
    -- Version, nonce and tag have 29 bytes, and no secret is empty.
    sealed      BLOB    NOT NULL CHECK (length(sealed) BETWEEN 30 AND 65536),
    fingerprint TEXT    NOT NULL CHECK (length(fingerprint) = 8 AND fingerprint NOT GLOB '*[^0-9a-f]*'),
    created_at  INTEGER NOT NULL DEFAULT (unixepoch()) CHECK (created_at BETWEEN 0 AND 253402300799),
    retires_at  INTEGER CHECK (retires_at BETWEEN 0 AND 253402300799),
    PRIMARY KEY (scheme, key_id, number),
    FOREIGN KEY (scheme, key_id) REFERENCES credentials (scheme, key_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX secret_versions_by_keyring ON secret_versions (keyring_id);

CREATE TABLE app_installations (
    scheme       TEXT    NOT NULL,
    key_id       TEXT    NOT NULL,
    organization TEXT    NOT NULL REFERENCES organizations (id),
    created_at   INTEGER NOT NULL DEFAULT (unixepoch()) CHECK (created_at BETWEEN 0 AND 253402300799),
    PRIMARY KEY (scheme, key_id, organization),
    FOREIGN KEY (scheme, key_id) REFERENCES credentials (scheme, key_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX app_installations_by_organization ON app_installations (organization);

-- Names are for ever. A name that could be given out twice would carry the rights and the history of its first owner
-- to the second.

CREATE TRIGGER organizations_stay BEFORE DELETE ON organizations
BEGIN
    SELECT RAISE(ABORT, 'an organization is disabled, never deleted');
END;

CREATE TRIGGER organizations_keep_their_name BEFORE UPDATE OF id ON organizations
BEGIN
    SELECT RAISE(ABORT, 'an organization keeps its name');
END;

CREATE TRIGGER accounts_stay BEFORE DELETE ON accounts
BEGIN
    SELECT RAISE(ABORT, 'an account is disabled, never deleted');
END;

CREATE TRIGGER accounts_keep_their_name BEFORE UPDATE OF id ON accounts
BEGIN
    SELECT RAISE(ABORT, 'an account keeps its name');
END;

CREATE TRIGGER credentials_stay BEFORE DELETE ON credentials
BEGIN
    SELECT RAISE(ABORT, 'a credential is revoked, never deleted');
END;

CREATE TRIGGER credentials_keep_their_name BEFORE UPDATE OF scheme, key_id, algorithm ON credentials
BEGIN
    SELECT RAISE(ABORT, 'a credential keeps its scheme, key id and algorithm');
END;

-- INSERT OR REPLACE deletes without asking the trigger above.
CREATE TRIGGER credentials_come_once BEFORE INSERT ON credentials
WHEN EXISTS (SELECT 1 FROM credentials WHERE scheme = NEW.scheme AND key_id = NEW.key_id)
BEGIN
    SELECT RAISE(ABORT, 'a key id is never given out twice');
END;

CREATE TRIGGER credentials_stay_revoked BEFORE UPDATE OF state ON credentials
WHEN OLD.state = 'revoked' AND NEW.state <> 'revoked'
BEGIN
    SELECT RAISE(ABORT, 'a revoked credential stays revoked');
END;

-- A sealed secret opens in its own row only.
CREATE TRIGGER secret_versions_keep_their_place BEFORE UPDATE OF scheme, key_id, number ON secret_versions
BEGIN
    SELECT RAISE(ABORT, 'a secret version keeps its place');
END;

-- The revision. It is counted here, so that a change by hand counts as well.

CREATE TRIGGER credentials_revision_rises BEFORE UPDATE OF revision ON credentials
WHEN NEW.revision <= OLD.revision
BEGIN
    SELECT RAISE(ABORT, 'a revision only rises');
END;

CREATE TRIGGER credentials_changed
AFTER UPDATE OF account, organization, public_key, state, not_before, expires_at, demo ON credentials
BEGIN
    UPDATE credentials SET revision = revision + 1 WHERE scheme = NEW.scheme AND key_id = NEW.key_id;
END;

CREATE TRIGGER secret_versions_added AFTER INSERT ON secret_versions
BEGIN
    UPDATE credentials SET revision = revision + 1 WHERE scheme = NEW.scheme AND key_id = NEW.key_id;
END;

CREATE TRIGGER secret_versions_changed AFTER UPDATE ON secret_versions
BEGIN
    UPDATE credentials SET revision = revision + 1 WHERE scheme = NEW.scheme AND key_id = NEW.key_id;
END;

CREATE TRIGGER secret_versions_removed AFTER DELETE ON secret_versions
BEGIN
    UPDATE credentials SET revision = revision + 1 WHERE scheme = OLD.scheme AND key_id = OLD.key_id;
END;

CREATE TRIGGER accounts_changed AFTER UPDATE OF organization, state, permissions ON accounts
BEGIN
    UPDATE credentials SET revision = revision + 1 WHERE account = NEW.id;
END;

CREATE TRIGGER organizations_changed AFTER UPDATE OF state ON organizations
BEGIN
    UPDATE credentials SET revision = revision + 1
    WHERE organization = NEW.id OR account IN (SELECT id FROM accounts WHERE organization = NEW.id);
END;
