//! What every key store promises: one suite, run over each of them, and one more for those in a database.

mod access;
mod admin;
mod keys;
// What becomes of a key later.
mod lifecycle;
// The two schemas are one.
#[cfg(all(feature = "postgres", feature = "sqlite"))]
mod parity;
#[cfg(feature = "postgres")]
mod pooler;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "postgres")]
mod races;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod refusals;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod sql;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod sql_tokens;
#[cfg(feature = "sqlite")]
mod sqlite;
mod tokens;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod upkeep;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod usage;

use countersign::{
    clock::ManualClock,
    credential::{
        Credential, CredentialState, Installation, KeyId, Organization, Permissions, Principal, Standing,
    },
    secret::Secret,
    signature::{Algorithm, Computation, MacKey, SignatureBase},
    store::{
        AccessAdmin, AdminError, AdminErrorKind, Found, KeyAdmin, KeyLifecycle, KeyStore, Lookup,
        MemoryKeyStore, NewCredential, Record, StoreError, TokenAdmin, UseLog,
    },
};
use std::{
    fmt, iter,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The time at which every store is opened, in seconds since the Unix epoch.
const NOW: u64 = 1_700_000_000;
const SECRET: &str = "3f9a64b0d1c84e3db2f7a5908c6e1d42";

/// A store under test; what it needs lives and ends with it.
trait Bench: Sized {
    type Store: AccessAdmin + KeyAdmin + KeyLifecycle + KeyStore + TokenAdmin + UseLog;

    async fn open() -> Self;
    fn store(&self) -> &Self::Store;
}

struct Memory(MemoryKeyStore);

impl Bench for Memory {
    type Store = MemoryKeyStore;

    async fn open() -> Self {
        Self(MemoryKeyStore::with_clock(ManualClock::at(NOW)))
    }

    fn store(&self) -> &MemoryKeyStore {
        &self.0
    }
}

/// Runs a list of tests over one store.
macro_rules! run_over {
    ($bench:ty: $($module:ident :: $test:ident)+) => {$(
        #[tokio::test]
        async fn $test() {
            let bench = <$bench as super::Bench>::open().await;
            super::$module::$test(&bench).await;
        }
    )+};
}

/// The whole suite, over one store.
macro_rules! store_contract {
    ($name:ident: $bench:ty) => {
        mod $name {
            run_over! { $bench:
                access::a_grant_adds_to_what_is_there
                access::a_key_may_do_what_it_and_its_account_may
                access::an_account_is_made_within_limits
                access::every_change_of_rights_raises_the_revision
                access::permissions_that_are_none_are_refused
                access::what_is_switched_off_is_off_until_it_is_on_again
                admin::a_secret_that_breaks_a_rule_is_refused
                admin::a_summary_tells_everything_but_the_secret
                admin::an_end_before_the_beginning_is_refused
                admin::apps_are_installed_and_uninstalled
                admin::lists_are_in_the_order_of_their_names
                admin::what_exists_is_not_made_again
                admin::what_does_not_exist_is_named
                keys::a_key_belongs_to_its_scheme
                keys::a_key_is_found_as_it_was_stored
                keys::a_key_made_later_is_found_at_once
                keys::an_id_is_compared_byte_for_byte
                keys::an_installation_is_found_while_it_lasts
                keys::hostile_text_is_found_nowhere
                keys::limits_in_time_are_handed_on
                lifecycle::a_key_has_limits_in_time
                lifecycle::a_key_is_switched_off_and_on
                lifecycle::a_leaked_secret_stops_at_once
                lifecycle::a_new_secret_works_beside_the_old_one_for_a_while
                lifecycle::a_rotation_obeys_the_rules_for_secrets
                lifecycle::no_more_than_three_secrets_live_at_a_time
                lifecycle::revoked_is_for_ever
                lifecycle::the_last_use_of_each_secret_is_known
                tokens::a_client_is_found_as_it_was_stored
                tokens::a_client_keeps_its_older_secrets_for_a_while
                tokens::a_client_that_breaks_a_rule_is_refused
                tokens::a_read_token_is_found_by_its_hash_alone
                tokens::a_revoked_client_stays_revoked
                tokens::a_signing_key_retires_and_stays_so
                tokens::of_the_keys_that_may_sign_the_newest_does
                tokens::owners_limit_clients_and_read_tokens
                tokens::a_token_of_nobody_is_named
                tokens::no_client_or_token_is_made_again
            }
        }
    };
}

/// The suite for stores in a database, over one of them.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
macro_rules! sql_contract {
    ($name:ident: $bench:ty) => {
        mod $name {
            run_over! { $bench:
                sql::a_changed_record_is_an_error_and_never_a_pass
                sql::a_disabled_organization_has_no_installations
                sql::a_retired_secret_is_not_loaded
                sql::a_revoked_credential_stays_revoked
                sql::a_row_that_cannot_be_read_is_an_error
                sql::a_wrong_keyring_is_refused_at_once
                sql::another_active_key_seals_what_is_new
                sql::every_change_raises_the_revision
                sql::names_are_never_given_out_again
                sql::rows_that_make_no_sense_are_refused
                sql::what_an_operator_switches_off_is_off
                upkeep::a_hand_may_say_whose_it_is
                upkeep::a_long_secret_shows_its_ends
                upkeep::many_keys_come_at_once_or_none_does
                upkeep::secrets_are_sealed_again
                upkeep::the_audit_log_is_only_added_to
                upkeep::tokens_are_noted_without_what_tells_them
                upkeep::the_rules_for_secrets_hold_for_plain_sql
                upkeep::who_changes_what_is_noted
                refusals::a_client_is_debugged_for_a_day_at_most
                refusals::a_sample_is_kept_asked_and_forgotten
                usage::a_latency_has_a_column_of_its_own
                usage::counts_add_up_whoever_counts
                usage::keys_are_counted_by_what_they_are
                sql_tokens::a_row_that_makes_no_sense_is_refused
                sql_tokens::a_signing_key_is_sealed_in_its_place
                sql_tokens::every_change_of_a_token_raises_its_revision
                sql_tokens::ids_of_tokens_are_never_given_out_again
                sql_tokens::permissions_have_one_form
                sql_tokens::what_an_operator_writes_is_found
                sql_tokens::what_is_withdrawn_stays_so
            }
        }
    };
}

store_contract!(memory: super::Memory);
#[cfg(feature = "postgres")]
store_contract!(postgres_store: super::postgres::PostgresTables);
#[cfg(feature = "postgres")]
sql_contract!(postgres_tables: super::postgres::PostgresTables);
#[cfg(feature = "sqlite")]
store_contract!(sqlite_store: super::sqlite::SqliteFile);
#[cfg(feature = "sqlite")]
sql_contract!(sqlite_tables: super::sqlite::SqliteFile);

/// A new credential of the account `ops`.
fn new_key(scheme: &str, key_id: &str) -> NewCredential {
    let principal = Principal::new("ops").unwrap();
    NewCredential::new(scheme, id(key_id), Algorithm::HmacSha256, principal, secret(SECRET))
}

/// Stores a new credential, and its account if need be.
async fn store_key(store: &impl KeyAdmin, scheme: &str, key_id: &str) {
    // The account of an earlier key is there already.
    drop(store.create_account(&Principal::new("ops").unwrap(), None).await);
    store.create_credential(&new_key(scheme, key_id)).await.unwrap();
}

async fn ask(store: &impl KeyStore, lookup: Lookup<'_>) -> Result<Option<Record>, StoreError> {
    match store.find(lookup) {
        Found::Ready(record) => Ok(record),
        Found::Pending(record) => record.await,
    }
}

async fn try_find(
    store: &impl KeyStore,
    scheme: &str,
    key_id: &str,
) -> Result<Option<Credential>, StoreError> {
    ask(store, Lookup::Key { scheme, key_id }).await.map(|found| match found {
        Some(Record::Credential(credential)) => Some(credential),
        Some(other) => panic!("asked for a credential, found {other:?}"),
        None => None,
    })
}

async fn find(store: &impl KeyStore, scheme: &str, key_id: &str) -> Option<Credential> {
    try_find(store, scheme, key_id).await.unwrap()
}

async fn find_installation(
    store: &impl KeyStore,
    scheme: &str,
    key_id: &str,
    organization: &str,
) -> Option<Installation> {
    match ask(store, Lookup::Installation { scheme, key_id, organization }).await.unwrap() {
        Some(Record::Installation(installation)) => Some(installation),
        Some(other) => panic!("asked for an installation, found {other:?}"),
        None => None,
    }
}

/// A signature made with each of the secrets that still live at `NOW`: tells whether they are the right ones.
fn marks(credential: &Credential) -> Vec<String> {
    let live = credential.secrets.iter().filter(|version| version.is_live(at(NOW)));
    live.map(|version| mark(&version.key)).collect()
}

/// The signature that `secret` makes where [`marks`] makes its own.
fn mark_of(text: &str) -> String {
    mark(&MacKey::new(Algorithm::HmacSha256, &secret(text)))
}

fn mark(key: &MacKey) -> String {
    let base = SignatureBase::default().bytes("which secret is this?");
    Computation::begin(&[base], iter::once(key)).sign().unwrap().to_hex()
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn id(text: &str) -> KeyId {
    KeyId::new(text).unwrap()
}

fn organization(text: &str) -> Organization {
    Organization::new(text).unwrap()
}

fn principal(text: &str) -> Principal {
    Principal::new(text).unwrap()
}

fn secret(text: &str) -> Secret {
    Secret::new(text).unwrap()
}

fn permissions(text: &str) -> Permissions {
    Permissions::parse(text).unwrap()
}

fn kind<T: fmt::Debug>(result: Result<T, AdminError>) -> AdminErrorKind {
    result.unwrap_err().kind()
}
