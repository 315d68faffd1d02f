-- Keys whose refused requests are explained to the operator, each until a moment that lies a day ahead at most.

ALTER TABLE credentials ADD COLUMN debug_until INTEGER CHECK (debug_until BETWEEN 0 AND 253402300799);

-- The clock of whoever says until when may be a minute ahead of this one.

CREATE TRIGGER credentials_added_debugged_for_a_day BEFORE INSERT ON credentials
WHEN NEW.debug_until > unixepoch() + 86460
BEGIN
    SELECT RAISE(ABORT, 'a key is debugged for a day at most');
END;

CREATE TRIGGER credentials_debugged_for_a_day BEFORE UPDATE OF debug_until ON credentials
WHEN NEW.debug_until > unixepoch() + 86460
BEGIN
    SELECT RAISE(ABORT, 'a key is debugged for a day at most');
END;

-- Whoever keeps the key hears of it, as of its other limits, and so does the audit log.

CREATE TRIGGER credentials_debugged AFTER UPDATE OF debug_until ON credentials
BEGIN
    UPDATE credentials SET revision = revision + 1 WHERE scheme = NEW.scheme AND key_id = NEW.key_id;
END;

CREATE TRIGGER credentials_debugged_audited AFTER UPDATE OF debug_until ON credentials
BEGIN
    INSERT INTO audit_log (at, actor, reason, subject, verb, scheme, key_id, name, was, became)
    VALUES (unixepoch(), COALESCE((SELECT actor FROM acting), 'sql'), (SELECT reason FROM acting), 'key',
            'change', NEW.scheme, NEW.key_id, NULL,
            json_object('debug_until', OLD.debug_until), json_object('debug_until', NEW.debug_until));
END;
