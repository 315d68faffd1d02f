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

pub(super) use {join_owners, state_under_owners};

/// The credential of a scheme (`$1`) and key id (`$2`), once for each secret that has not retired by `$3`; keys made for
/// demonstration only if `$4` says so.
pub(in crate::store) const FIND_CREDENTIAL: &str = concat!(
    "
    SELECT c.account, c.organization, c.public_key, c.algorithm, c.not_before, c.expires_at, c.revision,
           c.permissions, a.permissions AS account_permissions, ",
    state_under_owners!(),
    ",
           s.number, s.keyring_id, s.sealed, s.retires_at
    FROM credentials c
    ",
    join_owners!(),
    "
    LEFT JOIN secret_versions s
           ON s.scheme = c.scheme AND s.key_id = c.key_id AND (s.retires_at IS NULL OR s.retires_at > $3)
    WHERE c.scheme = $1 AND c.key_id = $2 AND (NOT c.demo OR $4)
    ORDER BY s.number DESC"
);

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
           c.permissions, c.created_at, c.demo,
           s.number, s.fingerprint, s.keyring_id, s.created_at AS secret_created_at, s.retires_at
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

/// Changes nothing that counts, and holds the account until the end of the transaction.
pub(in crate::store) const HOLD_ACCOUNT: &str = "UPDATE accounts SET state = state WHERE id = $1";

pub(in crate::store) const SHOW_PERMISSIONS: &str = "SELECT permissions FROM accounts WHERE id = $1";

pub(in crate::store) const SET_PERMISSIONS: &str = "UPDATE accounts SET permissions = $2 WHERE id = $1";

pub(in crate::store) const SET_KEY_PERMISSIONS: &str = "
    UPDATE credentials SET permissions = $3 WHERE scheme = $1 AND key_id = $2";

pub(in crate::store) const SWITCH_ACCOUNT: &str = "UPDATE accounts SET state = $2 WHERE id = $1";

pub(in crate::store) const SWITCH_ORGANIZATION: &str = "UPDATE organizations SET state = $2 WHERE id = $1";
