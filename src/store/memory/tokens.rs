//! Clients, read tokens and signing keys in memory.

use super::{MemoryKeyStore, limit};
use crate::{
    credential::{
        ClientSecret, CredentialState, KeyId, OAuthClient, Organization, Permissions, Principal, ReadToken,
        SecretHash, SigningKey, TokenKeys,
    },
    secret::Secret,
    store::{
        AdminError, AdminErrorKind, ChangeRefused, ClientSummary, NewClient, NewReadToken, NewSigningKey,
        ReadTokenSummary, SecretSummary, SigningKeySummary, TokenAdmin, access, import::hint,
        lifecycle::LONGEST_DEBUG, tokens,
    },
};
use async_trait::async_trait;
use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, SystemTime},
};

#[derive(Default)]
pub(super) struct Tables {
    clients: BTreeMap<String, Client>,
    read_tokens: BTreeMap<String, Token>,
    /// The ids of the read tokens by their hashes.
    by_hash: HashMap<[u8; 32], String>,
    /// Oldest first.
    signing_keys: Vec<(SigningKey, SystemTime)>,
    /// Of the signing keys together.
    revision: i64,
}

/// A client with its own permissions and all of its secrets; its account's limits are no part of it.
struct Client {
    own: OAuthClient,
    comment: Option<String>,
    created_at: SystemTime,
    demo: bool,
    /// When each of the secrets was stored.
    stored: Vec<SystemTime>,
}

/// A read token with its own permissions.
struct Token {
    own: ReadToken,
    hint: String,
    comment: Option<String>,
    created_at: SystemTime,
    demo: bool,
}

impl MemoryKeyStore {
    /// Stores a client as it is, in place of the one that is there.
    pub fn insert_client(&self, client: OAuthClient) {
        let created_at = self.clock.now();
        let stored = vec![created_at; client.secrets.len()];
        let id = client.client_id.as_str().to_owned();
        let client = Client { own: client, comment: None, created_at, demo: false, stored };
        self.write(|tables| tables.tokens.clients.insert(id, client));
    }

    /// Stores a read token as it is, under the hash of its secret, in place of the one that is there.
    pub fn insert_read_token(&self, hash: &SecretHash, token: ReadToken) {
        let created_at = self.clock.now();
        let token = Token { own: token, hint: String::new(), comment: None, created_at, demo: false };
        self.write(|tables| tables.tokens.insert_read_token(hash, token));
    }

    /// Stores a signing key as it is: the newest.
    pub fn insert_signing_key(&self, key: SigningKey) {
        let now = self.clock.now();
        self.write(|tables| tables.tokens.insert_signing_key(key, now));
    }

    fn change_client<T>(
        &self,
        client_id: &KeyId,
        change: impl FnOnce(&mut Client) -> Result<T, AdminError>,
    ) -> Result<T, AdminError> {
        self.write(|tables| {
            let client = tables.tokens.clients.get_mut(client_id.as_str());
            let client = client.ok_or(AdminError::new(AdminErrorKind::NotFound, "client"))?;
            let changed = change(client)?;
            client.own.revision += 1;
            Ok(changed)
        })
    }
}

#[async_trait]
impl TokenAdmin for MemoryKeyStore {
    async fn create_client(&self, new: &NewClient) -> Result<(), AdminError> {
        new.check()?;
        let id = new.client_id.as_str();
        let client = Client::new(new, self.clock.now());
        self.write(|tables| {
            tables.require(new.organization.as_ref())?;
            if tables.tokens.clients.contains_key(id) {
                return Err(AdminError::new(AdminErrorKind::Exists, "client id"));
            }
            tables.require_account(&new.principal)?;
            tables.tokens.clients.insert(id.to_owned(), client);
            Ok(())
        })
    }

    async fn clients(&self) -> Result<Vec<ClientSummary>, AdminError> {
        Ok(self.read(|tables| tables.tokens.clients.values().map(Client::summary).collect()))
    }

    async fn client(&self, client_id: &KeyId) -> Result<ClientSummary, AdminError> {
        let found = self.read(|tables| tables.tokens.clients.get(client_id.as_str()).map(Client::summary));
        found.ok_or(AdminError::new(AdminErrorKind::NotFound, "client"))
    }

    async fn rotate_client(
        &self,
        client_id: &KeyId,
        secret: &Secret,
        overlap: Duration,
    ) -> Result<i64, AdminError> {
        tokens::check_secret(secret)?;
        let now = self.clock.now();
        let end = tokens::end_of(now, overlap)?;
        self.change_client(client_id, |client| client.rotate(SecretHash::of(secret.expose()), now, end))
    }

    async fn set_client_state(&self, client_id: &KeyId, state: CredentialState) -> Result<(), AdminError> {
        self.change_client(client_id, |client| {
            if state != CredentialState::Revoked {
                client.refuse_revoked()?;
            }
            client.own.state = state;
            Ok(())
        })
    }

    async fn set_client_permissions(
        &self,
        client_id: &KeyId,
        permissions: Option<&Permissions>,
    ) -> Result<(), AdminError> {
        permissions.map_or(Ok(()), access::check_list)?;
        self.change_client(client_id, |client| {
            client.own.permissions = permissions.cloned().unwrap_or_else(Permissions::all);
            Ok(())
        })
    }

    async fn debug_client(&self, client_id: &KeyId, until: Option<SystemTime>) -> Result<(), AdminError> {
        let longest = self.clock.now() + LONGEST_DEBUG;
        self.change_client(client_id, |client| {
            client.refuse_revoked()?;
            if until.is_some_and(|end| end > longest) {
                return Err(ChangeRefused::LongDebug.into());
            }
            client.own.debug_until = until;
            Ok(())
        })
    }

    async fn create_read_token(&self, new: &NewReadToken) -> Result<(), AdminError> {
        new.check()?;
        let hash = SecretHash::of(new.secret.expose());
        let token = Token::new(new, self.clock.now());
        self.write(|tables| {
            tables.require(Some(&new.organization))?;
            if tables.tokens.read_tokens.contains_key(new.id.as_str())
                || tables.tokens.by_hash.contains_key(hash.as_bytes())
            {
                return Err(AdminError::new(AdminErrorKind::Exists, "read token"));
            }
            tables.require_account(&new.principal)?;
            tables.tokens.insert_read_token(&hash, token);
            Ok(())
        })
    }

    async fn read_tokens(&self) -> Result<Vec<ReadTokenSummary>, AdminError> {
        Ok(self.read(|tables| tables.tokens.read_tokens.values().map(Token::summary).collect()))
    }

    async fn revoke_read_token(&self, id: &KeyId) -> Result<(), AdminError> {
        self.write(|tables| {
            let token = tables.tokens.read_tokens.get_mut(id.as_str());
            let token = token.ok_or(AdminError::new(AdminErrorKind::NotFound, "read token"))?;
            token.own.state = CredentialState::Revoked;
            token.own.revision += 1;
            Ok(())
        })
    }

    async fn add_signing_key(&self, new: &NewSigningKey) -> Result<(), AdminError> {
        new.check()?;
        let key = SigningKey::new(new.public.clone(), new.private_key.clone());
        let now = self.clock.now();
        self.write(|tables| {
            if tables.tokens.signing_keys.iter().any(|(key, _)| key.public.kid == new.public.kid) {
                return Err(AdminError::new(AdminErrorKind::Exists, "signing key"));
            }
            tables.tokens.insert_signing_key(key, now);
            Ok(())
        })
    }

    async fn signing_keys(&self) -> Result<Vec<SigningKeySummary>, AdminError> {
        let summary = |(key, created_at): &(SigningKey, SystemTime)| SigningKeySummary {
            public: key.public.clone(),
            keyring_id: String::new(),
            created_at: *created_at,
        };
        Ok(self.read(|tables| tables.tokens.signing_keys.iter().rev().map(summary).collect()))
    }

    async fn retire_signing_key(&self, kid: &KeyId, at: SystemTime) -> Result<(), AdminError> {
        self.write(|tables| {
            let key = tables.tokens.signing_keys.iter_mut().find(|(key, _)| key.public.kid == *kid);
            let (key, _) = key.ok_or(AdminError::new(AdminErrorKind::NotFound, "signing key"))?;
            if key.public.retires_at.is_some_and(|end| end < at) {
                return Err(AdminError::new(AdminErrorKind::Invalid, tokens::PUT_OFF));
            }
            key.public.retires_at = Some(at);
            tables.tokens.revision += 1;
            Ok(())
        })
    }
}

impl super::Tables {
    /// A client within the limits of its account, with its live secrets.
    pub(super) fn client(&self, client_id: &str, now: SystemTime) -> Option<OAuthClient> {
        let mut client = self.tokens.clients.get(client_id)?.own.clone();
        let account = self.accounts.get(&client.principal);
        client.state = self.state(client.state, account, client.organization.as_ref());
        client.permissions = super::permissions(&client.permissions, account);
        client.secrets.retain(|secret| secret.is_live(now));
        Some(client)
    }

    /// A read token within the limits of its account.
    pub(super) fn read_token(&self, hash: &SecretHash) -> Option<ReadToken> {
        let mut token = self.tokens.read_tokens.get(self.tokens.by_hash.get(hash.as_bytes())?)?.own.clone();
        let account = self.accounts.get(&token.principal);
        token.state = self.state(token.state, account, Some(&token.organization));
        token.permissions = super::permissions(&token.permissions, account);
        Some(token)
    }
}

impl Tables {
    pub(super) fn public_keys(&self, now: SystemTime) -> Option<TokenKeys> {
        let live = self.signing_keys.iter().rev().map(|(key, _)| &key.public).filter(|key| key.is_live(now));
        let keys: smallvec::SmallVec<[_; 2]> = live.cloned().collect();
        (!keys.is_empty()).then_some(TokenKeys { keys, revision: self.revision })
    }

    pub(super) fn signing_key(&self, now: SystemTime) -> Option<SigningKey> {
        let newest = self.signing_keys.iter().rev().find(|(key, _)| key.public.may_sign(now));
        newest.map(|(key, _)| SigningKey { revision: self.revision, ..key.clone() })
    }

    pub(super) fn touch(&mut self, belongs: impl Fn(&Principal, Option<&Organization>) -> bool) {
        for client in self.clients.values_mut().map(|client| &mut client.own) {
            client.revision += i64::from(belongs(&client.principal, client.organization.as_ref()));
        }
        for token in self.read_tokens.values_mut().map(|token| &mut token.own) {
            token.revision += i64::from(belongs(&token.principal, Some(&token.organization)));
        }
    }

    fn insert_read_token(&mut self, hash: &SecretHash, token: Token) {
        let id = token.own.id.as_str().to_owned();
        self.by_hash.retain(|_, other| *other != id);
        self.by_hash.insert(*hash.as_bytes(), id.clone());
        self.read_tokens.insert(id, token);
    }

    fn insert_signing_key(&mut self, key: SigningKey, now: SystemTime) {
        self.signing_keys.push((key, now));
        self.revision += 1;
    }
}

impl Client {
    fn new(new: &NewClient, created_at: SystemTime) -> Self {
        let secret = ClientSecret::new(1, SecretHash::of(new.secret.expose()));
        let mut own = OAuthClient::new(new.client_id.clone(), new.principal.clone(), [secret]);
        own.organization.clone_from(&new.organization);
        own.permissions = new.permissions.clone().unwrap_or_else(Permissions::all);
        own.expires_at = new.expires_at;
        Self { own, comment: new.comment.clone(), created_at, demo: new.demo, stored: vec![created_at] }
    }

    fn refuse_revoked(&self) -> Result<(), AdminError> {
        match self.own.state {
            CredentialState::Revoked => Err(AdminError::new(AdminErrorKind::Invalid, tokens::REVOKED)),
            _ => Ok(()),
        }
    }

    fn rotate(&mut self, hash: SecretHash, now: SystemTime, end: SystemTime) -> Result<i64, AdminError> {
        self.refuse_revoked()?;
        let live = self.own.secrets.iter().filter(|secret| secret.is_live(now)).count();
        tokens::check_live(i64::try_from(live).unwrap_or(i64::MAX), end > now)?;
        for older in &mut self.own.secrets {
            older.retires_at = Some(older.retires_at.map_or(end, |sooner| sooner.min(end)));
        }
        let number = self.own.secrets.first().map_or(1, |newest| newest.number + 1);
        self.own.secrets.insert(0, ClientSecret::new(number, hash));
        self.stored.insert(0, now);
        Ok(number)
    }

    fn summary(&self) -> ClientSummary {
        let Self { own, comment, created_at, demo, stored } = self;
        let secret = |(secret, created_at): (&ClientSecret, &SystemTime)| SecretSummary {
            number: secret.number,
            fingerprint: hex::encode(&secret.hash.as_bytes()[..4]),
            keyring_id: String::new(),
            created_at: *created_at,
            retires_at: secret.retires_at,
            last_used_at: None,
        };
        ClientSummary {
            client_id: own.client_id.clone(),
            principal: own.principal.clone(),
            organization: own.organization.clone(),
            permissions: limit(&own.permissions),
            state: own.state,
            expires_at: own.expires_at,
            debug_until: own.debug_until,
            comment: comment.clone(),
            created_at: *created_at,
            demo: *demo,
            secrets: own.secrets.iter().zip(stored).map(secret).collect(),
        }
    }
}

impl Token {
    fn new(new: &NewReadToken, created_at: SystemTime) -> Self {
        let mut own = ReadToken::new(new.id.clone(), new.principal.clone(), new.organization.clone());
        own.permissions = new.permissions.clone().unwrap_or_else(Permissions::all);
        own.expires_at = new.expires_at;
        Self { own, hint: hint(&new.secret), comment: new.comment.clone(), created_at, demo: new.demo }
    }

    fn summary(&self) -> ReadTokenSummary {
        let Self { own, hint, comment, created_at, demo } = self;
        ReadTokenSummary {
            id: own.id.clone(),
            hint: hint.clone(),
            principal: own.principal.clone(),
            organization: own.organization.clone(),
            permissions: limit(&own.permissions),
            state: own.state,
            expires_at: own.expires_at,
            comment: comment.clone(),
            created_at: *created_at,
            demo: *demo,
        }
    }
}
