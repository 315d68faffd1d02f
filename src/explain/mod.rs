//! Why a request was refused: by recomputing its signature under everything that clients are known to do otherwise.
//!
//! [`Case::explain`] takes a refused request and the secrets that its key has or had. It tries, one after another and
//! two together, other bodies (a newline more, JSON written by another library), other URLs, other secrets (with a line
//! end, decoded, of another key), other algorithms, other orders of the parts, and other encodings of the result. What
//! *reproduces the signature that was sent* is the cause, for certain. If nothing does, the likeliest causes are named,
//! as guesses.
//!
//! It is a function of its arguments: it asks no clock, no store and no network. Its work is counted and bounded.
//!
//! ```
//! use countersign::{clock::ManualClock, explain::Case, scheme::Corezoid, secret::Secret, sign::Signer};
//! use http::Request;
//!
//! let secret = Secret::new("Iw5N12MYleOULxdfMH43SK9ZAmjPyFKtdhToiL38xIBz6ecdZxW")?;
//! let signer = Signer::new(Corezoid::default(), "13000", &secret).with_clock(ManualClock::at(1_700_000_000));
//! // The client signs with a newline that it does not send.
//! let mut request = Request::post("https://api.corezoid.com/api/2/json").body("{}\n")?;
//! signer.sign(&mut request)?;
//! let (mut head, _) = request.into_parts();
//! head.headers.insert("host", "api.corezoid.com".parse()?);
//!
//! let scheme = Corezoid::default();
//! let explanation = Case::new(&scheme, &head, b"{}").with_secret(secret).explain();
//! assert!(explanation.is_certain());
//! assert_eq!(explanation.causes()[0].hypothesis(), "body_newline_added");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Security
//!
//! An explanation is for the operator. It holds the request's own texts, with `{SECRET}` in the secret's place, and
//! never a secret, never a signature, neither the presented nor the right one. It is still more than a stranger may
//! know: whether a key exists, and what its request looked like.

mod authorization;
mod body;
mod cause;
mod client;
mod diff;
mod guess;
mod json;
mod models;
mod read_token;
mod report;
mod search;
mod secrets;
mod shown;
mod template;
#[cfg(feature = "oauth2")]
mod token;
mod ways;

#[cfg(feature = "oauth2")]
pub use self::token::{explain_token, named_by_token};
pub use self::{
    cause::Cause,
    client::{explain_client, presented_clients},
    diff::Difference,
    read_token::{explain_read_token, presented_read_tokens},
    report::Report,
};

use self::{
    diff::window,
    models::Model,
    search::Search,
    secrets::{Known, Origin},
};
use crate::{
    credential::KeyId, message::Message, scheme::Scheme, secret::Secret, signature::SignatureBase,
    store::OpenedSecret,
};
use http::{Uri, request::Parts};
use serde::Serialize;
use std::fmt;

/// How many bytes are hashed for one explanation, at most: about a second.
const WORK: u64 = 256 << 20;

/// A request whose signature is to be explained.
#[derive(Clone)]
#[must_use]
pub struct Case<'c> {
    scheme: &'c dyn Scheme,
    head: &'c Parts,
    target: &'c Uri,
    body: &'c [u8],
    secrets: Vec<Known>,
    organization: Option<String>,
    public_urls: Vec<String>,
    work: u64,
}

/// The head holds credentials that may be valid, so it is not printed.
impl fmt::Debug for Case<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Case({}, {} secrets, ..)", self.scheme.name(), self.secrets.len())
    }
}

impl<'c> Case<'c> {
    /// A request as it arrived, body and all, and the scheme by which it was refused.
    pub fn new(scheme: &'c dyn Scheme, head: &'c Parts, body: &'c [u8]) -> Self {
        Self {
            scheme,
            head,
            target: &head.uri,
            body,
            secrets: Vec::new(),
            organization: None,
            public_urls: Vec::new(),
            work: WORK,
        }
    }

    /// The target as it stood in the request line, where a router has rewritten `head.uri` since.
    pub const fn with_target(mut self, target: &'c Uri) -> Self {
        self.target = target;
        self
    }

    /// A secret of the presented key that is in force.
    pub fn with_secret(self, secret: Secret) -> Self {
        self.with(secret, Origin::Live)
    }

    /// A secret that the presented key had once.
    pub fn with_retired_secret(self, secret: Secret) -> Self {
        self.with(secret, Origin::Retired)
    }

    /// A secret of another key that the client may have at hand.
    pub fn with_secret_of(self, key_id: &str, secret: Secret) -> Self {
        self.with(secret, Origin::OfKey(key_id.to_owned()))
    }

    /// A secret that a store has opened for the key that the request [names](Self::named_key).
    pub fn with_opened(self, named: &KeyId, opened: OpenedSecret) -> Self {
        match (opened.key_id == *named, opened.live) {
            (true, true) => self.with_secret(opened.secret),
            (true, false) => self.with_retired_secret(opened.secret),
            (false, _) => self.with_secret_of(opened.key_id.as_str(), opened.secret),
        }
    }

    /// The organization that the key belongs to.
    pub fn with_organization(mut self, organization: &str) -> Self {
        self.organization = Some(organization.to_owned());
        self
    }

    /// A URL under which clients know the server.
    pub fn with_public_url(mut self, url: &str) -> Self {
        self.public_urls.push(url.to_owned());
        self
    }

    /// Bounds the work: so many bytes are hashed at most. By default 256 MiB.
    pub const fn with_work(mut self, bytes: u64) -> Self {
        self.work = bytes;
        self
    }

    fn with(mut self, secret: Secret, origin: Origin) -> Self {
        self.secrets.push(Known { secret, origin });
        self
    }

    /// The key that the request names, also where its credentials are not well-formed otherwise.
    #[must_use]
    pub fn named_key(&self) -> Option<String> {
        let message = Message::new(self.head, self.target).ok()?;
        Model::of(self, &message)?.key_id
    }

    /// Explains.
    #[must_use]
    pub fn explain(&self) -> Explanation {
        let model = Message::new(self.head, self.target).ok().and_then(|message| Model::of(self, &message));
        let Some(model) = model else { return Explanation::default() };
        let mut search = Search::new(self, &model);
        let expected = search.documented();
        match search.run() {
            Some(found) => Explanation::certain(&model, found.causes, &expected, &found.text),
            None => Explanation {
                guesses: guess::guesses(self, &search),
                noticed: model.noticed.clone(),
                expected: Some(window(&expected.display(b""), 0)),
                ..Explanation::default()
            },
        }
    }
}

/// Why a signature does not match, or that it does.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Explanation {
    certain: bool,
    causes: Vec<Cause>,
    noticed: Vec<Cause>,
    guesses: Vec<Cause>,
    expected: Option<String>,
    got: Option<String>,
    diff: Vec<Difference>,
}

impl Explanation {
    fn certain(
        model: &Model,
        causes: Vec<Cause>,
        expected: &SignatureBase<'_>,
        got: &SignatureBase<'_>,
    ) -> Self {
        let (expected, got) = (expected.display(b""), got.display(b""));
        let diff: Vec<_> = Difference::between(&expected, &got).into_iter().collect();
        let at = diff.first().map_or(0, Difference::at);
        let causes: Vec<_> = model.noticed.iter().cloned().chain(causes).collect();
        let differ = !diff.is_empty();
        Self {
            certain: true,
            causes,
            expected: Some(window(&expected, at)),
            got: differ.then(|| window(&got, at)),
            diff,
            ..Self::default()
        }
    }

    /// Takes a cause away, where it is known to be none.
    #[cfg(all(feature = "_sql", feature = "oauth2"))]
    pub(crate) fn forget(&mut self, hypothesis: &str) {
        self.causes.retain(|cause| cause.hypothesis() != hypothesis);
        self.noticed.retain(|cause| cause.hypothesis() != hypothesis);
    }

    /// Whether what is said was proved: the [causes](Self::causes) reproduce the signature that was sent.
    #[must_use]
    pub const fn is_certain(&self) -> bool {
        self.certain
    }

    /// Whether the signature is right as it is, so that there is nothing to explain about it.
    #[must_use]
    pub const fn is_right(&self) -> bool {
        self.certain && self.causes.is_empty()
    }

    /// What the client did otherwise, proved. Several belong together.
    #[must_use]
    pub fn causes(&self) -> &[Cause] {
        &self.causes
    }

    /// What can be seen to be wrong in the request, where nothing was proved.
    #[must_use]
    pub fn noticed(&self) -> &[Cause] {
        &self.noticed
    }

    /// What may be the cause, the likeliest first, where nothing was proved: three at most.
    #[must_use]
    pub fn guesses(&self) -> &[Cause] {
        &self.guesses
    }

    /// The text that should have been signed, `{SECRET}` in the secret's place: at most 4 KiB around the difference.
    #[must_use]
    pub fn expected(&self) -> Option<&str> {
        self.expected.as_deref()
    }

    /// The text that was signed, where that is proved and another.
    #[must_use]
    pub fn got(&self) -> Option<&str> {
        self.got.as_deref()
    }

    /// Where the two texts differ.
    #[must_use]
    pub fn diff(&self) -> &[Difference] {
        &self.diff
    }
}
