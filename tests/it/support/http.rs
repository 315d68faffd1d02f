//! Keys and clients of every scheme, bodies that arrive as a test says, stores that answer as a test says.

use axum::body::Body;
use bytes::Bytes;
use countersign::{
    Outcome, SignatureVerifier, VerifyLayer,
    clock::ManualClock,
    credential::{Credential, KeyId, Organization, Principal, SecretVersion},
    error::VerifyErrorKind,
    middleware::VerifiedBody,
    scheme::{Ateliere, Corezoid, CorezoidCallback, SalesCloud, SalesCloudWebhook},
    secret::Secret,
    sign::Signer,
    signature::{Algorithm, MacKey},
    store::{Found, KeyStore, Lookup, MemoryKeyStore, StoreError},
};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;
use std::{
    collections::VecDeque,
    convert::Infallible,
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::sync::mpsc;
use tower::{Layer as _, Service, ServiceExt as _, util::BoxCloneService};

pub(crate) const NOW: u64 = 1_700_000_000;
pub(crate) const SECRET: &str = "Iw5N12MYleOULxdfMH43SK9ZAmjPyFKtdhToiL38xIBz6ecdZxW";
pub(crate) const HOST: &str = "api.example.test";
pub(crate) const SLUG: &str = "acme-studios";
pub(crate) const ORGANIZATION: &str = "7b371391-1561-4cac-8f86-9b7bcba83db2";
pub(crate) const PUBLIC_KEY: &str = "849015eb6c1d";

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Whose way of signing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Provider {
    Ateliere,
    Corezoid,
    CorezoidCallback,
    SalesCloud,
    SalesCloudWebhook,
}

impl Provider {
    pub(crate) const ALL: [Self; 5] =
        [Self::Ateliere, Self::Corezoid, Self::CorezoidCallback, Self::SalesCloud, Self::SalesCloudWebhook];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ateliere => "ateliere",
            Self::Corezoid => "corezoid",
            Self::CorezoidCallback => "corezoid-callback",
            Self::SalesCloud => "salescloud",
            Self::SalesCloudWebhook => "salescloud-webhook",
        }
    }

    pub(crate) const fn key_id(self) -> &'static str {
        match self {
            Self::Ateliere => "pk_test_5e1f",
            Self::Corezoid => "13000",
            Self::CorezoidCallback => "1023",
            Self::SalesCloud => "edadd893-9472-4324-a4db-b1707c563184",
            Self::SalesCloudWebhook => "90f298d6c03d011e",
        }
    }

    /// Well-formed, and no key's.
    pub(crate) const fn unknown_key_id(self) -> &'static str {
        match self {
            Self::Ateliere => "pk_test_5e1e",
            Self::Corezoid => "13001",
            Self::CorezoidCallback => "1024",
            Self::SalesCloud => "edadd893-9472-4324-a4db-b1707c563185",
            Self::SalesCloudWebhook => "90f298d6c03d011f",
        }
    }

    /// Where its requests go; Corezoid's client appends the credentials.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Ateliere => "/graphql",
            Self::Corezoid => "/api/2/json",
            Self::CorezoidCallback => "/",
            Self::SalesCloud => "/",
            Self::SalesCloudWebhook => "/hook",
        }
    }

    pub(crate) const fn algorithm(self) -> Algorithm {
        match self {
            Self::Ateliere | Self::SalesCloud | Self::SalesCloudWebhook => Algorithm::HmacSha256,
            Self::Corezoid | Self::CorezoidCallback => Algorithm::SandwichSha1,
        }
    }

    pub(crate) fn mac_key(self, secret: &str) -> MacKey {
        MacKey::new(self.algorithm(), &Secret::new(secret).unwrap())
    }

    /// The credential of [`SECRET`]: active, without limits in time.
    pub(crate) fn credential(self) -> Credential {
        let secret = SecretVersion::new(1, self.mac_key(SECRET));
        let mut credential = Credential::new(Principal::new(self.name()).unwrap(), [secret]);
        credential.organization = match self {
            Self::Ateliere => Some(Organization::new(SLUG).unwrap()),
            _ => None,
        };
        credential.public_key = (self == Self::SalesCloud).then(|| PUBLIC_KEY.into());
        credential
    }

    /// Stores the credential.
    pub(crate) fn enroll(self, keys: &MemoryKeyStore) {
        keys.insert(self.name(), self.key_id(), self.credential());
        if self == Self::SalesCloud {
            let (app, organization) = self.installation();
            keys.install(self.name(), &app, &organization);
        }
    }

    /// SalesCloud's app, and the organization that installed it.
    pub(crate) fn installation(self) -> (KeyId, Organization) {
        (KeyId::new(self.key_id()).unwrap(), Organization::new(ORGANIZATION).unwrap())
    }

    pub(crate) fn verifier(self, keys: impl KeyStore) -> SignatureVerifier {
        match self {
            Self::Ateliere => SignatureVerifier::new(Ateliere::default(), keys),
            Self::Corezoid => SignatureVerifier::new(Corezoid::default(), keys),
            Self::CorezoidCallback => SignatureVerifier::new(CorezoidCallback::default(), keys),
            Self::SalesCloud => SignatureVerifier::new(SalesCloud::default(), keys),
            Self::SalesCloudWebhook => SignatureVerifier::new(SalesCloudWebhook::default(), keys),
        }
        .with_clock(ManualClock::at(NOW))
    }

    pub(crate) fn signer(self, key_id: &str, secret: &str) -> Signer {
        let secret = Secret::new(secret).unwrap();
        match self {
            Self::Ateliere => Signer::new(Ateliere::default(), key_id, &secret).with_organization(SLUG),
            Self::Corezoid => Signer::new(Corezoid::default(), key_id, &secret),
            Self::CorezoidCallback => Signer::new(CorezoidCallback::default(), key_id, &secret),
            Self::SalesCloud => Signer::new(SalesCloud::default(), key_id, &secret)
                .with_organization(ORGANIZATION)
                .with_public_key(PUBLIC_KEY),
            Self::SalesCloudWebhook => Signer::new(SalesCloudWebhook::default(), key_id, &secret),
        }
        .with_clock(ManualClock::at(NOW))
    }

    /// A request that is not signed.
    pub(crate) fn unsigned(self, body: impl Into<Bytes>) -> Request<Bytes> {
        Request::post(self.path()).header("host", HOST).body(body.into()).unwrap()
    }

    /// A request signed with the right key.
    pub(crate) fn signed(self, body: impl Into<Bytes>) -> Request<Bytes> {
        self.signed_with(self.key_id(), SECRET, body)
    }

    pub(crate) fn signed_with(self, key_id: &str, secret: &str, body: impl Into<Bytes>) -> Request<Bytes> {
        let mut request = self.unsigned(body);
        self.signer(key_id, secret).sign(&mut request).unwrap();
        request
    }
}

/// A store that knows a key of every scheme.
pub(crate) fn keys() -> Arc<MemoryKeyStore> {
    let keys = Arc::new(MemoryKeyStore::new());
    Provider::ALL.iter().for_each(|provider| provider.enroll(&keys));
    keys
}

/// A layer that verifies one provider's requests.
pub(crate) fn layer(provider: Provider) -> VerifyLayer {
    VerifyLayer::new(provider.verifier(keys()))
}

/// A service behind a layer, or anything else that answers requests.
pub(crate) type App<B = Script> = BoxCloneService<Request<B>, Response<Body>, Infallible>;

/// The layer around a service that answers 200 with the body as it came.
pub(crate) fn echo<B>(layer: &VerifyLayer) -> App<B>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let echo = tower::service_fn(async |request: Request<VerifiedBody>| {
        Ok::<_, Infallible>(Response::new(Body::new(request.into_body())))
    });
    App::new(layer.layer(echo))
}

/// A response, read to its end.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// What the operator is told.
    pub(crate) kind: Option<VerifyErrorKind>,
}

impl Answer {
    pub(crate) async fn read<B>(response: Response<B>) -> Self
    where
        B: http_body::Body<Data = Bytes, Error: fmt::Debug>,
    {
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let kind: Option<VerifyErrorKind> = head.extensions.get().copied();
        // A token endpoint has an outcome, and no kind.
        let outcome: Option<&Outcome> = head.extensions.get();
        assert!(kind.is_none_or(|kind| outcome == Some(&kind.outcome())));
        Self { status: head.status, headers: head.headers, body, kind }
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// What the caller sees, without the request id.
    pub(crate) fn anonymous(mut self) -> (StatusCode, HeaderMap, String) {
        let id = self.headers.insert("x-request-id", HeaderValue::from_static("ID")).unwrap();
        let id = id.to_str().unwrap();
        assert_eq!(id.len(), 16);
        assert!(self.text().contains(id), "the body names the request id of the headers");
        let body = self.text().replace(id, "ID");
        (self.status, self.headers, body)
    }
}

/// Sends a request whose body is there at once.
pub(crate) async fn send<S, B>(service: S, request: Request<Bytes>) -> Answer
where
    S: Service<Request<Script>, Response = Response<B>, Error: fmt::Debug>,
    B: http_body::Body<Data = Bytes, Error: fmt::Debug>,
{
    Answer::read(service.oneshot(request.map(Script::whole)).await.unwrap()).await
}

/// A body that arrives as a test says. It never says that it has ended, and panics when it is polled once too often.
#[derive(Debug, Default)]
pub(crate) struct Script {
    steps: VecDeque<Step>,
    announced: u64,
    over: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// So many bytes `a`, cut from a buffer of that size which is made when it is their turn.
    Cut(usize, usize),
    Data(Bytes),
    /// A frame without data, over and over.
    EmptyForEver,
    Error,
    /// Not yet; the task is woken at once.
    Later,
    /// Nothing more, and no end.
    Never,
    Trailers,
    /// Polling the body is a mistake.
    Untouchable,
}

impl Script {
    pub(crate) fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self { steps: steps.into_iter().collect(), announced: 0, over: false }
    }

    /// Says beforehand that it is this long.
    pub(crate) fn announcing(length: u64, steps: impl IntoIterator<Item = Step>) -> Self {
        Self { announced: length, ..Self::new(steps) }
    }

    pub(crate) fn whole(body: Bytes) -> Self {
        Self::new([Step::Data(body)])
    }
}

impl http_body::Body for Script {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        assert!(!self.over, "a body was polled after its end");
        match self.steps.pop_front() {
            None => {
                self.over = true;
                Poll::Ready(None)
            }
            Some(Step::Cut(length, of)) => {
                let buffer = Bytes::from(vec![b'a'; of]);
                Poll::Ready(Some(Ok(Frame::data(buffer.slice(..length)))))
            }
            Some(Step::Data(data)) => Poll::Ready(Some(Ok(Frame::data(data)))),
            Some(Step::EmptyForEver) => {
                self.steps.push_front(Step::EmptyForEver);
                Poll::Ready(Some(Ok(Frame::data(Bytes::new()))))
            }
            Some(Step::Error) => {
                self.over = true;
                Poll::Ready(Some(Err("connection reset".into())))
            }
            Some(Step::Later) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Step::Never) => {
                self.steps.push_front(Step::Never);
                Poll::Pending
            }
            Some(Step::Trailers) => {
                let trailers = [("x-checksum".parse().unwrap(), "1".parse().unwrap())];
                Poll::Ready(Some(Ok(Frame::trailers(HeaderMap::from_iter(trailers)))))
            }
            Some(Step::Untouchable) => panic!("the body was polled"),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = SizeHint::new();
        hint.set_lower(self.announced);
        hint
    }
}

/// A body that a test sends frame by frame, and ends by dropping the sender.
#[derive(Debug)]
pub(crate) struct Upload(mpsc::UnboundedReceiver<Bytes>);

pub(crate) fn upload() -> (mpsc::UnboundedSender<Bytes>, Upload) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (sender, Upload(receiver))
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|data| data.map(|data| Ok(Frame::data(data))))
    }
}

/// A store that is a function.
pub(crate) struct Ask<F>(F);

pub(crate) fn store_by<F: Fn(Lookup<'_>) -> Found + Send + Sync + 'static>(answer: F) -> Ask<F> {
    Ask(answer)
}

impl<F> fmt::Debug for Ask<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ask(..)")
    }
}

impl<F: Fn(Lookup<'_>) -> Found + Send + Sync + 'static> KeyStore for Ask<F> {
    fn find(&self, lookup: Lookup<'_>) -> Found {
        (self.0)(lookup)
    }
}

/// A store that has to be waited for, and answers by what is true when it does.
#[derive(Debug)]
pub(crate) struct Slow(pub(crate) Arc<MemoryKeyStore>);

impl KeyStore for Slow {
    fn find(&self, lookup: Lookup<'_>) -> Found {
        let keys = Arc::clone(&self.0);
        let (scheme, key_id, organization) = match lookup {
            Lookup::Key { scheme, key_id } => (scheme, key_id, None),
            Lookup::Installation { scheme, key_id, organization } => (scheme, key_id, Some(organization)),
            _ => return Found::Pending(Box::pin(async { Err(StoreError::new("an unknown lookup")) })),
        };
        let (scheme, key_id) = (scheme.to_owned(), key_id.to_owned());
        let organization = organization.map(str::to_owned);
        Found::Pending(Box::pin(async move {
            tokio::task::yield_now().await;
            let (scheme, key_id) = (&*scheme, &*key_id);
            let lookup = match organization.as_deref() {
                Some(organization) => Lookup::Installation { scheme, key_id, organization },
                None => Lookup::Key { scheme, key_id },
            };
            match keys.find(lookup) {
                Found::Ready(record) => Ok(record),
                Found::Pending(record) => record.await,
            }
        }))
    }
}

/// Polls a future once.
pub(crate) async fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx))).await
}
