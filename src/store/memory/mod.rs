//! Credentials in memory: for tests, examples and programs with a handful of fixed keys.

mod access;
mod lifecycle;
mod tokens;

use super::{
    Account, AdminError, AdminErrorKind, CredentialSummary, Found, KeyAdmin, KeyStore, Lookup, NewCredential,
    OrganizationSummary, Record, SecretSummary, import,
};
use crate::{
    clock::{Clock, SystemClock},
    credential::{
        Credential, CredentialState, Installation, KeyId, Organization, Permissions, Principal, SecretVersion,
    },
    signature::MacKey,
};
use async_trait::async_trait;
use foldhash::fast::RandomState;
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{PoisonError, RwLock},
    time::SystemTime,
};

/// A key store in memory.
///
/// [`insert`](Self::insert) takes a credential as it is. [`KeyAdmin`], [`AccessAdmin`](super::AccessAdmin) and
/// [`TokenAdmin`](super::TokenAdmin) obey the rules that hold for every store. An account or organization that the store
/// knows is one that switches off, and limits, what belongs to it, however that came in.
///
/// ```
/// use countersign::{
///     credential::{Credential, Principal, SecretVersion},
///     secret::Secret,
///     signature::{Algorithm, MacKey},
///     store::MemoryKeyStore,
/// };
///
/// let secret = Secret::new("Iw5N12MYleOULxdfMH43SK9ZAmjPyFKt")?;
/// let key = MacKey::new(Algorithm::SandwichSha1, &secret);
/// let store = MemoryKeyStore::new();
/// store.insert(
///     "corezoid",
///     "13000",
///     Credential::new(Principal::new("ops-bot")?, [SecretVersion::new(1, key)]),
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct MemoryKeyStore {
    tables: RwLock<Tables>,
    clock: Box<dyn Clock>,
}

#[derive(Default)]
struct Tables {
    organizations: BTreeMap<Organization, OrganizationSummary>,
    accounts: BTreeMap<Principal, Account>,
    /// By scheme, then by key id: a lookup borrows both and allocates nothing.
    /// There are few schemes, and comparing their names is cheaper than hashing one.
    credentials: BTreeMap<String, Keys>,
    tokens: tokens::Tables,
}

/// Only operators choose what is in it, so that no stranger can fill it with key ids of one hash.
type Keys = HashMap<String, Entry, RandomState>;

struct Entry {
    credential: Credential,
    /// What is known about its secrets, by their numbers.
    notes: BTreeMap<i64, Note>,
    created_at: SystemTime,
    demo: bool,
}

/// What a list tells about a secret.
#[derive(Clone)]
struct Note {
    fingerprint: String,
    created_at: SystemTime,
    last_used_at: Option<SystemTime>,
}

impl MemoryKeyStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(SystemClock)
    }

    /// An empty store that notes the times of `clock`.
    #[must_use]
    pub fn with_clock(clock: impl Clock) -> Self {
        Self { tables: RwLock::default(), clock: Box::new(clock) }
    }

    /// Stores a credential under a scheme and key id, in place of the one that is there.
    ///
    /// # Security
    ///
    /// A new secret needs a new number. A request whose upload began before is judged once more at its end, and what is
    /// looked for then is the number of the secret that it was signed with.
    pub fn insert(&self, scheme: &str, key_id: &str, credential: Credential) {
        let created_at = self.clock.now();
        let note = Note { fingerprint: String::new(), created_at, last_used_at: None };
        let notes = credential.secrets.iter().map(|version| (version.number, note.clone())).collect();
        let entry = Entry { credential, notes, created_at, demo: false };
        self.write(|tables| {
            tables.credentials.entry(scheme.to_owned()).or_default().insert(key_id.to_owned(), entry);
        });
    }

    /// Installs an app in an organization, whether or not the store knows either of them.
    pub fn install(&self, scheme: &str, app: &KeyId, organization: &Organization) {
        self.write(|tables| {
            let place = tables.organizations.entry(organization.clone());
            let found = place.or_insert_with(|| OrganizationSummary::new(organization.clone(), None));
            found.install(scheme, app);
        });
    }

    /// Removes an app from an organization.
    pub fn uninstall(&self, scheme: &str, app: &KeyId, organization: &Organization) {
        self.write(|tables| {
            if let Some(found) = tables.organizations.get_mut(organization) {
                found.apps.retain(|(of, installed)| of != scheme || installed != app);
            }
        });
    }

    fn read<T>(&self, look: impl FnOnce(&Tables) -> T) -> T {
        look(&self.tables.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, change: impl FnOnce(&mut Tables) -> T) -> T {
        change(&mut self.tables.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Default for MemoryKeyStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryKeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryKeyStore(..)")
    }
}

impl KeyStore for MemoryKeyStore {
    fn find(&self, lookup: Lookup<'_>) -> Found {
        Found::Ready(self.read(|tables| match lookup {
            Lookup::Key { scheme, key_id } => {
                tables.entry(scheme, key_id).map(|entry| Record::Credential(tables.effective(entry)))
            }
            Lookup::Installation { scheme, key_id, organization } => {
                let found = tables.organizations.get(organization.as_bytes());
                found
                    .filter(|found| !found.disabled)
                    .filter(|found| found.apps.iter().any(|(of, app)| of == scheme && *app == *key_id))
                    .map(|found| Record::Installation(Installation::new(found.organization.clone())))
            }
            Lookup::Client { client_id } => {
                let client = tables.client(client_id, self.clock.now());
                client.map(|client| Record::Client(client.into()))
            }
            Lookup::ReadToken { hash } => {
                tables.read_token(hash).map(|token| Record::ReadToken(token.into()))
            }
            Lookup::TokenKeys => {
                let keys = tables.tokens.public_keys(self.clock.now());
                keys.map(|keys| Record::TokenKeys(keys.into()))
            }
            Lookup::SigningKey => {
                let key = tables.tokens.signing_key(self.clock.now());
                key.map(|key| Record::SigningKey(key.into()))
            }
        }))
    }
}

#[async_trait]
impl KeyAdmin for MemoryKeyStore {
    async fn create_organization(
        &self,
        organization: &Organization,
        name: Option<&str>,
    ) -> Result<(), AdminError> {
        self.write(|tables| {
            if tables.organizations.contains_key(organization) {
                return Err(AdminError::new(AdminErrorKind::Exists, "organization"));
            }
            let summary = OrganizationSummary::new(organization.clone(), name);
            tables.organizations.insert(organization.clone(), summary);
            Ok(())
        })
    }

    async fn organizations(&self) -> Result<Vec<OrganizationSummary>, AdminError> {
        Ok(self.read(|tables| tables.organizations.values().cloned().collect()))
    }

    async fn install(
        &self,
        scheme: &str,
        app: &KeyId,
        organization: &Organization,
    ) -> Result<(), AdminError> {
        self.write(|tables| {
            tables.require(Some(organization))?;
            if tables.entry(scheme, app.as_str()).is_none() {
                return Err(AdminError::new(AdminErrorKind::NotFound, "app"));
            }
            if let Some(found) = tables.organizations.get_mut(organization) {
                found.install(scheme, app);
            }
            Ok(())
        })
    }

    async fn uninstall(
        &self,
        scheme: &str,
        app: &KeyId,
        organization: &Organization,
    ) -> Result<(), AdminError> {
        self.write(|tables| {
            let apps = tables.organizations.get_mut(organization).map(|found| &mut found.apps);
            let place = apps.and_then(|apps| {
                let at = apps.iter().position(|(of, installed)| of == scheme && installed == app)?;
                Some(apps.remove(at))
            });
            place.map(drop).ok_or(AdminError::new(AdminErrorKind::NotFound, "installation"))
        })
    }

    async fn create_account(
        &self,
        account: &Principal,
        organization: Option<&Organization>,
    ) -> Result<(), AdminError> {
        self.add_account(account, organization, &Permissions::all())
    }

    async fn accounts(&self) -> Result<Vec<Account>, AdminError> {
        Ok(self.read(|tables| tables.accounts.values().cloned().collect()))
    }

    async fn create_credential(&self, new: &NewCredential) -> Result<(), AdminError> {
        new.check()?;
        let entry = Entry::new(new, self.clock.now());
        self.write(|tables| {
            tables.require(new.organization.as_ref())?;
            if tables.entry(&new.scheme, new.key_id.as_str()).is_some() {
                return Err(AdminError::new(AdminErrorKind::Exists, "key id"));
            }
            tables.require_account(&new.principal)?;
            let keys = tables.credentials.entry(new.scheme.clone()).or_default();
            keys.insert(new.key_id.as_str().to_owned(), entry);
            Ok(())
        })
    }

    async fn credentials(&self) -> Result<Vec<CredentialSummary>, AdminError> {
        let mut found = self.read(|tables| {
            let summaries = |(scheme, keys): (&String, &Keys)| {
                keys.iter().filter_map(|(key_id, entry)| entry.summary(scheme, key_id)).collect::<Vec<_>>()
            };
            tables.credentials.iter().flat_map(summaries).collect::<Vec<_>>()
        });
        found.sort_by(|a, b| (&a.scheme, a.key_id.as_str()).cmp(&(&b.scheme, b.key_id.as_str())));
        Ok(found)
    }

    async fn credential(&self, scheme: &str, key_id: &KeyId) -> Result<CredentialSummary, AdminError> {
        let found = self.read(|tables| {
            tables.entry(scheme, key_id.as_str()).and_then(|entry| entry.summary(scheme, key_id.as_str()))
        });
        found.ok_or(AdminError::new(AdminErrorKind::NotFound, "key"))
    }
}

impl Tables {
    fn entry(&self, scheme: &str, key_id: &str) -> Option<&Entry> {
        self.credentials.get(scheme)?.get(key_id)
    }

    /// What a request is judged by: a credential within the limits of its account. Mostly there are none, and its terms
    /// are not copied.
    fn effective(&self, entry: &Entry) -> Credential {
        let mut credential = entry.credential.clone();
        let account = self.accounts.get(&credential.principal);
        let state = self.state(credential.state, account, credential.organization.as_ref());
        if state != credential.state {
            credential.state = state;
        }
        let within = account.map(|account| account.permissions.and(&credential.permissions));
        if let Some(within) = within.filter(|within| *within != credential.permissions) {
            credential.permissions = within;
        }
        credential
    }

    fn state(
        &self,
        own: CredentialState,
        account: Option<&Account>,
        organization: Option<&Organization>,
    ) -> CredentialState {
        let owners = [organization, account.and_then(|account| account.organization.as_ref())];
        let disabled = account.is_some_and(|account| account.disabled)
            || owners.into_iter().flatten().any(|owner| self.is_disabled(owner));
        if disabled && own == CredentialState::Active { CredentialState::Disabled } else { own }
    }

    fn is_disabled(&self, organization: &Organization) -> bool {
        self.organizations.get(organization).is_some_and(|found| found.disabled)
    }

    fn require_account(&self, account: &Principal) -> Result<(), AdminError> {
        match self.accounts.contains_key(account) {
            true => Ok(()),
            false => Err(AdminError::new(AdminErrorKind::NotFound, "account")),
        }
    }

    fn require(&self, organization: Option<&Organization>) -> Result<(), AdminError> {
        match organization {
            Some(name) if !self.organizations.contains_key(name) => {
                Err(AdminError::new(AdminErrorKind::NotFound, "organization"))
            }
            _ => Ok(()),
        }
    }
}

impl Entry {
    fn new(new: &NewCredential, created_at: SystemTime) -> Self {
        let version = SecretVersion::new(1, MacKey::new(new.algorithm, &new.secret));
        let mut credential = Credential::new(new.principal.clone(), [version]);
        credential.organization.clone_from(&new.organization);
        credential.public_key = new.public_key.as_deref().map(Into::into);
        credential.permissions = new.permissions.clone().unwrap_or_else(Permissions::all);
        credential.not_before = new.not_before;
        credential.expires_at = new.expires_at;
        let fingerprint = import::fingerprint(&new.scheme, &new.key_id, &new.secret);
        let note = Note { fingerprint, created_at, last_used_at: None };
        Self { credential, notes: BTreeMap::from([(1, note)]), created_at, demo: new.demo }
    }

    /// The entry for a list; `None` under a key id that no request can present.
    fn summary(&self, scheme: &str, key_id: &str) -> Option<CredentialSummary> {
        let Self { credential, notes, created_at, demo } = self;
        let secret = |version: &SecretVersion| {
            let note = notes.get(&version.number);
            SecretSummary {
                number: version.number,
                fingerprint: note.map(|note| note.fingerprint.clone()).unwrap_or_default(),
                keyring_id: String::new(),
                created_at: note.map_or(*created_at, |note| note.created_at),
                retires_at: version.retires_at,
                last_used_at: note.and_then(|note| note.last_used_at),
            }
        };
        Some(CredentialSummary {
            scheme: scheme.to_owned(),
            key_id: KeyId::new(key_id).ok()?,
            principal: credential.principal.clone(),
            organization: credential.organization.clone(),
            public_key: credential.public_key.as_deref().map(str::to_owned),
            permissions: limit(&credential.permissions),
            state: credential.state,
            not_before: credential.not_before,
            expires_at: credential.expires_at,
            debug_until: credential.debug_until,
            created_at: *created_at,
            last_used_at: notes.values().filter_map(|note| note.last_used_at).max(),
            demo: *demo,
            secrets: credential.secrets.iter().map(secret).collect(),
        })
    }
}

/// Own permissions within those of the account.
fn permissions(own: &Permissions, account: Option<&Account>) -> Permissions {
    account.map_or_else(|| own.clone(), |account| account.permissions.and(own))
}

/// Own permissions for a list: what allows everything is no limit.
fn limit(own: &Permissions) -> Option<Permissions> {
    Some(own.clone()).filter(|own| *own != Permissions::all())
}

impl OrganizationSummary {
    fn new(organization: Organization, name: Option<&str>) -> Self {
        Self { organization, name: name.map(str::to_owned), disabled: false, apps: Vec::new() }
    }

    /// Adds an app at its place in the order of scheme and key id.
    fn install(&mut self, scheme: &str, app: &KeyId) {
        let order = |(of, installed): &(String, KeyId)| {
            (of.as_str(), installed.as_str()).cmp(&(scheme, app.as_str()))
        };
        if let Err(place) = self.apps.binary_search_by(order) {
            self.apps.insert(place, (scheme.to_owned(), app.clone()));
        }
    }
}
