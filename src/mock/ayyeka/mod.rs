//! Ayyeka: access tokens by client credentials, and the sites, streams and samples behind them.
//!
//! Tokens are real: RS384, for an hour by the mock's clock, issued and verified by the code of production. They are
//! taken behind any scheme word, or bare, as the vendor's server does. Shapes, parameters and error texts are those of
//! the vendor's API description; parameters that it does not know are passed over, as its framework does.
//!
//! Ours, because nothing public says: the errors of the token endpoint are those of RFC 6749, and the fleet at the start
//! is two sites with two streams each and the samples of a day.

mod date;
mod fleet;
mod routes;

use self::fleet::Fleet;
use super::{
    MockBuilder, MockCredential, MockProvider,
    keys::{MockClock, MockKeys},
    provider::{Kit, Operation, Provide, lock},
};
use crate::{
    clock::Clock as _,
    credential::{KeyId, SigningKey, TokenAlgorithm, TokenKey},
    jwt::PrivateKey,
};
use axum::Router;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{StatusCode, request::Parts};
use serde_json::{Value, json};
use std::{
    error::Error,
    fmt,
    sync::{Arc, Mutex},
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::sync::OnceCell;

/// The mock of Ayyeka; see [`MockProvider::ayyeka`].
pub struct AyyekaMock {
    fleet: Mutex<Fleet>,
    clock: MockClock,
    keys: MockKeys,
    signs: OnceCell<()>,
}

impl MockProvider<AyyekaMock> {
    /// A mock of Ayyeka. The first token takes up to a second: a process makes one RSA key, for all its mocks.
    pub fn ayyeka() -> MockBuilder<AyyekaMock> {
        MockBuilder::new()
    }

    /// Adds a sample to a stream, taken at this moment; gives its identifier. The streams at the start are 1 to 4.
    #[expect(clippy::must_use_candidate, reason = "it adds, whoever asks for the identifier")]
    pub fn add_sample(&self, stream: i64, at: SystemTime, value: &str) -> i64 {
        lock(&self.provider().fleet).add_sample(stream, seconds(at), value)
    }

    /// Sets how many samples an answer holds at most, so that `hasMore` can be met; 10 000 at the start, as documented.
    pub fn set_batch_size(&self, samples: usize) {
        lock(&self.provider().fleet).set_batch_size(samples);
    }

    /// The identifier of the last sample that was acknowledged; 0 if there is none.
    #[must_use]
    pub fn acknowledged(&self) -> i64 {
        lock(&self.provider().fleet).acknowledged()
    }
}

impl AyyekaMock {
    /// Sees to it that there is a key to sign tokens with.
    async fn make_signing_key(&self) -> Result<(), Trouble> {
        let ready = self.signs.get_or_try_init(|| async {
            let key = SIGNING_KEY.get_or_try_init(signing_key).await?;
            self.keys.store().insert_signing_key(key.clone());
            Ok(())
        });
        ready.await.copied()
    }
}

/// Made once in a process: RSA keys are slow to make, and a mock's tokens are nobody's treasure.
static SIGNING_KEY: OnceCell<SigningKey> = OnceCell::const_new();

type Trouble = Box<dyn Error + Send + Sync>;

async fn signing_key() -> Result<SigningKey, Trouble> {
    const ALGORITHM: TokenAlgorithm = TokenAlgorithm::Rs384;
    let key = PrivateKey::generate(ALGORITHM).await?;
    let kid = KeyId::new(&key.public_key().thumbprint()?)?;
    Ok(SigningKey::new(TokenKey::new(kid, ALGORITHM, key.public_key().to_der()?), key.to_pkcs8()?))
}

fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

impl fmt::Debug for AyyekaMock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AyyekaMock(..)")
    }
}

impl Provide for AyyekaMock {
    const NAME: &'static str = "ayyeka";
    const ENDPOINT: &'static str = "/v2.0";
    const PACKAGES: bool = false;

    fn new(kit: &Kit) -> Self {
        let clock = kit.clock();
        let fleet = Mutex::new(Fleet::new(seconds(clock.now())));
        Self { fleet, clock, keys: kit.keys(), signs: OnceCell::new() }
    }

    fn issue(clock: &MockClock) -> MockCredential {
        let mut random = [0; 48];
        clock.fill(&mut random);
        let (key, secret) = random.split_at(16);
        MockCredential::new(hex::encode_upper(key), BASE64_STANDARD.encode(secret))
    }

    fn admit(keys: &MockKeys, credential: &MockCredential) {
        keys.admit_client(credential);
    }

    fn routes(self: &Arc<Self>, kit: &Kit) -> Router {
        routes::routes(self, kit)
    }

    fn operations(head: &Parts, _: &[u8]) -> Vec<Operation> {
        let path = head.uri.path();
        let number = |segment: &str| !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit());
        let segments: Vec<_> =
            path.split('/').map(|segment| if number(segment) { "{id}" } else { segment }).collect();
        let template = segments.join("/");
        let mut names = vec![format!("{} {template}", head.method)];
        if let Some(short) = template.strip_prefix(Self::ENDPOINT) {
            names.push(format!("{} {short}", head.method));
        }
        if path != template {
            names.push(format!("{} {path}", head.method));
        }
        vec![Operation(names)]
    }

    fn trouble(status: StatusCode) -> Value {
        let message = match status {
            StatusCode::TOO_MANY_REQUESTS => "Too many requests",
            StatusCode::SERVICE_UNAVAILABLE => "Unavailable",
            _ => "System error",
        };
        json!({ "message": message, "request_id": request_id() })
    }

    fn state(&self) -> Value {
        serde_json::to_value(&*lock(&self.fleet)).unwrap_or_default()
    }

    fn restore(&self, state: Value) -> Result<(), serde_json::Error> {
        *lock(&self.fleet) = serde_json::from_value(state)?;
        Ok(())
    }
}

/// Eight letters and digits, as in the documented errors.
fn request_id() -> String {
    let mut random = [0; 4];
    MockClock::default().fill(&mut random);
    hex::encode(random)
}
