//! What the statements about clients, read tokens and signing keys answer.

use crate::{
    credential::{
        ClientSecret, KeyId, OAuthClient, Organization, Principal, ReadToken, SecretHash, SigningKey,
        TokenAlgorithm, TokenKey, TokenKeys,
    },
    envelope::{Place, Sealed, Sealer},
    store::{
        ClientSummary, ReadTokenSummary, SecretSummary, SigningKeySummary,
        sql::rows::{RowError, effective, limit, state, time},
    },
};

/// A row of [`FIND_CLIENT`](super::statements::FIND_CLIENT).
#[derive(sqlx::FromRow)]
pub(in crate::store) struct ClientRow {
    account: String,
    organization: Option<String>,
    expires_at: Option<i64>,
    debug_until: Option<i64>,
    revision: i64,
    permissions: Option<String>,
    account_permissions: String,
    state: String,
    number: Option<i64>,
    hash: Option<Vec<u8>>,
    retires_at: Option<i64>,
}

/// Puts a client together from its rows, one for each live secret.
pub(in crate::store) fn client(id: KeyId, rows: Vec<ClientRow>) -> Result<Option<OAuthClient>, RowError> {
    let Some(first) = rows.first() else { return Ok(None) };
    let mut client = OAuthClient::new(id, Principal::new(&first.account)?, []);
    client.organization = first.organization.as_deref().map(Organization::new).transpose()?;
    client.permissions = effective(&first.account_permissions, first.permissions.as_deref())?;
    client.state = state(&first.state)?;
    client.expires_at = first.expires_at.map(time).transpose()?;
    client.debug_until = first.debug_until.map(time).transpose()?;
    client.revision = first.revision;
    for row in rows {
        // A client whose secrets have all retired has one row, without a secret.
        let (Some(number), Some(hash)) = (row.number, row.hash) else { continue };
        let mut secret = ClientSecret::new(number, self::hash(&hash)?);
        secret.retires_at = row.retires_at.map(time).transpose()?;
        client.secrets.push(secret);
    }
    Ok(Some(client))
}

/// A row of [`FIND_READ_TOKEN`](super::statements::FIND_READ_TOKEN).
#[derive(sqlx::FromRow)]
pub(in crate::store) struct ReadTokenRow {
    id: String,
    account: String,
    organization: String,
    expires_at: Option<i64>,
    revision: i64,
    permissions: Option<String>,
    account_permissions: String,
    state: String,
}

/// Reads a read token.
pub(in crate::store) fn read_token(row: &ReadTokenRow) -> Result<ReadToken, RowError> {
    let organization = Organization::new(&row.organization)?;
    let mut token = ReadToken::new(KeyId::new(&row.id)?, Principal::new(&row.account)?, organization);
    token.permissions = effective(&row.account_permissions, row.permissions.as_deref())?;
    token.state = state(&row.state)?;
    token.expires_at = row.expires_at.map(time).transpose()?;
    token.revision = row.revision;
    Ok(token)
}

/// A row of [`FIND_TOKEN_KEYS`](super::statements::FIND_TOKEN_KEYS), and a part of others.
#[derive(sqlx::FromRow)]
pub(in crate::store) struct TokenKeyRow {
    kid: String,
    algorithm: String,
    public_key: Vec<u8>,
    not_before: Option<i64>,
    retires_at: Option<i64>,
    revision: i64,
}

impl TokenKeyRow {
    fn read(self) -> Result<TokenKey, RowError> {
        let algorithm = TokenAlgorithm::parse(&self.algorithm).ok_or(RowError::Unknown("algorithm"))?;
        let mut key = TokenKey::new(KeyId::new(&self.kid)?, algorithm, self.public_key);
        key.not_before = self.not_before.map(time).transpose()?;
        key.retires_at = self.retires_at.map(time).transpose()?;
        Ok(key)
    }
}

/// Reads the set of public keys; `None` if it is empty.
pub(in crate::store) fn token_keys(rows: Vec<TokenKeyRow>) -> Result<Option<TokenKeys>, RowError> {
    let Some(revision) = rows.first().map(|row| row.revision) else { return Ok(None) };
    let keys = rows.into_iter().map(TokenKeyRow::read).collect::<Result<_, _>>()?;
    Ok(Some(TokenKeys { keys, revision }))
}

/// A row of [`FIND_SIGNING_KEY`](super::statements::FIND_SIGNING_KEY).
#[derive(sqlx::FromRow)]
pub(in crate::store) struct SigningKeyRow {
    #[sqlx(flatten)]
    public: TokenKeyRow,
    keyring_id: String,
    sealed: Vec<u8>,
}

/// Reads a signing key and opens its private half.
pub(in crate::store) fn signing_key(
    row: SigningKeyRow,
    keyring: &dyn Sealer,
) -> Result<SigningKey, RowError> {
    let revision = row.public.revision;
    let public = row.public.read()?;
    let place = Place::signing_key(public.kid.as_str());
    let private_key = keyring.open(place, &Sealed::new(row.keyring_id, row.sealed))?;
    Ok(SigningKey { public, private_key, revision })
}

/// A row of [`LIST_CLIENTS`](super::statements::LIST_CLIENTS).
#[derive(sqlx::FromRow)]
pub(in crate::store) struct ClientSummaryRow {
    client_id: String,
    account: String,
    organization: Option<String>,
    permissions: Option<String>,
    state: String,
    expires_at: Option<i64>,
    debug_until: Option<i64>,
    comment: Option<String>,
    created_at: i64,
    demo: bool,
    number: Option<i64>,
    hash: Option<Vec<u8>>,
    secret_created_at: Option<i64>,
    retires_at: Option<i64>,
}

/// Puts clients together from their rows, one for each secret.
pub(in crate::store) fn clients(rows: Vec<ClientSummaryRow>) -> Result<Vec<ClientSummary>, RowError> {
    let mut clients = Vec::<ClientSummary>::new();
    for mut row in rows {
        let secret = row.take_secret()?;
        if clients.last().is_none_or(|last| last.client_id != *row.client_id) {
            clients.push(row.into_summary()?);
        }
        if let Some(last) = clients.last_mut() {
            last.secrets.extend(secret);
        }
    }
    Ok(clients)
}

impl ClientSummaryRow {
    fn take_secret(&mut self) -> Result<Option<SecretSummary>, RowError> {
        let (Some(number), Some(hash), Some(created_at)) =
            (self.number, self.hash.take(), self.secret_created_at)
        else {
            return Ok(None);
        };
        Ok(Some(SecretSummary {
            number,
            fingerprint: hex::encode(&hash[..hash.len().min(4)]),
            keyring_id: String::new(),
            created_at: time(created_at)?,
            retires_at: self.retires_at.map(time).transpose()?,
            last_used_at: None,
        }))
    }

    fn into_summary(self) -> Result<ClientSummary, RowError> {
        Ok(ClientSummary {
            client_id: KeyId::new(&self.client_id)?,
            principal: Principal::new(&self.account)?,
            organization: self.organization.as_deref().map(Organization::new).transpose()?,
            permissions: limit(self.permissions.as_deref())?,
            state: state(&self.state)?,
            expires_at: self.expires_at.map(time).transpose()?,
            debug_until: self.debug_until.map(time).transpose()?,
            comment: self.comment,
            created_at: time(self.created_at)?,
            demo: self.demo,
            secrets: Vec::new(),
        })
    }
}

/// A row of [`LIST_READ_TOKENS`](super::statements::LIST_READ_TOKENS).
#[derive(sqlx::FromRow)]
pub(in crate::store) struct ReadTokenSummaryRow {
    id: String,
    hint: String,
    account: String,
    organization: String,
    permissions: Option<String>,
    state: String,
    expires_at: Option<i64>,
    comment: Option<String>,
    created_at: i64,
    demo: bool,
}

/// Reads the read tokens.
pub(in crate::store) fn read_tokens(
    rows: Vec<ReadTokenSummaryRow>,
) -> Result<Vec<ReadTokenSummary>, RowError> {
    let token = |row: ReadTokenSummaryRow| {
        Ok(ReadTokenSummary {
            id: KeyId::new(&row.id)?,
            hint: row.hint,
            principal: Principal::new(&row.account)?,
            organization: Organization::new(&row.organization)?,
            permissions: limit(row.permissions.as_deref())?,
            state: state(&row.state)?,
            expires_at: row.expires_at.map(time).transpose()?,
            comment: row.comment,
            created_at: time(row.created_at)?,
            demo: row.demo,
        })
    };
    rows.into_iter().map(token).collect()
}

/// A row of [`LIST_SIGNING_KEYS`](super::statements::LIST_SIGNING_KEYS).
#[derive(sqlx::FromRow)]
pub(in crate::store) struct SigningKeySummaryRow {
    #[sqlx(flatten)]
    public: TokenKeyRow,
    keyring_id: String,
    created_at: i64,
}

/// Reads the signing keys.
pub(in crate::store) fn signing_keys(
    rows: Vec<SigningKeySummaryRow>,
) -> Result<Vec<SigningKeySummary>, RowError> {
    let key = |row: SigningKeySummaryRow| {
        Ok(SigningKeySummary {
            public: row.public.read()?,
            keyring_id: row.keyring_id,
            created_at: time(row.created_at)?,
        })
    };
    rows.into_iter().map(key).collect()
}

fn hash(bytes: &[u8]) -> Result<SecretHash, RowError> {
    bytes.try_into().map(SecretHash::from_bytes).map_err(|_| RowError::Unknown("hash"))
}
