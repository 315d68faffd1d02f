//! [Ateliere Connect](https://help.ateliere.com/docs/api-docs/getting-started/api-authentication): HMAC-SHA-256 in
//! hexadecimal over a JSON text that holds URL, body and organization.
//!
//! # On the wire
//!
//! ```text
//! POST /graphql HTTP/1.1
//! Host: connect.ateliere.com
//! Content-Type: application/json
//! X-Organization-Slug: acme-studios
//! oz-key-id: pk_test_5e1f
//! oz-signature: 63ce95c86ca342b5ef592a8a1be6f8a2168e1ce80609c9bd5bcfb2689fea385a
//!
//! [{"query":"query Titles { titles { id } }"}]
//! ```
//!
//! `oz-client-name` and `oz-client-version` may stand beside them; they are not signed and name nobody.
//!
//! # Signature base
//!
//! ```text
//! {"url":J(url),"body":J(body),"organization_slug":J(slug)}
//! ```
//!
//! `J` is `JSON.stringify` of a string. The URL is what the client typed, without its scheme; the body is the whole
//! body as text, so that JSON is escaped a second time.
//!
//! # Example
//!
//! ```
//! use countersign::{message::Message, scheme::{Ateliere, Scheme}};
//! use http::Request;
//!
//! let ateliere = Ateliere::default();
//! let request = Request::post("/graphql")
//!     .header("host", "localhost:39443")
//!     .header("x-organization-slug", "acme-studios")
//!     .header("oz-key-id", "pk_test_5e1f")
//!     .header("oz-signature", "0ae9ec28d4c7d37e4b8a1898dff32bd1656e7b654fddde23e67fc9499a14e1dd");
//! let (head, ()) = request.body(())?.into_parts();
//! let message = Message::new(&head, &head.uri)?;
//! let presented = ateliere.read(&message)?.expect("the headers are there");
//! let base = ateliere.signature_base(&message, &presented.parameters);
//! assert_eq!(
//!     base.display(br#"[{"query":"{ me { id } }","variables":null}]"#),
//!     concat!(
//!         r#"{"url":"localhost:39443/graphql","#,
//!         r#""body":"[{\"query\":\"{ me { id } }\",\"variables\":null}]","#,
//!         r#""organization_slug":"acme-studios"}"#,
//!     ),
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Security
//!
//! Not covered: method, time, other headers. A request can be repeated for ever. Verifiers accept `POST` only; other
//! methods are opted in ([`with_method`](Ateliere::with_method)).
//!
//! # Which spelling of the URL
//!
//! A server does not see what the client typed, only `Host` and request target. Accepted is what provably names the
//! same resource, in this order; nothing else, and nothing is normalised:
//!
//! 1. `Host` and target as they arrived;
//! 2. without the slash, where the target is only `/` or `/` and a query;
//! 3. with an empty query (`?`), which many clients drop;
//! 4. with the default port of the [scheme](Ateliere::with_plain_http) spelled out, or dropped;
//! 5. with the percent-escapes undone that a WHATWG client had to add;
//! 6. each [public URL](Ateliere::with_public_url), where its own path and query are those that arrived.
//!
//! 2 to 5 hold where a WHATWG parser would have written host and target just as they arrived; for `/a/../b` or an
//! upper-case host only 1 and 6 do.
//!
//! # Where the documentation is silent
//!
//! Choices of ours: 1. the list above. 2. A body that is not UTF-8 matches nothing. 3. The organization slug is read as
//! UTF-8, or else as Latin-1 (browsers send it so); it must be the key's own. 4. Hexadecimal digits are lower case.
//! 5. `Content-Type` is not asked for, although the document calls it mandatory: real clients differ.

#[cfg(test)]
mod tests;

use super::{
    Covers, Parameters, Presented, Routes, Scheme, Tenancy,
    spelling::{self, PublicUrl, Web},
};
use crate::{
    error::{ConfigError, SignError, VerifyError, VerifyErrorKind},
    message::{Message, text},
    signature::{Algorithm, Case, Segment, Signature, SignatureBase},
};
use http::{HeaderName, HeaderValue, Method, request::Parts};
use std::borrow::Cow;

static KEY_ID: HeaderName = HeaderName::from_static("oz-key-id");
static SIGNATURE: HeaderName = HeaderName::from_static("oz-signature");
static ORGANIZATION: HeaderName = HeaderName::from_static("x-organization-slug");

/// What stands between the three values of the signed object.
const OPEN: &str = r#"{"url":""#;
const BODY: &str = r#"","body":""#;
const SLUG: &str = r#"","organization_slug":""#;
const CLOSE: &str = r#""}"#;

/// The Ateliere Connect scheme.
#[derive(Clone, Debug)]
pub struct Ateliere {
    routes: Routes,
    web: Web,
    public_urls: Vec<PublicUrl>,
}

impl Default for Ateliere {
    /// `POST` on any path, over `https`, at whatever authority a request names.
    fn default() -> Self {
        Self { routes: Routes::AnyPath(vec![Method::POST]), web: Web::Https, public_urls: Vec::new() }
    }
}

impl Ateliere {
    /// Opts in another method.
    ///
    /// # Security
    ///
    /// The signature does not cover the method: one made for `POST` is good for this one too.
    #[must_use]
    pub fn with_method(mut self, method: Method) -> Self {
        if let Routes::AnyPath(methods) = &mut self.routes {
            methods.push(method);
        }
        self
    }

    /// Clients reach the server by `http`: the default port is 80 instead of 443.
    #[must_use]
    pub const fn with_plain_http(mut self) -> Self {
        self.web = Web::Http;
        self
    }

    /// Adds a URL under which clients know the server, `https://api.example.com` or with path and query.
    ///
    /// Once there is one, the arriving authority must be that of one of them. The spelling given is a candidate too,
    /// where its path and query are those that arrived: the only way to accept, for example, an upper-case host.
    ///
    /// # Errors
    ///
    /// [`ConfigError::PublicUrl`].
    pub fn with_public_url(mut self, url: &str) -> Result<Self, ConfigError> {
        self.public_urls.push(PublicUrl::parse(url)?);
        Ok(self)
    }
}

impl Scheme for Ateliere {
    fn name(&self) -> &'static str {
        "ateliere"
    }

    fn algorithm(&self) -> Algorithm {
        Algorithm::HmacSha256
    }

    fn covers(&self) -> Covers {
        Covers { authority: true, path: true, query: true, organization: true, ..Covers::body() }
    }

    fn tenancy(&self) -> Tenancy {
        Tenancy::Named
    }

    fn routes(&self) -> &Routes {
        &self.routes
    }

    fn challenge(&self) -> &'static str {
        "Ateliere"
    }

    fn read<'m>(&self, message: &Message<'m>) -> Result<Option<Presented<'m>>, VerifyError> {
        let (key_id, signature, organization) =
            match message.headers_once([&KEY_ID, &SIGNATURE, &ORGANIZATION])? {
                [Some(key_id), Some(signature), Some(organization)] => {
                    (text(key_id)?, signature, organization)
                }
                // The organization alone may belong to another way of signing in.
                [None, None, _] => return Ok(None),
                _ => return Err(VerifyError::malformed("Ateliere's headers are incomplete")),
            };
        let signature = Signature::from_hex(Algorithm::HmacSha256, signature, Case::Lower)
            .map_err(|_| VerifyError::malformed("oz-signature is not 64 lower-case hexadecimal digits"))?;
        let organization =
            slug(organization).ok_or(VerifyError::malformed("X-Organization-Slug is empty"))?;
        let authority = message.authority().ok_or(VerifyError::with_detail(
            VerifyErrorKind::MalformedMessage,
            "the signature covers a host, and the message names none",
        ))?;
        if !self.public_urls.is_empty() && !self.public_urls.iter().any(|url| url.serves(authority)) {
            return Err(VerifyError::with_detail(
                VerifyErrorKind::BadSignature,
                "the host is not that of a public URL",
            ));
        }
        let parameters = Parameters { organization: Some(organization), ..Parameters::new(key_id) };
        Ok(Some(Presented::new(parameters, signature)))
    }

    fn signature_base<'m>(&self, message: &Message<'m>, parameters: &Parameters<'m>) -> SignatureBase<'m> {
        let authority = message.authority().unwrap_or_default();
        SignatureBase::from([
            Segment::bytes(OPEN),
            Segment::in_json(authority),
            Segment::in_json(message.target()),
            Segment::bytes(BODY),
            Segment::BodyInJson,
            Segment::bytes(SLUG),
            slug_of(parameters),
            Segment::bytes(CLOSE),
        ])
    }

    fn alternates<'m>(&self, message: &Message<'m>, parameters: &Parameters<'m>) -> Vec<SignatureBase<'m>> {
        let authority = message.authority().unwrap_or_default();
        spelling::alternates(self.web, authority, message.target(), &self.public_urls)
            .into_iter()
            .map(|url| {
                SignatureBase::from([
                    Segment::bytes(OPEN),
                    Segment::in_json(url),
                    Segment::bytes(BODY),
                    Segment::BodyInJson,
                    Segment::bytes(SLUG),
                    slug_of(parameters),
                    Segment::bytes(CLOSE),
                ])
            })
            .collect()
    }

    fn attach(
        &self,
        head: &mut Parts,
        parameters: &Parameters<'_>,
        signature: Option<&Signature>,
    ) -> Result<(), SignError> {
        let value = |text: &str| {
            HeaderValue::from_bytes(text.as_bytes())
                .map_err(|error| SignError::with_source("a name cannot stand in a header", error))
        };
        let Some(signature) = signature else {
            let organization = parameters
                .organization
                .as_deref()
                .ok_or(SignError::new("the credential has no organization"))?;
            head.headers.insert(&KEY_ID, value(parameters.key_id)?);
            head.headers.insert(&ORGANIZATION, value(organization)?);
            return Ok(());
        };
        let mut text = value(&signature.to_hex())?;
        text.set_sensitive(true);
        head.headers.insert(&SIGNATURE, text);
        Ok(())
    }
}

fn slug_of<'m>(parameters: &Parameters<'m>) -> Segment<'m> {
    Segment::InJson(parameters.organization.clone().unwrap_or_default())
}

/// The slug as text: UTF-8, or else Latin-1, which is what browsers make of it. The signature decides.
fn slug(value: &HeaderValue) -> Option<Cow<'_, str>> {
    let bytes = value.as_bytes();
    match std::str::from_utf8(bytes) {
        Ok("") => None,
        Ok(text) => Some(text.into()),
        Err(_) => Some(bytes.iter().copied().map(char::from).collect::<String>().into()),
    }
}
