//! [SalesCloud's webhooks](https://docs.salescloud.is/webhooks): HMAC-SHA-256 in hexadecimal over date, access key,
//! method, URL and body. The same scheme signs what SalesCloud sends and what is sent to its webhook API.
//!
//! # On the wire
//!
//! ```text
//! POST /hook HTTP/1.1
//! Host: example.com
//! X-SalesCloud-Date: 2018-09-10 15:00:22
//! X-SalesCloud-Access-Key: 90f298d6c03d011e927e884462f9575305f738b1f876f55b
//! X-SalesCloud-Signature: 69a2199f1c97c7cf997a09c1d040d518a7e057e77d8dc274206bf4050bc4fe7b
//!
//! {"type":"subscription_updated","product_id":"479"}
//! ```
//!
//! The access key is the key id. The date is in UTC, and the signature has lower-case digits.
//!
//! # Signature base
//!
//! ```text
//! date + access_key + method + url + body
//! ```
//!
//! Nothing stands between them. The URL is the whole one, `https://example.com/hook`, as the sender was given it.
//!
//! # Example
//!
//! ```
//! use countersign::{clock::ManualClock, scheme::SalesCloudWebhook, secret::Secret, sign::Signer};
//! use http::Request;
//!
//! let access_key = "90f298d6c03d011e927e884462f9575305f738b1f876f55b";
//! let secret = Secret::new("test-secret-32-bytes-aaaaaaaaaaa")?;
//! let signer = Signer::new(SalesCloudWebhook::default(), access_key, &secret)
//!     .with_clock(ManualClock::at(1_536_591_622));
//! let body = r#"{"type":"subscription_updated","product_id":"479"}"#;
//! let mut request = Request::post("https://example.com/hook").body(body)?;
//! assert_eq!(
//!     signer.signature_base(&request)?,
//!     format!("2018-09-10 15:00:22{access_key}POSThttps://example.com/hook{body}"),
//! );
//! signer.sign(&mut request)?;
//! assert_eq!(
//!     request.headers()["x-salescloud-signature"],
//!     "69a2199f1c97c7cf997a09c1d040d518a7e057e77d8dc274206bf4050bc4fe7b",
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Security
//!
//! Not covered: organization, other headers. A request can be repeated while its date is within the tolerance.
//!
//! URL and body are joined without anything between them. A request whose body begins like the rest of a URL can be
//! sent once more with that beginning moved into the path, and one whose URL is long can lose its end to the body. A
//! JSON object or array stays whole: no URL with its first character in it is accepted. Against the rest, name each
//! [public URL](SalesCloudWebhook::with_public_url) with its path, and parse the body as JSON.
//!
//! # Which spelling of the URL
//!
//! A server does not see the URL that the sender was given, only `Host` and request target, and behind a proxy not even
//! whether it was `https`. Accepted is what [`Ateliere`](super::Ateliere) accepts, in the same order, behind
//! `https://`: what arrived; without the slash of an empty path; with an empty query; with the default port spelled
//! out, or dropped; with the percent-escapes undone that a client had to add, where no character comes out that no URL
//! has; each public URL of the authority that arrived. Where a public URL begins with `http://`, that counts for its
//! authority.
//!
//! # Where the documentation is silent
//!
//! Choices of ours: 1. the list above, with the query, if there is one, as part of the URL. 2. The tolerance is ±300 s
//! by default; the one public receiver takes `Tolerance::between` 100 s and 2 s. 3. The date has exactly the documented
//! form: no `T`, no zone, no leap second. 4. An empty body is signed as the empty text. 5. The method is signed as it
//! travels. 6. The browser's redirect, whose parameters stand in the query and whose "body" is a user's id, is not
//! read: the request does not hold what was signed. 7. A call that leaves its body out of the signature, as one real
//! client sends it, is refused.

#[cfg(test)]
mod tests;

use super::{
    Covers, Parameters, Presented, Routes, Scheme, SignedTime, Tenancy, date,
    spelling::{self, PublicUrl, Web},
};
use crate::{
    error::{ConfigError, SignError, VerifyError, VerifyErrorKind},
    message::{Message, text},
    signature::{Algorithm, Case, Segment, Signature, SignatureBase},
};
use http::{HeaderName, HeaderValue, Method, request::Parts};
use std::time::SystemTime;

static DATE: HeaderName = HeaderName::from_static("x-salescloud-date");
static ACCESS_KEY: HeaderName = HeaderName::from_static("x-salescloud-access-key");
static SIGNATURE: HeaderName = HeaderName::from_static("x-salescloud-signature");

/// The scheme of SalesCloud's webhooks.
#[derive(Clone, Debug)]
pub struct SalesCloudWebhook {
    routes: Routes,
    web: Web,
    public_urls: Vec<PublicUrl>,
}

impl Default for SalesCloudWebhook {
    /// `POST` on any path, by `https`, at whatever authority a request names.
    fn default() -> Self {
        Self { routes: Routes::AnyPath(vec![Method::POST]), web: Web::Https, public_urls: Vec::new() }
    }
}

impl SalesCloudWebhook {
    /// Opts in another method.
    #[must_use]
    pub fn with_method(mut self, method: Method) -> Self {
        if let Routes::AnyPath(methods) = &mut self.routes {
            methods.push(method);
        }
        self
    }

    /// Signed URLs begin with `http://`, where no [public URL](Self::with_public_url) says otherwise.
    #[must_use]
    pub const fn with_plain_http(mut self) -> Self {
        self.web = Web::Http;
        self
    }

    /// Adds a URL that the sender was given, `https://example.com/hook`, or its beginning, `https://example.com`.
    ///
    /// Once there is one, only what arrived for one of them is accepted: a URL with a path or a query stands for that
    /// resource, one without for any at its authority. Whether the signed URL begins with `http://` or `https://` is
    /// taken from here.
    ///
    /// # Errors
    ///
    /// [`ConfigError::PublicUrl`].
    pub fn with_public_url(mut self, url: &str) -> Result<Self, ConfigError> {
        self.public_urls.push(PublicUrl::parse(url)?);
        Ok(self)
    }

    /// The public URLs at this authority that begin like this.
    fn urls(&self, web: Web, authority: &str) -> impl Iterator<Item = &PublicUrl> {
        self.public_urls.iter().filter(move |url| url.web() == web && url.serves(authority))
    }

    /// How the signed URL most likely begins.
    fn web(&self, message: &Message<'_>) -> Web {
        let authority = message.authority().unwrap_or_default();
        let configured = || self.public_urls.iter().find(|url| url.serves(authority)).map(PublicUrl::web);
        message.outgoing_scheme().and_then(Web::of).or_else(configured).unwrap_or(self.web)
    }
}

/// Whether a JSON object, array or text behind this target cannot be taken for more of it: the target has only
/// characters that a URL may have (RFC 3986 §3.3, §3.4), or such as are not ASCII.
fn ends_before_json(target: &str) -> bool {
    let mark = |b: u8| b"-._~!$&'()*+,;=:@/?%".contains(&b);
    target.bytes().all(|b| b.is_ascii_alphanumeric() || mark(b) || !b.is_ascii())
}

impl Scheme for SalesCloudWebhook {
    fn name(&self) -> &'static str {
        "salescloud-webhook"
    }

    fn algorithm(&self) -> Algorithm {
        Algorithm::HmacSha256
    }

    fn covers(&self) -> Covers {
        Covers { method: true, authority: true, path: true, query: true, time: true, ..Covers::body() }
    }

    fn tenancy(&self) -> Tenancy {
        Tenancy::Own
    }

    fn routes(&self) -> &Routes {
        &self.routes
    }

    fn challenge(&self) -> &'static str {
        "SalesCloud-Webhook"
    }

    fn read<'m>(&self, message: &Message<'m>) -> Result<Option<Presented<'m>>, VerifyError> {
        let (date, access_key, signature) = match message.headers_once([&DATE, &ACCESS_KEY, &SIGNATURE])? {
            [Some(date), Some(access_key), Some(signature)] => (text(date)?, text(access_key)?, signature),
            [None, None, None] => return Ok(None),
            _ => return Err(VerifyError::malformed("the headers of SalesCloud's webhooks are incomplete")),
        };
        let at = date::parse(date).ok_or(VerifyError::malformed("the date is not YYYY-MM-DD HH:MM:SS"))?;
        let signature = Signature::from_hex(Algorithm::HmacSha256, signature, Case::Lower)
            .map_err(|_| VerifyError::malformed("the signature is not 64 lower-case hexadecimal digits"))?;
        let authority = message.authority().ok_or(VerifyError::with_detail(
            VerifyErrorKind::MalformedMessage,
            "the signature covers a host, and the message names none",
        ))?;
        let here = |url: &PublicUrl| url.serves(authority) && url.stands_for(message.target());
        if !self.public_urls.is_empty() && !self.public_urls.iter().any(here) {
            return Err(VerifyError::with_detail(
                VerifyErrorKind::BadSignature,
                "the request did not come to a public URL",
            ));
        }
        if !ends_before_json(message.target()) {
            return Err(VerifyError::malformed("the target has a character that a URL cannot have"));
        }
        let parameters = Parameters { time: Some(SignedTime::new(date, at)), ..Parameters::new(access_key) };
        Ok(Some(Presented::new(parameters, signature)))
    }

    fn signature_base<'m>(&self, message: &Message<'m>, parameters: &Parameters<'m>) -> SignatureBase<'m> {
        let time = parameters.time.as_ref().map(|time| time.text.clone()).unwrap_or_default();
        SignatureBase::from([
            Segment::text(time),
            Segment::bytes(parameters.key_id),
            Segment::bytes(message.method().as_str()),
            Segment::bytes(self.web(message).prefix()),
            Segment::bytes(message.authority().unwrap_or_default()),
            Segment::bytes(message.target()),
            Segment::Body,
        ])
    }

    fn alternates<'m>(&self, message: &Message<'m>, parameters: &Parameters<'m>) -> Vec<SignatureBase<'m>> {
        let (authority, target) = (message.authority().unwrap_or_default(), message.target());
        let first = self.web(message);
        let mut urls = Vec::new();
        for web in [first, if first == Web::Https { Web::Http } else { Web::Https }] {
            if web != first {
                if self.urls(web, authority).next().is_none() {
                    continue;
                }
                urls.push(format!("{}{authority}{target}", web.prefix()));
            }
            let spellings = spelling::alternates(web, authority, target, self.urls(web, authority));
            urls.extend(spellings.iter().map(|spelling| format!("{}{spelling}", web.prefix())));
        }
        let time = parameters.time.as_ref().map(|time| time.text.clone()).unwrap_or_default();
        let base = |url: String| {
            SignatureBase::from([
                Segment::text(time.clone()),
                Segment::bytes(parameters.key_id),
                Segment::bytes(message.method().as_str()),
                Segment::text(url.into()),
                Segment::Body,
            ])
        };
        let whole = |url: &String| url.splitn(4, '/').nth(3).is_none_or(ends_before_json);
        urls.into_iter().filter(whole).map(base).collect()
    }

    fn sign_time(&self, at: SystemTime) -> Result<SignedTime<'static>, SignError> {
        let date = date::format(at).ok_or(SignError::new("the clock stands before 1970 or after 9999"))?;
        Ok(SignedTime::new(date, at))
    }

    fn attach(
        &self,
        head: &mut Parts,
        parameters: &Parameters<'_>,
        signature: Option<&Signature>,
    ) -> Result<(), SignError> {
        let value = |text: &str| {
            HeaderValue::try_from(text)
                .map_err(|error| SignError::with_source("a name cannot stand in a header", error))
        };
        let Some(signature) = signature else {
            let time = parameters.time.as_ref().ok_or(SignError::new("no time was chosen"))?;
            let message = Message::outgoing(head);
            if message.authority().is_none() {
                return Err(SignError::new("the signature covers a host, and the request names none"));
            }
            if !ends_before_json(message.target()) {
                return Err(SignError::new("the URL has a character that must be percent-encoded"));
            }
            head.headers.insert(&DATE, value(&time.text)?);
            head.headers.insert(&ACCESS_KEY, value(parameters.key_id)?);
            return Ok(());
        };
        let mut text = value(&signature.to_hex())?;
        text.set_sensitive(true);
        head.headers.insert(&SIGNATURE, text);
        Ok(())
    }
}
