-- Keys whose refused requests are explained to the operator, each until a moment that lies a day ahead at most.

ALTER TABLE credentials ADD COLUMN debug_until BIGINT CHECK (debug_until BETWEEN 0 AND 253402300799);

-- The clock of whoever says until when may be a minute ahead of this one.
CREATE FUNCTION guard_debug() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
    IF NEW.debug_until > unixepoch() + 86460 THEN
        RAISE EXCEPTION 'a key is debugged for a day at most' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER credentials_debugged_for_a_day BEFORE INSERT OR UPDATE OF debug_until ON credentials
FOR EACH ROW EXECUTE FUNCTION guard_debug();

-- Whoever keeps the key hears of it, as of its other limits, and so does the audit log.

CREATE TRIGGER credentials_debugged AFTER UPDATE OF debug_until ON credentials
FOR EACH ROW EXECUTE FUNCTION raise_revision();

CREATE TRIGGER credentials_debugged_audited AFTER UPDATE OF debug_until ON credentials
FOR EACH ROW EXECUTE FUNCTION audit('key', 'debug_until');
