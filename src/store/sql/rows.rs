//! What the statements answer, row by row, and what it means.

use crate::{
    credential::{
        Credential, CredentialState, Installation, KeyId, Organization, Permissions, PermissionsError,
        Principal, SecretVersion, TextError,
    },
    envelope::{CanaryError, OpenError, Place, Sealed, Sealer},
    signature::{Algorithm, MacKey},
    store::{
        Account, AdminError, CredentialSummary, OpenedSecret, OrganizationSummary, SecretSummary, access,
    },
};
use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};
use std::{
    error::Error,
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The end of the year 9999, and of the times that the tables take.
const LAST_SECOND: i64 = 253_402_300_799;

/// A row of [`FIND_CREDENTIAL`](super::statements::FIND_CREDENTIAL), its columns in their order.
pub(in crate::store) struct CredentialRow {
    scheme: String,
    key_id: String,
    account: String,
    organization: Option<String>,
    public_key: Option<String>,
    algorithm: String,
    not_before: Option<i64>,
    expires_at: Option<i64>,
    debug_until: Option<i64>,
    revision: i64,
    permissions: Option<String>,
    account_permissions: String,
    state: String,
    number: Option<i64>,
    keyring_id: Option<String>,
    sealed: Option<Vec<u8>>,
    retires_at: Option<i64>,
}

/// Takes the columns by their place: a million rows are loaded, and to look a column up by its name takes longer than to
/// read it.
impl<'r, R> FromRow<'r, R> for CredentialRow
where
    R: Row,
    usize: ColumnIndex<R>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        Ok(Self {
            scheme: row.try_get(0)?,
            key_id: row.try_get(1)?,
            account: row.try_get(2)?,
            organization: row.try_get(3)?,
            public_key: row.try_get(4)?,
            algorithm: row.try_get(5)?,
            not_before: row.try_get(6)?,
            expires_at: row.try_get(7)?,
            debug_until: row.try_get(8)?,
            revision: row.try_get(9)?,
            permissions: row.try_get(10)?,
            account_permissions: row.try_get(11)?,
            state: row.try_get(12)?,
            number: row.try_get(13)?,
            keyring_id: row.try_get(14)?,
            sealed: row.try_get(15)?,
            retires_at: row.try_get(16)?,
        })
    }
}

/// Credentials by scheme and key id, as far as they can be read.
pub(in crate::store) type Credentials = Vec<(String, String, Result<Credential, RowError>)>;

/// Puts credentials together from their rows, one for each live secret, and opens the secrets.
pub(in crate::store) fn credentials(rows: Vec<CredentialRow>, keyring: &dyn Sealer) -> Credentials {
    let mut found = Credentials::new();
    for row in rows {
        let known =
            found.last().is_some_and(|(scheme, key_id, _)| *scheme == row.scheme && *key_id == row.key_id);
        if !known {
            found.push((row.scheme.clone(), row.key_id.clone(), row.credential()));
        }
        if let Some((_, _, found)) = found.last_mut()
            && let Ok(credential) = found
            && let Err(error) = row.add_secret(credential, keyring)
        {
            *found = Err(error);
        }
    }
    found
}

impl CredentialRow {
    /// The credential without a secret.
    fn credential(&self) -> Result<Credential, RowError> {
        KeyId::new(&self.key_id)?;
        let mut credential = Credential::new(Principal::new(&self.account)?, []);
        credential.organization = self.organization.as_deref().map(Organization::new).transpose()?;
        credential.public_key = self.public_key.as_deref().map(Into::into);
        credential.permissions = effective(&self.account_permissions, self.permissions.as_deref())?;
        credential.state = state(&self.state)?;
        credential.not_before = self.not_before.map(time).transpose()?;
        credential.expires_at = self.expires_at.map(time).transpose()?;
        credential.debug_until = self.debug_until.map(time).transpose()?;
        credential.revision = self.revision;
        Ok(credential)
    }

    /// Opens the row's secret. A credential whose secrets have all retired has one row, without a secret.
    fn add_secret(self, credential: &mut Credential, keyring: &dyn Sealer) -> Result<(), RowError> {
        let algorithm = algorithm(&self.algorithm)?;
        let (Some(number), Some(keyring_id), Some(record)) = (self.number, self.keyring_id, self.sealed)
        else {
            return Ok(());
        };
        let place = Place { scheme: &self.scheme, key_id: &self.key_id, number };
        let secret = keyring.open(place, &Sealed::new(keyring_id, record))?;
        let mut version = SecretVersion::new(number, MacKey::new(algorithm, &secret));
        version.retires_at = self.retires_at.map(time).transpose()?;
        credential.secrets.push(version);
        Ok(())
    }
}

/// A row of [`SECRETS_TO_OPEN`](super::statements::SECRETS_TO_OPEN): key id, number, whether it lives, keyring key and
/// record.
pub(in crate::store) type OpenedRow = (String, i64, bool, String, Vec<u8>);

/// Opens secrets.
pub(in crate::store) fn opened(
    scheme: &str,
    rows: Vec<OpenedRow>,
    keyring: &dyn Sealer,
) -> Result<Vec<OpenedSecret>, RowError> {
    let open = |(key_id, number, live, keyring_id, record): OpenedRow| {
        let place = Place { scheme, key_id: &key_id, number };
        let secret = keyring.open(place, &Sealed::new(keyring_id, record))?;
        Ok(OpenedSecret::new(KeyId::new(&key_id)?, number, live, secret))
    };
    rows.into_iter().map(open).collect()
}

/// Reads a row of [`FIND_INSTALLATION`](super::statements::FIND_INSTALLATION).
pub(in crate::store) fn installation(row: Option<(String,)>) -> Result<Option<Installation>, RowError> {
    let organization = row.map(|(organization,)| Organization::new(&organization)).transpose()?;
    Ok(organization.map(Installation::new))
}

/// A row of [`LIST_ORGANIZATIONS`](super::statements::LIST_ORGANIZATIONS).
#[derive(sqlx::FromRow)]
pub(in crate::store) struct OrganizationRow {
    id: String,
    name: Option<String>,
    state: String,
    scheme: Option<String>,
    key_id: Option<String>,
}

/// Puts organizations together from their rows, one for each installed app.
pub(in crate::store) fn organizations(
    rows: Vec<OrganizationRow>,
) -> Result<Vec<OrganizationSummary>, RowError> {
    let mut organizations = Vec::<OrganizationSummary>::new();
    for row in rows {
        if organizations.last().is_none_or(|last| last.organization != *row.id) {
            organizations.push(OrganizationSummary {
                organization: Organization::new(&row.id)?,
                name: row.name,
                disabled: row.state != "active",
                apps: Vec::new(),
            });
        }
        if let (Some(last), Some(scheme), Some(key_id)) = (organizations.last_mut(), row.scheme, row.key_id) {
            last.apps.push((scheme, KeyId::new(&key_id)?));
        }
    }
    Ok(organizations)
}

/// A row of [`LIST_ACCOUNTS`](super::statements::LIST_ACCOUNTS).
#[derive(sqlx::FromRow)]
pub(in crate::store) struct AccountRow {
    id: String,
    organization: Option<String>,
    permissions: String,
    state: String,
}

/// Reads the accounts.
pub(in crate::store) fn accounts(rows: Vec<AccountRow>) -> Result<Vec<Account>, RowError> {
    let account = |row: AccountRow| {
        Ok(Account {
            account: Principal::new(&row.id)?,
            organization: row.organization.as_deref().map(Organization::new).transpose()?,
            permissions: Permissions::parse(&row.permissions)?,
            disabled: row.state != "active",
        })
    };
    rows.into_iter().map(account).collect()
}

/// A row of [`LIST_CREDENTIALS`](super::statements::LIST_CREDENTIALS).
#[derive(sqlx::FromRow)]
pub(in crate::store) struct SummaryRow {
    scheme: String,
    key_id: String,
    account: String,
    organization: Option<String>,
    public_key: Option<String>,
    state: String,
    not_before: Option<i64>,
    expires_at: Option<i64>,
    debug_until: Option<i64>,
    permissions: Option<String>,
    created_at: i64,
    demo: bool,
    last_used_at: Option<i64>,
    number: Option<i64>,
    fingerprint: Option<String>,
    keyring_id: Option<String>,
    secret_created_at: Option<i64>,
    retires_at: Option<i64>,
    secret_last_used_at: Option<i64>,
}

/// Puts credentials together from their rows, one for each secret.
pub(in crate::store) fn summaries(rows: Vec<SummaryRow>) -> Result<Vec<CredentialSummary>, RowError> {
    let mut summaries = Vec::<CredentialSummary>::new();
    for mut row in rows {
        let secret = row.take_secret()?;
        if summaries.last().is_none_or(|last| last.scheme != row.scheme || last.key_id != *row.key_id) {
            summaries.push(row.into_summary()?);
        }
        if let Some(last) = summaries.last_mut() {
            last.secrets.extend(secret);
        }
    }
    Ok(summaries)
}

impl SummaryRow {
    fn take_secret(&mut self) -> Result<Option<SecretSummary>, RowError> {
        let (Some(number), Some(created_at)) = (self.number, self.secret_created_at) else { return Ok(None) };
        Ok(Some(SecretSummary {
            number,
            fingerprint: self.fingerprint.take().unwrap_or_default(),
            keyring_id: self.keyring_id.take().unwrap_or_default(),
            created_at: time(created_at)?,
            retires_at: self.retires_at.map(time).transpose()?,
            last_used_at: self.secret_last_used_at.map(time).transpose()?,
        }))
    }

    fn into_summary(self) -> Result<CredentialSummary, RowError> {
        Ok(CredentialSummary {
            key_id: KeyId::new(&self.key_id)?,
            principal: Principal::new(&self.account)?,
            organization: self.organization.as_deref().map(Organization::new).transpose()?,
            public_key: self.public_key,
            permissions: limit(self.permissions.as_deref())?,
            state: state(&self.state)?,
            not_before: self.not_before.map(time).transpose()?,
            expires_at: self.expires_at.map(time).transpose()?,
            debug_until: self.debug_until.map(time).transpose()?,
            created_at: time(self.created_at)?,
            last_used_at: self.last_used_at.map(time).transpose()?,
            demo: self.demo,
            secrets: Vec::new(),
            scheme: self.scheme,
        })
    }
}

/// Reads the numbers of secrets and their ends.
pub(in crate::store) fn ends(
    rows: Vec<(i64, Option<i64>)>,
) -> Result<Vec<(i64, Option<SystemTime>)>, RowError> {
    rows.into_iter().map(|(number, end)| Ok((number, end.map(time).transpose()?))).collect()
}

/// Checks every canary of the database; see [`Sealer::check_canary`].
pub(in crate::store) fn check_canaries(
    rows: Vec<(String, Vec<u8>)>,
    keyring: &dyn Sealer,
) -> Result<(), CanaryError> {
    rows.into_iter().try_for_each(|(id, record)| keyring.check_canary(&Sealed::new(id, record)))
}

/// A time as it stands in the database; fractions of a second are dropped.
pub(in crate::store) fn seconds(time: SystemTime) -> Result<i64, OutOfRange> {
    let since = time.duration_since(UNIX_EPOCH).ok();
    let seconds = since.and_then(|since| i64::try_from(since.as_secs()).ok());
    seconds.filter(|seconds| *seconds <= LAST_SECOND).ok_or(OutOfRange)
}

/// A limit of a new credential as it stands in the database.
pub(in crate::store) fn bound(time: Option<SystemTime>) -> Result<Option<i64>, AdminError> {
    time.map(seconds).transpose().map_err(|error| AdminError::invalid("this time", error))
}

/// Own permissions as they stand in the database.
pub(in crate::store) fn words(own: Option<&Permissions>) -> Option<String> {
    own.filter(|own| **own != Permissions::all()).map(Permissions::to_string)
}

/// What an account has after a grant.
pub(in crate::store) fn granted(before: &str, words: &Permissions) -> Result<Permissions, AdminError> {
    let before = Permissions::parse(before).map_err(AdminError::unavailable)?;
    before.with(words).map_err(access::refused)
}

/// A limit in time of a row.
pub(in crate::store) fn time(seconds: i64) -> Result<SystemTime, RowError> {
    let since = u64::try_from(seconds).map(Duration::from_secs).ok();
    since.and_then(|since| UNIX_EPOCH.checked_add(since)).ok_or(RowError::Unknown("time"))
}

pub(in crate::store) fn algorithm(word: &str) -> Result<Algorithm, RowError> {
    Algorithm::parse(word).ok_or(RowError::Unknown("algorithm"))
}

pub(super) fn state(word: &str) -> Result<CredentialState, RowError> {
    CredentialState::parse(word).ok_or(RowError::Unknown("state"))
}

/// What an account's permissions leave of a row's own.
pub(super) fn effective(of_account: &str, own: Option<&str>) -> Result<Permissions, RowError> {
    let of_account = Permissions::parse(of_account)?;
    match own {
        None => Ok(of_account),
        Some(own) => Ok(of_account.and(&Permissions::parse(own)?)),
    }
}

/// A row's own permissions for a list: what allows everything is no limit.
pub(super) fn limit(own: Option<&str>) -> Result<Option<Permissions>, RowError> {
    Ok(own.map(Permissions::parse).transpose()?.filter(|own| *own != Permissions::all()))
}

/// A time lies outside of what the tables take.
#[derive(Debug)]
pub(in crate::store) struct OutOfRange;

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time lies outside of the years from 1970 to 9999")
    }
}

impl Error for OutOfRange {}

/// A row cannot be used: the checks of its table should have refused it, a later version wrote it, or it was tampered
/// with.
#[derive(Debug)]
pub(in crate::store) enum RowError {
    Name(TextError),
    Permissions(PermissionsError),
    Sealed(OpenError),
    Unknown(&'static str),
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(_) => f.write_str("the database holds a name that cannot be one"),
            Self::Permissions(_) => f.write_str("the database holds permissions that are none"),
            Self::Sealed(_) => f.write_str("the database holds a secret that does not open"),
            Self::Unknown(what) => write!(f, "the database holds a {what} that this version does not know"),
        }
    }
}

impl Error for RowError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Name(source) => Some(source),
            Self::Permissions(source) => Some(source),
            Self::Sealed(source) => Some(source),
            Self::Unknown(_) => None,
        }
    }
}

impl From<OpenError> for RowError {
    fn from(source: OpenError) -> Self {
        Self::Sealed(source)
    }
}

impl From<PermissionsError> for RowError {
    fn from(source: PermissionsError) -> Self {
        Self::Permissions(source)
    }
}

impl From<TextError> for RowError {
    fn from(source: TextError) -> Self {
        Self::Name(source)
    }
}
