//! Every statement that the key stores send, once for all engines.
//!
//! They keep to what SQLite and Postgres have in common. Names and secrets are always bound, never spliced.

/// The state of `c`, which has an account and perhaps an organization. It is disabled if its account is, or its
/// organization, or the organization of its account; a row that is named and not there disables as well.
macro_rules! state_under_owners {
    () => {
        "CASE WHEN c.state = 'active'
                 AND (a.state <> 'active'
                      OR (c.organization IS NOT NULL AND o.state IS DISTINCT FROM 'active')
                      OR (a.organization IS NOT NULL AND ao.state IS DISTINCT FROM 'active'))
                THEN 'disabled' ELSE c.state END AS state"
    };
}

/// The owners of `c`.
macro_rules! join_owners {
    () => {
        "JOIN accounts a ON a.id = c.account
    LEFT JOIN organizations o ON o.id = c.organization
    LEFT JOIN organizations ao ON ao.id = a.organization"
    };
}

/// Credentials, once for each secret of `$secrets` that has not retired by `$now`; keys made for demonstration only if
/// `$demo` says so.
macro_rules! find_credentials {
    ($($from:literal),+; now: $now:literal, demo: $demo:literal) => {
        $crate::store::sql::statements::find_credentials!(
            $($from),+; secrets: "secret_versions", now: $now, demo: $demo)
    };
    ($($from:literal),+; secrets: $secrets:literal, now: $now:literal, demo: $demo:literal) => {
        concat!(
            "
    SELECT c.scheme, c.key_id, c.account, c.organization, c.public_key, c.algorithm, c.not_before, c.expires_at,
           c.debug_until, c.revision, c.permissions, a.permissions AS account_permissions, ",
            $crate::store::sql::statements::state_under_owners!(),
            ",
           s.number, s.keyring_id, s.sealed, s.retires_at
    FROM ",
            $($from,)+
            "
    ",
            $crate::store::sql::statements::join_owners!(),
            "
    LEFT JOIN ",
            $secrets,
            " s
           ON s.scheme = c.scheme AND s.key_id = c.key_id AND (s.retires_at IS NULL OR s.retires_at > ",
            $now,
            ")
    WHERE NOT c.demo OR ",
            $demo,
            "
    ORDER BY c.scheme, c.key_id, s.number DESC"
        )
    };
}

/// The statements that ask for many things in one: for the elements of the JSON array `$1`, which `$rows` makes rows
/// with a `value` of. The engines differ in this word only.
macro_rules! many {
    ($rows:literal) => {
        /// The credentials of `[[scheme, key id], …]` at `$2`, perhaps for demonstration (`$3`).
const FIND_CREDENTIALS: &str = $crate::store::sql::statements::find_credentials!(
            $rows,
            " w JOIN credentials c ON c.scheme = w.value ->> 0 AND c.key_id = w.value ->> 1";
            now: "$2", demo: "$3");

        /// Which of `[[scheme, key id, organization], …]` are installed, in organizations that are not disabled.
        const FIND_INSTALLATIONS: &str = concat!(
            "
    SELECT i.scheme, i.key_id, o.id
    FROM ",
            $rows,
            " w
    JOIN app_installations i
      ON i.scheme = w.value ->> 0 AND i.key_id = w.value ->> 1 AND i.organization = w.value ->> 2
    JOIN organizations o ON o.id = i.organization
    WHERE o.state = 'active'"
        );

        /// Which of `[[client id], …]` there are.
        const KNOWN_CLIENTS: &str = concat!(
            "SELECT c.client_id FROM ",
            $rows,
            " w JOIN oauth_clients c ON c.client_id = w.value ->> 0"
        );

        /// Of which of `[[hash in hexadecimal], …]` there are read tokens.
        const KNOWN_READ_TOKENS: &str = concat!(
            "SELECT w.value ->> 0 FROM ",
            $rows,
            " w JOIN read_tokens t ON t.hash = unhex(w.value ->> 0)"
        );
    };
}

pub(in crate::store) use {find_credentials, join_owners, many, state_under_owners};

/// The credential of a scheme (`$1`) and key id (`$2`) at `$3`, perhaps for demonstration (`$4`).
pub(in crate::store) const FIND_CREDENTIAL: &str = find_credentials!(
    "(SELECT * FROM credentials WHERE scheme = $1 AND key_id = $2) c"; now: "$3", demo: "$4");

/// The scheme of the credential that follows a scheme (`$1`) and key id (`$2`), and its last key id among the `$3`
/// credentials from there on.
pub(in crate::store) const END_OF_PAGE: &str = "
    SELECT p.scheme, max(p.key_id)
    FROM (SELECT scheme, key_id FROM credentials WHERE (scheme, key_id) > ($1, $2) ORDER BY scheme, key_id LIMIT $3) p
    GROUP BY p.scheme
    ORDER BY p.scheme
    LIMIT 1";

/// The credentials of a scheme (`$1`) that follow a key id (`$2`) up to another (`$3`), at `$4`, perhaps for demonstration
/// (`$5`). Both tables are named the same two bounds, so that a planner which knows none of the values expects a short
/// range of each, and reads no whole table for a page.
pub(in crate::store) const PAGE_OF_CREDENTIALS: &str = find_credentials!(
    "(SELECT * FROM credentials WHERE scheme = $1 AND key_id > $2 AND key_id <= $3) c";
    secrets: "(SELECT * FROM secret_versions WHERE scheme = $1 AND key_id > $2 AND key_id <= $3)",
    now: "$4", demo: "$5");

/// The organization `$3` if the app of scheme `$1` and key id `$2` is installed there and it is not disabled.
pub(in crate::store) const FIND_INSTALLATION: &str = "
    SELECT o.id
    FROM app_installations i
    JOIN organizations o ON o.id = i.organization
    WHERE i.scheme = $1 AND i.key_id = $2 AND i.organization = $3 AND o.state = 'active'";

pub(in crate::store) const INSERT_ORGANIZATION: &str = "
    INSERT INTO organizations (id, name, created_at) VALUES ($1, $2, $3)";

/// Every organization, once for each app installed there.
pub(in crate::store) const LIST_ORGANIZATIONS: &str = "
    SELECT o.id, o.name, o.state, i.scheme, i.key_id
    FROM organizations o
    LEFT JOIN app_installations i ON i.organization = o.id
    ORDER BY o.id, i.scheme, i.key_id";

pub(in crate::store) const COUNT_ORGANIZATIONS: &str = "SELECT count(*) FROM organizations WHERE id = $1";

pub(in crate::store) const INSERT_INSTALLATION: &str = "
    INSERT INTO app_installations (scheme, key_id, organization, created_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT DO NOTHING";

pub(in crate::store) const DELETE_INSTALLATION: &str = "
    DELETE FROM app_installations WHERE scheme = $1 AND key_id = $2 AND organization = $3";

pub(in crate::store) const INSERT_ACCOUNT: &str = "
    INSERT INTO accounts (id, organization, permissions, created_at) VALUES ($1, $2, $3, $4)";

pub(in crate::store) const LIST_ACCOUNTS: &str = "
    SELECT id, organization, permissions, state FROM accounts ORDER BY id";

/// The secrets of a key (`$1`, `$2`) and of the other keys of its account, each with whether it has not retired by `$3`.
pub(in crate::store) const SECRETS_TO_OPEN: &str = "
    SELECT c.key_id, s.number, s.retires_at IS NULL OR s.retires_at > $3 AS live, s.keyring_id, s.sealed
    FROM credentials own
    JOIN credentials c ON c.scheme = own.scheme AND (c.key_id = own.key_id OR c.account = own.account)
    JOIN secret_versions s ON s.scheme = c.scheme AND s.key_id = c.key_id
    WHERE own.scheme = $1 AND own.key_id = $2
    ORDER BY CASE WHEN c.key_id = $2 THEN 0 ELSE 1 END, s.number DESC, c.key_id
    LIMIT 32";

/// Inserts nothing if the key id was ever given out, also if somebody else is just giving it out.
pub(in crate::store) const INSERT_CREDENTIAL: &str = "
    INSERT INTO credentials (scheme, key_id, algorithm, account, organization, public_key, not_before, expires_at,
                             permissions, demo, created_at)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11
    WHERE NOT EXISTS (SELECT 1 FROM credentials WHERE scheme = $1 AND key_id = $2)
    ON CONFLICT DO NOTHING";

pub(in crate::store) const INSERT_SECRET_VERSION: &str = "
    INSERT INTO secret_versions (scheme, key_id, number, keyring_id, sealed, fingerprint, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)";

/// Credentials for a list, once for each of their secrets, newest first.
macro_rules! list_credentials {
    ($condition:literal) => {
        concat!(
            "
    SELECT c.scheme, c.key_id, c.account, c.organization, c.public_key, c.state, c.not_before, c.expires_at,
           c.debug_until, c.permissions, c.created_at, c.demo, c.last_used_at,
           s.number, s.fingerprint, s.keyring_id, s.created_at AS secret_created_at, s.retires_at,
           s.last_used_at AS secret_last_used_at
    FROM credentials c
    LEFT JOIN secret_versions s ON s.scheme = c.scheme AND s.key_id = c.key_id
    ",
            $condition,
            "
    ORDER BY c.scheme, c.key_id, s.number DESC"
        )
    };
}

pub(in crate::store) const LIST_CREDENTIALS: &str = list_credentials!("");
pub(in crate::store) const SHOW_CREDENTIAL: &str = list_credentials!("WHERE c.scheme = $1 AND c.key_id = $2");

/// Does nothing if the keyring key is known already, right or wrong.
pub(in crate::store) const INSERT_CANARY: &str = "
    INSERT INTO keyring (id, canary, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";

pub(in crate::store) const LIST_CANARIES: &str = "SELECT id, canary FROM keyring ORDER BY id";

/// Makes an instance (`$1`) known for some seconds (`$2`), or notes up to where it has forgotten what changed (`$3`). The
/// lease ends a second later here than there, since seconds are whole.
pub(in crate::store) const RENEW_LEASE: &str = "
    INSERT INTO instances (id, lease_until, acknowledged) VALUES ($1, unixepoch() + $2 + 1, $3)
    ON CONFLICT (id) DO UPDATE SET lease_until = excluded.lease_until, acknowledged = excluded.acknowledged";

pub(in crate::store) const END_LEASE: &str = "DELETE FROM instances WHERE id = $1";

/// Of each instance its name, whether its lease runs, and whether it has forgotten what changed before barrier `$1`.
pub(in crate::store) const LIST_INSTANCES: &str = "
    SELECT id, lease_until > unixepoch(), acknowledged >= $1 FROM instances ORDER BY id";

/// Forgets instances that nobody has heard of for a day.
pub(in crate::store) const FORGET_INSTANCES: &str =
    "DELETE FROM instances WHERE lease_until < unixepoch() - 86400";

/// Names who acts (`$1`) and why (`$2`) to the audit log, until [`END_ACTING`] or the end of the transaction.
pub(in crate::store) const BEGIN_ACTING: &str = "INSERT INTO acting (actor, reason) VALUES ($1, $2)";
pub(in crate::store) const END_ACTING: &str = "DELETE FROM acting";

pub(in crate::store) const STATE_OF_CREDENTIAL: &str = "
    SELECT state FROM credentials WHERE scheme = $1 AND key_id = $2";

/// Holds a credential that is not revoked, to the end of the transaction.
pub(in crate::store) const HOLD_CREDENTIAL: &str = "
    UPDATE credentials SET revision = revision + 1
    WHERE scheme = $1 AND key_id = $2 AND state <> 'revoked'
    RETURNING algorithm";

pub(in crate::store) const SECRET_ENDS: &str = "
    SELECT number, retires_at FROM secret_versions WHERE scheme = $1 AND key_id = $2";

pub(in crate::store) const RETIRE_SECRETS: &str = "
    UPDATE secret_versions SET retires_at = $3
    WHERE scheme = $1 AND key_id = $2 AND (retires_at IS NULL OR retires_at > $3)";

/// Changes nothing if the credential is revoked: of two at once, whoever comes second sees what the first one did.
pub(in crate::store) const SET_STATE: &str = "
    UPDATE credentials SET state = $3
    WHERE scheme = $1 AND key_id = $2 AND state <> 'revoked' AND state <> $3";

pub(in crate::store) const SET_NOT_BEFORE: &str = "
    UPDATE credentials SET not_before = $3 WHERE scheme = $1 AND key_id = $2 AND state <> 'revoked'";

pub(in crate::store) const SET_EXPIRES_AT: &str = "
    UPDATE credentials SET expires_at = $3 WHERE scheme = $1 AND key_id = $2 AND state <> 'revoked'";

pub(in crate::store) const SET_DEBUG_UNTIL: &str = "
    UPDATE credentials SET debug_until = $3 WHERE scheme = $1 AND key_id = $2 AND state <> 'revoked'";

pub(in crate::store) const NOTE_USE: &str = "
    UPDATE secret_versions SET last_used_at = $4
    WHERE scheme = $1 AND key_id = $2 AND number = $3 AND (last_used_at IS NULL OR last_used_at < $4)";

/// Of the audit log, newest first, what fits: scheme, key id, actor, not before, an id to go on below; at most `$6`.
pub(in crate::store) const LIST_AUDIT: &str = "
    SELECT id, at, actor, reason, subject, verb, scheme, key_id, name, was, became
    FROM audit_log
    WHERE ($1 IS NULL OR scheme = $1) AND ($2 IS NULL OR key_id = $2) AND ($3 IS NULL OR actor = $3)
      AND at >= $4 AND id < $5
    ORDER BY id DESC
    LIMIT $6";

/// The sealed secrets of a key, or of every key if the scheme is empty.
pub(in crate::store) const SEALED_SECRETS: &str = "
    SELECT scheme, key_id, number, keyring_id, sealed
    FROM secret_versions
    WHERE $1 = '' OR (scheme = $1 AND key_id = $2)";

/// Every key of the keyring that the database knows, with the number of secrets that it seals.
pub(in crate::store) const KEYRING_USE: &str = "
    SELECT k.id, (SELECT count(*) FROM secret_versions s WHERE s.keyring_id = k.id)
               + (SELECT count(*) FROM token_keys t WHERE t.keyring_id = k.id)
    FROM keyring k
    ORDER BY k.id";

/// Secrets behind a place (`$1`, `$2`, `$3`) that another keyring key than `$4` seals, `$5` of them.
pub(in crate::store) const SEALED_OTHERWISE: &str = "
    SELECT scheme, key_id, number, keyring_id, sealed
    FROM secret_versions
    WHERE (scheme, key_id, number) > ($1, $2, $3) AND keyring_id <> $4
    ORDER BY scheme, key_id, number
    LIMIT $5";

/// The same of signing keys, whose places come before those of all secrets.
pub(in crate::store) const SIGNING_KEYS_SEALED_OTHERWISE: &str = "
    SELECT '', kid, CAST(1 AS BIGINT), keyring_id, sealed
    FROM token_keys
    WHERE $1 = '' AND kid > $2 AND $3 < 2 AND keyring_id <> $4
    ORDER BY kid
    LIMIT $5";

/// Puts another record in the place of the one that was read, unless somebody else has.
pub(in crate::store) const RESEAL: &str = "
    UPDATE secret_versions SET keyring_id = $4, sealed = $5
    WHERE scheme = $1 AND key_id = $2 AND number = $3 AND keyring_id = $6";

pub(in crate::store) const RESEAL_SIGNING_KEY: &str = "
    UPDATE token_keys SET keyring_id = $4, sealed = $5
    WHERE $1 = '' AND kid = $2 AND $3 = 1 AND keyring_id = $6";

/// Refused by the database while the key seals a secret.
pub(in crate::store) const FORGET_KEYRING_KEY: &str = "DELETE FROM keyring WHERE id = $1";

/// Keys by scheme and by what they are at `$1`; how many there are of each.
pub(in crate::store) const COUNT_KEYS: &str = concat!(
    "
    SELECT k.scheme, k.state, count(*)
    FROM (SELECT s.scheme,
                 CASE WHEN s.state = 'revoked' THEN 'revoked'
                      WHEN s.expires_at <= $1 THEN 'expired'
                      WHEN s.state <> 'active' THEN 'disabled'
                      WHEN s.not_before > $1 THEN 'pending'
                      ELSE 'active' END AS state
          FROM (SELECT c.scheme, c.not_before, c.expires_at, ",
    state_under_owners!(),
    "
                FROM credentials c
    ",
    join_owners!(),
    ") s) k
    GROUP BY k.scheme, k.state
    ORDER BY k.scheme, k.state"
);

/// Of the active keys that end within a week of `$1`, those that do within a day, and all.
pub(in crate::store) const COUNT_EXPIRING: &str = "
    SELECT count(CASE WHEN expires_at <= $1 + 86400 THEN 1 END), count(*)
    FROM credentials
    WHERE state = 'active' AND expires_at > $1 AND expires_at <= $1 + 604800";

/// Changes nothing that counts, and holds the account until the end of the transaction.
pub(in crate::store) const HOLD_ACCOUNT: &str = "UPDATE accounts SET created_at = created_at WHERE id = $1";

pub(in crate::store) const SHOW_PERMISSIONS: &str = "SELECT permissions FROM accounts WHERE id = $1";

pub(in crate::store) const SET_PERMISSIONS: &str = "UPDATE accounts SET permissions = $2 WHERE id = $1";

pub(in crate::store) const SET_KEY_PERMISSIONS: &str = "
    UPDATE credentials SET permissions = $3 WHERE scheme = $1 AND key_id = $2";

pub(in crate::store) const SWITCH_ACCOUNT: &str = "UPDATE accounts SET state = $2 WHERE id = $1";

pub(in crate::store) const SWITCH_ORGANIZATION: &str = "UPDATE organizations SET state = $2 WHERE id = $1";
