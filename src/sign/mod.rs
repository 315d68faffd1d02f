//! Signing requests, with the same schemes and the same signature bases that verify them.
//!
//! [`Signer::sign`] signs one request whose body is at hand. [`SignLayer`] does it before a client that is a Tower
//! service, for each attempt anew. With the feature `client`, `Signer::send` does it for `reqwest`.

mod layer;

pub use self::layer::{Sign, SignLayer};

use crate::{
    clock::{Clock, SystemClock},
    error::SignError,
    message::Message,
    scheme::{Parameters, Scheme},
    secret::Secret,
    signature::{Computation, MacKey, Signature},
};
use http::{Request, request::Parts};
use std::sync::Arc;

/// Signs requests of one scheme with one key. A clone is cheap.
///
/// ```
/// use countersign::{clock::ManualClock, scheme::Corezoid, secret::Secret, sign::Signer};
/// use http::Request;
///
/// let secret = Secret::new("Iw5N12MYleOULxdfMH43SK9ZAmjPyFKtdhToiL38xIBz6ecdZxW")?;
/// let signer = Signer::new(Corezoid::default(), "13000", &secret)
///     .with_clock(ManualClock::at(1_700_000_000));
/// let mut request = Request::post("https://api.corezoid.com/api/2/json").body("{}")?;
/// signer.sign(&mut request)?;
/// assert_eq!(
///     request.uri().path(),
///     "/api/2/json/13000/1700000000/c28013c2a2ffe0bd17a7ec3ab7b2f8aa8b5ccf04",
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Signer {
    scheme: Arc<dyn Scheme>,
    key: MacKey,
    key_id: Arc<str>,
    public_key: Option<Arc<str>>,
    organization: Option<Arc<str>>,
    clock: Arc<dyn Clock>,
}

impl Signer {
    /// Makes a signer that takes the time from the system.
    pub fn new(scheme: impl Scheme, key_id: &str, secret: &Secret) -> Self {
        let key = MacKey::new(scheme.algorithm(), secret);
        Self::with_key(scheme, key_id, key)
    }

    /// Makes a signer from a secret that is keyed already, as a key store holds it. The key must be one of the scheme's
    /// algorithm: a signature made with another is good nowhere.
    pub fn with_key(scheme: impl Scheme, key_id: &str, key: MacKey) -> Self {
        Self {
            key,
            scheme: Arc::new(scheme),
            key_id: key_id.into(),
            public_key: None,
            organization: None,
            clock: Arc::new(SystemClock),
        }
    }

    /// Signs on behalf of an organization: Ateliere's slug (required there), SalesCloud's UUID.
    #[must_use]
    pub fn with_organization(mut self, organization: &str) -> Self {
        self.organization = Some(organization.into());
        self
    }

    /// Names the application's public key, which SalesCloud requires.
    #[must_use]
    pub fn with_public_key(mut self, public_key: &str) -> Self {
        self.public_key = Some(public_key.into());
        self
    }

    /// Takes the time from another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Signs a request as it will be sent: no header, path or body may change afterwards. The request is changed on
    /// success only. One that was signed before gets the new credentials, and the new time, in the place of the old ones.
    ///
    /// # Errors
    ///
    /// [`SignError`] if the request or the key lacks something that the scheme signs.
    pub fn sign<B: AsRef<[u8]>>(&self, request: &mut Request<B>) -> Result<Signature, SignError> {
        let mut head = copy_of(request);
        let parameters = self.parameters()?;
        self.scheme.attach(&mut head, &parameters, None)?;
        let base = self.scheme.signature_base(&Message::outgoing(&head), &parameters);
        let mut computation = Computation::begin(&[base], std::iter::once(&self.key));
        computation.update(request.body().as_ref());
        let signature = computation.sign().ok_or(SignError::new(
            "the scheme cannot sign this body: it is not UTF-8, too long, or has no place in the signature",
        ))?;
        self.scheme.attach(&mut head, &parameters, Some(&signature))?;
        *request.uri_mut() = head.uri;
        *request.headers_mut() = head.headers;
        Ok(signature)
    }

    /// The text that [`sign`](Self::sign) would sign, for people: `{SECRET}` stands in the secret's place.
    ///
    /// # Errors
    ///
    /// As for [`sign`](Self::sign).
    pub fn signature_base<B: AsRef<[u8]>>(&self, request: &Request<B>) -> Result<String, SignError> {
        let mut head = copy_of(request);
        let parameters = self.parameters()?;
        self.scheme.attach(&mut head, &parameters, None)?;
        let base = self.scheme.signature_base(&Message::outgoing(&head), &parameters);
        Ok(base.display(request.body().as_ref()))
    }

    fn parameters(&self) -> Result<Parameters<'_>, SignError> {
        let mut parameters = Parameters::new(&self.key_id);
        parameters.public_key = self.public_key.as_deref();
        parameters.organization = self.organization.as_deref().map(Into::into);
        if self.scheme.covers().time {
            parameters.time = Some(self.scheme.sign_time(self.clock.now())?);
        }
        Ok(parameters)
    }
}

/// Method, target and headers of a request, to be changed at will.
fn copy_of<B>(request: &Request<B>) -> Parts {
    let (mut head, ()) = Request::new(()).into_parts();
    head.method = request.method().clone();
    head.uri = request.uri().clone();
    head.version = request.version();
    head.headers = request.headers().clone();
    head
}
