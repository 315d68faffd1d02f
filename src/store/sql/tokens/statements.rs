//! The statements about clients, read tokens and signing keys, once for all engines.

use crate::store::sql::statements::{join_owners, state_under_owners};

/// The client `$1`, once for each secret that has not retired by `$2`; clients made for demonstration only if `$3` says
/// so.
pub(in crate::store) const FIND_CLIENT: &str = concat!(
    "
    SELECT c.account, c.organization, c.expires_at, c.debug_until, c.revision,
           c.permissions, a.permissions AS account_permissions, ",
    state_under_owners!(),
    ",
           s.number, s.hash, s.retires_at
    FROM oauth_clients c
    ",
    join_owners!(),
    "
    LEFT JOIN client_secrets s ON s.client_id = c.client_id AND (s.retires_at IS NULL OR s.retires_at > $2)
    WHERE c.client_id = $1 AND (NOT c.demo OR $3)
    ORDER BY s.number DESC"
);

/// The read token of the hash `$1`; tokens made for demonstration only if `$2` says so.
pub(in crate::store) const FIND_READ_TOKEN: &str = concat!(
    "
    SELECT c.id, c.account, c.organization, c.expires_at, c.revision,
           c.permissions, a.permissions AS account_permissions, ",
    state_under_owners!(),
    "
    FROM read_tokens c
    ",
    join_owners!(),
    "
    WHERE c.hash = $1 AND (NOT c.demo OR $2)"
);

/// The public half of signing keys, and the revision of the set.
macro_rules! public_half {
    () => {
        "k.kid, k.algorithm, k.public_key, k.not_before, k.retires_at,
           (SELECT CAST(sum(revision) AS BIGINT) FROM token_keys) AS revision"
    };
}

/// Every signing key that has not retired by `$1`, newest first.
pub(in crate::store) const FIND_TOKEN_KEYS: &str = concat!(
    "
    SELECT ",
    public_half!(),
    "
    FROM token_keys k
    WHERE k.retires_at IS NULL OR k.retires_at > $1
    ORDER BY k.number DESC"
);

/// The newest key that may sign at `$1`.
pub(in crate::store) const FIND_SIGNING_KEY: &str = concat!(
    "
    SELECT ",
    public_half!(),
    ", k.keyring_id, k.sealed
    FROM token_keys k
    WHERE (k.retires_at IS NULL OR k.retires_at > $1) AND (k.not_before IS NULL OR k.not_before <= $1)
    ORDER BY k.number DESC
    LIMIT 1"
);

/// Every signing key, newest first, without its private half.
pub(in crate::store) const LIST_SIGNING_KEYS: &str = concat!(
    "
    SELECT ",
    public_half!(),
    ", k.keyring_id, k.created_at
    FROM token_keys k
    ORDER BY k.number DESC"
);

/// Inserts nothing if the id was ever given out.
pub(in crate::store) const INSERT_CLIENT: &str = "
    INSERT INTO oauth_clients (client_id, account, organization, permissions, expires_at, comment, demo, created_at)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8
    WHERE NOT EXISTS (SELECT 1 FROM oauth_clients WHERE client_id = $1)
    ON CONFLICT DO NOTHING";

pub(in crate::store) const INSERT_CLIENT_SECRET: &str = "
    INSERT INTO client_secrets (client_id, number, hash, created_at) VALUES ($1, $2, $3, $4)";

/// Clients for a list, once for each of their secrets, newest first.
macro_rules! list_clients {
    ($condition:literal) => {
        concat!(
            "
    SELECT c.client_id, c.account, c.organization, c.permissions, c.state, c.expires_at, c.debug_until,
           c.comment, c.created_at, c.demo,
           s.number, s.hash, s.created_at AS secret_created_at, s.retires_at
    FROM oauth_clients c
    LEFT JOIN client_secrets s ON s.client_id = c.client_id
    ",
            $condition,
            "
    ORDER BY c.client_id, s.number DESC"
        )
    };
}

pub(in crate::store) const LIST_CLIENTS: &str = list_clients!("");
pub(in crate::store) const SHOW_CLIENT: &str = list_clients!("WHERE c.client_id = $1");

/// Leaves a revoked client as it is.
pub(in crate::store) const SET_CLIENT_STATE: &str = "
    UPDATE oauth_clients SET state = $2 WHERE client_id = $1 AND (state <> 'revoked' OR $2 = 'revoked')";

pub(in crate::store) const SET_CLIENT_PERMISSIONS: &str = "
    UPDATE oauth_clients SET permissions = $2 WHERE client_id = $1";

/// Leaves a revoked client as it is.
pub(in crate::store) const DEBUG_CLIENT: &str = "
    UPDATE oauth_clients SET debug_until = $2 WHERE client_id = $1 AND state <> 'revoked'";

pub(in crate::store) const COUNT_CLIENTS: &str = "SELECT count(*) FROM oauth_clients WHERE client_id = $1";

/// Holds a client that is not revoked until the end of the transaction.
pub(in crate::store) const HOLD_CLIENT: &str = "
    UPDATE oauth_clients SET revision = revision + 1 WHERE client_id = $1 AND state <> 'revoked'";

/// The highest number of a client's secrets, and how many of them live at `$2`.
pub(in crate::store) const COUNT_CLIENT_SECRETS: &str = "
    SELECT coalesce(max(number), 0),
           coalesce(sum(CASE WHEN retires_at IS NULL OR retires_at > $2 THEN 1 ELSE 0 END), 0)
    FROM client_secrets
    WHERE client_id = $1";

/// Ends a client's secrets at `$2`, unless they end before.
pub(in crate::store) const RETIRE_CLIENT_SECRETS: &str = "
    UPDATE client_secrets SET retires_at = $2 WHERE client_id = $1 AND (retires_at IS NULL OR retires_at > $2)";

/// Inserts nothing if the id or the token was ever given out.
pub(in crate::store) const INSERT_READ_TOKEN: &str = "
    INSERT INTO read_tokens (id, hash, hint, account, organization, permissions, expires_at, comment, demo, created_at)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10
    WHERE NOT EXISTS (SELECT 1 FROM read_tokens WHERE id = $1 OR hash = $2)
    ON CONFLICT DO NOTHING";

pub(in crate::store) const LIST_READ_TOKENS: &str = "
    SELECT id, hint, account, organization, permissions, state, expires_at, comment, created_at, demo
    FROM read_tokens
    ORDER BY id";

pub(in crate::store) const REVOKE_READ_TOKEN: &str = "UPDATE read_tokens SET state = 'revoked' WHERE id = $1";

/// Inserts nothing if the name was ever given out.
pub(in crate::store) const INSERT_SIGNING_KEY: &str = "
    INSERT INTO token_keys (kid, number, algorithm, public_key, keyring_id, sealed, not_before, retires_at, created_at)
    SELECT $1, (SELECT coalesce(max(number), 0) + 1 FROM token_keys), $2, $3, $4, $5, $6, $7, $8
    WHERE NOT EXISTS (SELECT 1 FROM token_keys WHERE kid = $1)
    ON CONFLICT DO NOTHING";

/// Never puts the end of a key off.
pub(in crate::store) const RETIRE_SIGNING_KEY: &str = "
    UPDATE token_keys SET retires_at = $2 WHERE kid = $1 AND (retires_at IS NULL OR retires_at >= $2)";

pub(in crate::store) const COUNT_SIGNING_KEYS: &str = "SELECT count(*) FROM token_keys WHERE kid = $1";
