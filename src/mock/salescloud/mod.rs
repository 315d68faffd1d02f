//! SalesCloud: its graph, signed by apps or opened by read access tokens, and its webhooks.

mod routes;
mod schema;
mod shop;

use self::{
    schema::{Mutation, Query},
    shop::{Change, Item, SCHEME, Shops},
};
use super::{
    MockBuilder, MockCredential, MockProvider,
    graphql::{self, Endpoint},
    keys::{MockClock, MockKeys},
    provider::{Kit, Operation, Provide, lock},
    send::{self, SendError},
};
use crate::{
    clock::Clock as _,
    credential::{KeyId, Organization, Principal, ReadToken, SecretHash},
    scheme::{SalesCloud, SalesCloudWebhook, Scheme},
    sign::Signer,
    signature::Algorithm,
};
use axum::{Router, body::Bytes};
use http::{Method, Request, Response, StatusCode, request::Parts};
use serde_json::{Value, json};
use std::{
    fmt,
    sync::{Arc, Mutex},
};

/// The mock of SalesCloud; see [`MockProvider::salescloud`].
///
/// # What it stands in for
///
/// | route | what it is |
/// |---|---|
/// | `POST /` | the graph: `appOrganizations`, `systemTimeInMillis`, `itemsList`, `createLog` |
/// | `POST /webhooks/{name…}` | takes calls signed as webhooks, and answers `{"success":true}` |
/// | `POST /mock/webhook` | sends a webhook: `{"url","body"}`; for tests in other languages |
/// | `POST /mock/install`, `POST /mock/uninstall` | installs an app: `{"application","organization","label"}` |
///
/// An app is refused for an organization that has not installed it, as the document says. A read access token opens
/// queries of its one organization, and no mutation. `itemsList` and `systemTimeInMillis` are for anybody: a public
/// client sends them without credentials. Aliases, fragments and variables are an executor's, behind the crate's guard.
///
/// [`send_webhook`](MockProvider::send_webhook) sends what SalesCloud sends, signed with the
/// [`webhook_credential`](MockProvider::webhook_credential).
///
/// # What it does not
///
/// The rest of the graph, whose schema is not public; payment requests; the redirect form of webhooks. SalesCloud repeats
/// a webhook that is not answered with 200, without end; this sends once.
///
/// Ours, because it is not public: statuses and errors (401, and GraphQL's own), what `createLog` answers, that a webhook
/// call to the mock may leave the body out of its signature (a production client does), and the routes below `/mock`.
/// The document's first sample body is not JSON; it is answered as what it means.
pub struct SalesCloudMock {
    endpoint: Endpoint<Query, Mutation>,
    shops: Arc<Mutex<Shops>>,
    keys: MockKeys,
    clock: MockClock,
    webhook: MockCredential,
    read_token: Option<String>,
}

impl MockProvider<SalesCloudMock> {
    /// A mock of SalesCloud.
    pub fn salescloud() -> MockBuilder<SalesCloudMock> {
        MockBuilder::new()
    }

    /// A read access token for the organization of the credential, to stand behind `Authorization: ReadAccessToken`.
    #[must_use]
    pub fn read_token(&self) -> String {
        self.provider().read_token.clone().unwrap_or_default()
    }

    /// Installs the app of the credential in another organization.
    pub fn install(&self, organization: &str, label: &str) {
        let app = self.credential().key_id().to_owned();
        self.provider().change(app, organization, Some(label), true);
    }

    /// Removes the app of the credential from an organization: it is refused there from now on.
    pub fn uninstall(&self, organization: &str) {
        let app = self.credential().key_id().to_owned();
        self.provider().change(app, organization, None, false);
    }

    /// Adds an item for sale, with the addresses of its images.
    pub fn add_item<'i>(&self, organization: &str, title: &str, images: impl IntoIterator<Item = &'i str>) {
        let images = images.into_iter().map(str::to_owned).collect();
        let item = Item { title: title.to_owned(), images };
        lock(&self.provider().shops).shop(organization).items.push(item);
    }

    /// What apps logged in an organization, oldest first.
    #[must_use]
    pub fn logs(&self, organization: &str) -> Vec<String> {
        let shops = lock(&self.provider().shops);
        let logs = shops.organizations.get(organization).map(|shop| &shop.logs);
        logs.into_iter().flatten().map(|log| log.msg.clone()).collect()
    }

    /// What webhooks are signed with: the access key is the key id.
    #[must_use]
    pub fn webhook_credential(&self) -> MockCredential {
        self.provider().webhook.clone()
    }

    /// Sends a webhook to the client under test, with the headers `X-SalesCloud-Date`, `-Access-Key` and `-Signature`.
    ///
    /// ```
    /// # async fn example() -> Result<(), countersign::mock::SendError> {
    /// use countersign::mock::MockProvider;
    /// use serde_json::json;
    ///
    /// let mock = MockProvider::salescloud().start().await;
    /// let paid = json!({ "type": "subscription_updated", "customer_id": "34724", "subscription_status": "true" });
    /// let answer = mock.send_webhook("http://127.0.0.1:8080/hook", &paid).await?;
    /// assert_eq!(answer.status(), 200);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SendError`] if the URL is none, or nobody answers.
    pub async fn send_webhook(&self, url: &str, body: &Value) -> Result<Response<Bytes>, SendError> {
        self.provider().send_webhook(url, body).await
    }
}

impl fmt::Debug for SalesCloudMock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SalesCloudMock(..)")
    }
}

impl SalesCloudMock {
    fn change(&self, app: String, organization: &str, label: Option<&str>, installed: bool) {
        let mut shops = lock(&self.shops);
        if let Some(label) = label {
            label.clone_into(&mut shops.shop(organization).label);
        }
        shops.change(&self.keys, Change { app, organization: organization.to_owned(), installed });
    }

    async fn send_webhook(&self, url: &str, body: &Value) -> Result<Response<Bytes>, SendError> {
        let mut request = send::json(Method::POST, url, body)?;
        self.sign(&mut request)?;
        send::send(request).await
    }

    fn sign(&self, request: &mut Request<Bytes>) -> Result<(), SendError> {
        send::sign(request, self.webhook.secret(), |secret| {
            Signer::new(webhooks(), self.webhook.key_id(), secret).with_clock(self.clock.clone())
        })
    }
}

/// The scheme of webhooks, sent to and from a mock by plain HTTP.
fn webhooks() -> SalesCloudWebhook {
    SalesCloudWebhook::default().with_plain_http()
}

fn random<const N: usize>(clock: &MockClock) -> [u8; N] {
    let mut random = [0; N];
    clock.fill(&mut random);
    random
}

/// A UUID of version 4 (RFC 9562 §5.4).
fn uuid(clock: &MockClock) -> String {
    let mut bytes = random::<16>(clock);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut uuid = hex::encode(bytes);
    for place in [20, 16, 12, 8] {
        uuid.insert(place, '-');
    }
    uuid
}

/// Makes a read access token for an organization.
fn read_token(kit: &Kit, organization: Option<&str>) -> Option<String> {
    let clock = kit.clock();
    let token = hex::encode(random::<32>(&clock));
    let id = KeyId::new("mock").ok()?;
    let owner = Principal::new("mock").ok()?;
    let organization = Organization::new(organization?).ok()?;
    let hash = SecretHash::of(token.as_bytes());
    kit.keys().store().insert_read_token(&hash, ReadToken::new(id, owner, organization));
    Some(token)
}

impl Provide for SalesCloudMock {
    const NAME: &'static str = "salescloud";
    const ENDPOINT: &'static str = "/";
    const PACKAGES: bool = true;

    fn new(kit: &Kit) -> Self {
        let (keys, clock) = (kit.keys(), kit.clock());
        let shops = Arc::<Mutex<Shops>>::default();
        let webhook =
            MockCredential::new(hex::encode(random::<24>(&clock)), hex::encode(random::<32>(&clock)));
        keys.admit_key("salescloud-webhook", Algorithm::HmacSha256, &webhook);
        let organization = kit.credential();
        let organization = organization.as_ref().and_then(MockCredential::organization);
        Self {
            endpoint: Endpoint::new(schema::build(Arc::clone(&shops), keys.clone(), clock.clone())),
            read_token: read_token(kit, organization),
            shops,
            keys,
            clock,
            webhook,
        }
    }

    /// Public key and secret have 512 digits each, as the document's have.
    fn issue(clock: &MockClock) -> MockCredential {
        MockCredential::new(uuid(clock), hex::encode(random::<256>(clock)))
            .with_public_key(hex::encode(random::<256>(clock)))
            .with_organization(uuid(clock))
    }

    fn admit(keys: &MockKeys, credential: &MockCredential) {
        keys.admit_key(SCHEME, Algorithm::HmacSha256, credential);
    }

    fn scheme() -> Option<Box<dyn Scheme>> {
        Some(Box::new(SalesCloud::default()))
    }

    fn routes(self: &Arc<Self>, kit: &Kit) -> Router {
        routes::of(self, kit)
    }

    fn operations(head: &Parts, body: &[u8]) -> Vec<Operation> {
        match head.uri.path() {
            "/" => graphql::operations(&routes::meant(body)),
            path if path.starts_with("/webhooks/") => vec![Operation::named(["webhook call", path])],
            path => vec![Operation::named([path])],
        }
    }

    fn trouble(status: StatusCode) -> Value {
        graphql::trouble(status)
    }

    fn state(&self) -> Value {
        json!({ "shops": &*lock(&self.shops) })
    }

    fn restore(&self, state: Value) -> Result<(), serde_json::Error> {
        let shops: Shops = serde_json::from_value(state["shops"].clone())?;
        shops.changes.iter().for_each(|change| change.apply(&self.keys));
        *lock(&self.shops) = shops;
        Ok(())
    }

    fn details(&self) -> Vec<(&'static str, String)> {
        vec![
            ("read_token", self.read_token.clone().unwrap_or_default()),
            ("webhook_access_key", self.webhook.key_id().to_owned()),
            ("webhook_secret", self.webhook.secret().to_owned()),
        ]
    }
}
