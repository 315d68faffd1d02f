-- Telling the programs that keep what they have read what changes, and knowing which programs those are.
--
-- SQLite sends no messages. What changes is written down in the transaction that makes the change, and read by the others
-- when they notice that the database has changed. The text names what to forget, its parts separated by U+001F, which is
-- in no name. The same texts are in the Postgres step of this number.

CREATE TABLE changes (
    -- Without gaps. Who finds one has come too late, and forgets everything.
    seq  INTEGER PRIMARY KEY AUTOINCREMENT,
    what TEXT    NOT NULL
) STRICT;

CREATE TRIGGER changes_end AFTER INSERT ON changes WHEN NEW.seq % 1000 = 0
BEGIN
    DELETE FROM changes WHERE seq <= NEW.seq - 10000;
END;

-- The revision of a row rises with every change that counts, also with one of its owners or secrets, and with no other.

CREATE TRIGGER credentials_added_told AFTER INSERT ON credentials
BEGIN
    INSERT INTO changes (what) VALUES ('key' || char(31) || NEW.scheme || char(31) || NEW.key_id);
END;

CREATE TRIGGER credentials_told AFTER UPDATE OF revision ON credentials
BEGIN
    INSERT INTO changes (what) VALUES ('key' || char(31) || NEW.scheme || char(31) || NEW.key_id);
END;

CREATE TRIGGER oauth_clients_added_told AFTER INSERT ON oauth_clients
BEGIN
    INSERT INTO changes (what) VALUES ('client' || char(31) || NEW.client_id);
END;

CREATE TRIGGER oauth_clients_told AFTER UPDATE OF revision ON oauth_clients
BEGIN
    INSERT INTO changes (what) VALUES ('client' || char(31) || NEW.client_id);
END;

CREATE TRIGGER read_tokens_added_told AFTER INSERT ON read_tokens
BEGIN
    INSERT INTO changes (what) VALUES ('read-token' || char(31) || lower(hex(NEW.hash)));
END;

CREATE TRIGGER read_tokens_told AFTER UPDATE OF revision ON read_tokens
BEGIN
    INSERT INTO changes (what) VALUES ('read-token' || char(31) || lower(hex(NEW.hash)));
END;

CREATE TRIGGER token_keys_added_told AFTER INSERT ON token_keys
BEGIN
    INSERT INTO changes (what) VALUES ('token-keys'), ('signing-key');
END;

CREATE TRIGGER token_keys_told AFTER UPDATE OF revision ON token_keys
BEGIN
    INSERT INTO changes (what) VALUES ('token-keys'), ('signing-key');
END;

-- An installation has no revision: it is there or not, and its organization is in force or not.

CREATE TRIGGER app_installations_added_told AFTER INSERT ON app_installations
BEGIN
    INSERT INTO changes (what)
    VALUES ('installation' || char(31) || NEW.scheme || char(31) || NEW.key_id || char(31) || NEW.organization);
END;

CREATE TRIGGER app_installations_removed_told AFTER DELETE ON app_installations
BEGIN
    INSERT INTO changes (what)
    VALUES ('installation' || char(31) || OLD.scheme || char(31) || OLD.key_id || char(31) || OLD.organization);
END;

CREATE TRIGGER app_installations_moved BEFORE UPDATE OF scheme, key_id, organization ON app_installations
BEGIN
    SELECT RAISE(ABORT, 'an installation is removed and made, never changed');
END;

CREATE TRIGGER organizations_told AFTER UPDATE OF state ON organizations
BEGIN
    INSERT INTO changes (what)
    SELECT 'installation' || char(31) || scheme || char(31) || key_id || char(31) || organization
    FROM app_installations WHERE organization = NEW.id;
END;

-- The programs that keep what they have read. Each holds a lease and trusts nothing that it keeps when it has run out,
-- so that whoever waits for all of them need not wait for one that has vanished.
CREATE TABLE instances (
    id           TEXT    NOT NULL PRIMARY KEY CHECK (length(CAST(id AS BLOB)) BETWEEN 1 AND 255),
    lease_until  INTEGER NOT NULL CHECK (lease_until BETWEEN 0 AND 253402300799),
    -- The highest number among the changes up to which it has forgotten what changed.
    acknowledged INTEGER NOT NULL CHECK (acknowledged >= 0)
) STRICT, WITHOUT ROWID;
