//! [SalesCloud](https://docs.salescloud.is/salescloud-apps/authentication): HMAC-SHA-256 in base64 behind the word
//! `App`.
//!
//! # On the wire
//!
//! ```text
//! POST / HTTP/1.1
//! Host: graph.salescloud.is
//! SalesCloud-Application: edadd893-9472-4324-a4db-b1707c563184
//! SalesCloud-Application-Public-Key: 849015eb…
//! SalesCloud-Organization: 7b371391-1561-4cac-8f86-9b7bcba83db2
//! Authorization: App WPN0MXAsAxMxSJVPsUYnyAo6fuLdMRGv2A3975U4wbs=
//!
//! { "query": { systemTimeInMillis } }
//! ```
//!
//! The application's UUID is the key id; the public key must be the one stored beside it. The secret is used as the
//! text that the vendor shows, not decoded.
//!
//! # Signature base
//!
//! ```text
//! application ":" public_key ":" organization ":" body
//! ```
//!
//! # Example
//!
//! The sample of the vendor's documentation, whose public key and secret have 512 digits each:
//!
//! ```
//! use countersign::{scheme::SalesCloud, secret::Secret, sign::Signer};
//! use http::Request;
//!
//! # let public_key = concat!(
//! #     "849015eb35e25eee9b36b36481b55ec3a4efc4c6351873f98d33601448b80139e4ca2ca2adc314df182edc1848dcef713b448f9",
//! #     "82bcf8d8382813a5547e0a87b21e7119ef83349e176ac49a0a35be0197a1bb41e8660a33eaeeae3ffc6e61174b4462b833e18a1",
//! #     "586a7a847deb1f2605a38cce7e1e29cce4295fbd2bfa37108abdc00399c2b4b8a7e4cbe5073530a6737550f5c497c1d09d0c4ed",
//! #     "86b3fefbe2eb97381dcc645611ae47b2bdc8c481f1d99dd36b2cb0e56d24cf292f5ddaead29000fb806b7577272f6f1440b69cd",
//! #     "4808094c1e042fa1753e8e563d1f8d1da46b6eb7346c179322f57a06134adf3bc508b815c3e6fc42b2bb82bf27836aa23432",
//! # );
//! # let secret = concat!(
//! #     "dd14918184be8aacfcb44b939804f0d3efb09e35d7945f8bf91c71984f41db0646c69412d1795ae7da766d04153344b04d4dcb8",
//! #     "eb28171c7d21b43ff5afd4aa6b8ee1d22d9c5bef82d82c540aebdc67f10f46275c2fc924a764f1849b4b2fd0640a9afc00174ef",
//! #     "ca544d56c6ca02c048af802ba2f1992943f83f04cd0f177b8b867291700b236cab7e17defb92b51554d0d04368e637f02d3ccd2",
//! #     "ebafb6ccc65b4809a3f6d38c8332f94a4008d01238e2818da89d5c978be85473f6f874bd3499b3fc1e2d4e992f81822ccb2ae4b",
//! #     "50aa20f196ce4b5780df38badb749c6c6b85c2baeb2d7afeaaa13dfbe72d4bd86cc437bc8043beaf8d60bcdad8d26fafe7c0",
//! # );
//! let secret = Secret::new(secret)?;
//! let signer = Signer::new(SalesCloud::default(), "edadd893-9472-4324-a4db-b1707c563184", &secret)
//!     .with_public_key(public_key)
//!     .with_organization("7b371391-1561-4cac-8f86-9b7bcba83db2");
//! let body = "{ \"query\": { systemTimeInMillis } }";
//! let mut request = Request::post("https://graph.salescloud.is/").body(body)?;
//! assert_eq!(
//!     signer.signature_base(&request)?,
//!     format!("edadd893-9472-4324-a4db-b1707c563184:{public_key}:7b371391-1561-4cac-8f86-9b7bcba83db2:{body}"),
//! );
//! signer.sign(&mut request)?;
//! assert_eq!(request.headers()["authorization"], "App WPN0MXAsAxMxSJVPsUYnyAo6fuLdMRGv2A3975U4wbs=");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Security
//!
//! Not covered: method, authority, path, query, time, other headers. A request can be repeated for ever, and a
//! signature is good wherever the verifier accepts it; verifiers therefore accept `POST /` without a query only, and
//! other routes are opted in ([`with_route`](SalesCloud::with_route)). The parts are joined by colons without escaping:
//! application and organization must be UUIDs and the public key letters and digits, so that no colon can be moved.
//!
//! # Where the documentation is silent
//!
//! Choices of ours: 1. A request without `SalesCloud-Organization` (the documented `appOrganizations` query) has signed
//! `app:public_key::body`, or `app:public_key:undefined:body`, which is what the vendor's JavaScript gives;
//! `app:public_key:body` is never accepted. 2. An empty organization header is malformed. 3. The body is verified
//! before anything parses it (the documented sample body is not JSON), and no content type is asked for (the documented
//! `curl` line sends a form type). 4. The target `/?` counts as having no query. 5. The scheme word is accepted in any
//! case, as RFC 9110 §11.1 says, with exactly one space after it.

use super::{Covers, Parameters, Presented, Route, Routes, Scheme, Tenancy};
use crate::{
    error::{ConfigError, SignError, VerifyError},
    message::{Message, text},
    signature::{Algorithm, Segment, Signature, SignatureBase},
};
use http::{HeaderName, HeaderValue, Method, header::AUTHORIZATION, request::Parts};
use std::time::Duration;

static APPLICATION: HeaderName = HeaderName::from_static("salescloud-application");
static PUBLIC_KEY: HeaderName = HeaderName::from_static("salescloud-application-public-key");
static ORGANIZATION: HeaderName = HeaderName::from_static("salescloud-organization");
const WORD: &str = "App";

/// The SalesCloud app scheme.
#[derive(Clone, Debug)]
pub struct SalesCloud {
    routes: Routes,
}

impl Default for SalesCloud {
    /// `POST /` only.
    #[expect(clippy::expect_used, reason = "the template is constant, and a test makes it")]
    fn default() -> Self {
        let root = Route::new(Method::POST, "/").expect("a constant template is right");
        Self { routes: Routes::Only(vec![root]) }
    }
}

impl SalesCloud {
    /// Opts in another route, for example `POST /{organization}/graphql`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::RouteTemplate`].
    ///
    /// # Security
    ///
    /// A signature made for one route is good on every other of the same verifier, for ever.
    pub fn with_route(mut self, method: Method, template: &str) -> Result<Self, ConfigError> {
        self.routes.push(Route::new(method, template)?);
        Ok(self)
    }
}

/// The token behind `App `, `None` if the value has another scheme word. The value need not become text for it.
fn token(value: &HeaderValue) -> Result<Option<&[u8]>, VerifyError> {
    let value = value.as_bytes();
    if value.is_empty() || !value.is_ascii() {
        return Err(VerifyError::malformed("the authorization is empty or not ASCII"));
    }
    let Some((word, token)) = value.split_at_checked(WORD.len()) else { return Ok(None) };
    let ours = word.eq_ignore_ascii_case(WORD.as_bytes());
    Ok(match token {
        [] if ours => Some(token),
        [b' ', token @ ..] if ours => Some(token),
        _ => None,
    })
}

/// 8-4-4-4-12 hexadecimal digits (RFC 9562 §4).
fn uuid(value: &HeaderValue) -> Result<&str, VerifyError> {
    const DASHES: [usize; 4] = [8, 13, 18, 23];
    let text = value.to_str().ok().filter(|text| {
        let Ok(mut digits) = <[u8; 36]>::try_from(text.as_bytes()) else { return false };
        let dashes = DASHES.iter().all(|&place| std::mem::replace(&mut digits[place], b'0') == b'-');
        dashes & digits.iter().fold(true, |all, byte| all & byte.is_ascii_hexdigit())
    });
    text.ok_or(VerifyError::malformed("application and organization must be UUIDs"))
}

impl Scheme for SalesCloud {
    fn name(&self) -> &'static str {
        "salescloud"
    }

    fn algorithm(&self) -> Algorithm {
        Algorithm::HmacSha256
    }

    fn covers(&self) -> Covers {
        Covers { organization: true, ..Covers::body() }
    }

    fn tenancy(&self) -> Tenancy {
        Tenancy::Installed
    }

    /// The provider's console says that a new secret is effective immediately.
    fn overlap(&self) -> Duration {
        Duration::ZERO
    }

    fn routes(&self) -> &Routes {
        &self.routes
    }

    fn challenge(&self) -> &'static str {
        WORD
    }

    fn read<'m>(&self, message: &Message<'m>) -> Result<Option<Presented<'m>>, VerifyError> {
        let [signature, application, public_key, organization] =
            message.headers_once([&AUTHORIZATION, &APPLICATION, &PUBLIC_KEY, &ORGANIZATION])?;
        let signature = signature.map(token).transpose()?.flatten();
        let (signature, application, public_key) = match (signature, application, public_key) {
            (Some(signature), Some(application), Some(public_key)) => (signature, application, public_key),
            (None, None, None) if organization.is_none() => return Ok(None),
            _ => return Err(VerifyError::malformed("SalesCloud's headers are incomplete")),
        };
        let application = uuid(application)?;
        let organization = organization.map(uuid).transpose()?;
        let public_key = text(public_key)?;
        if !public_key.bytes().fold(true, |all, byte| all & byte.is_ascii_alphanumeric()) {
            return Err(VerifyError::malformed("the public key must be letters and digits"));
        }
        let signature = Signature::from_base64(Algorithm::HmacSha256, signature)
            .map_err(|_| VerifyError::malformed("the signature is not 32 bytes of base64"))?;
        let parameters = Parameters {
            public_key: Some(public_key),
            organization: organization.map(Into::into),
            ..Parameters::new(application)
        };
        Ok(Some(Presented::new(parameters, signature)))
    }

    fn signature_base<'m>(&self, _: &Message<'m>, parameters: &Parameters<'m>) -> SignatureBase<'m> {
        base(parameters, parameters.organization.clone().unwrap_or_default())
    }

    fn alternates<'m>(&self, _: &Message<'m>, parameters: &Parameters<'m>) -> Vec<SignatureBase<'m>> {
        match parameters.organization {
            Some(_) => Vec::new(),
            // What the vendor's JavaScript joins when it is called without an organization.
            None => vec![base(parameters, "undefined".into())],
        }
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
            let public_key =
                parameters.public_key.ok_or(SignError::new("the credential has no public key"))?;
            head.headers.insert(&APPLICATION, value(parameters.key_id)?);
            head.headers.insert(&PUBLIC_KEY, value(public_key)?);
            if let Some(organization) = &parameters.organization {
                head.headers.insert(&ORGANIZATION, value(organization)?);
            }
            return Ok(());
        };
        let mut token = value(&format!("{WORD} {}", signature.to_base64()))?;
        token.set_sensitive(true);
        head.headers.insert(AUTHORIZATION, token);
        Ok(())
    }
}

fn base<'m>(parameters: &Parameters<'m>, organization: std::borrow::Cow<'m, str>) -> SignatureBase<'m> {
    SignatureBase::from([
        Segment::bytes(parameters.key_id),
        Segment::bytes(":"),
        Segment::bytes(parameters.public_key.unwrap_or_default()),
        Segment::bytes(":"),
        Segment::text(organization),
        Segment::bytes(":"),
        Segment::Body,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheme::testing::{MALFORMED, Seen, head, read, with};

    const APP: &str = "edadd893-9472-4324-a4db-b1707c563184";
    const BASE64: &str = "WPN0MXAsAxMxSJVPsUYnyAo6fuLdMRGv2A3975U4wbs=";
    const HEADERS: [(&str, &str); 4] = [
        ("salescloud-application", APP),
        ("salescloud-application-public-key", "849015eb"),
        ("salescloud-organization", "7b371391-1561-4cac-8f86-9b7bcba83db2"),
        ("authorization", "App WPN0MXAsAxMxSJVPsUYnyAo6fuLdMRGv2A3975U4wbs="),
    ];

    #[test]
    fn the_scheme_word_has_any_case_and_the_signature_one_spelling() {
        let hex = "5a".repeat(32);
        let table: &[(&str, Seen)] = &[
            (&format!("App {BASE64}"), Seen::Presented),
            (&format!("app {BASE64}"), Seen::Presented),
            (&format!("APP {BASE64}"), Seen::Presented),
            (&format!("App  {BASE64}"), MALFORMED),
            (&format!("App\t{BASE64}"), MALFORMED),
            (&format!("App{BASE64}"), MALFORMED),
            (&format!("App {BASE64} "), MALFORMED),
            (&format!("App {BASE64}="), MALFORMED),
            (&format!("App {BASE64},"), MALFORMED),
            (&format!("App {BASE64}, App {BASE64}"), MALFORMED),
            (&format!("App {}", BASE64.trim_end_matches('=')), MALFORMED),
            (&format!("App {}", BASE64.replace("bs=", "bt=")), MALFORMED),
            (&format!("App {}", BASE64.replace('A', "-")), MALFORMED),
            (&format!("App {}", &BASE64[4..]), MALFORMED),
            (&format!("App {hex}"), MALFORMED),
            ("App", MALFORMED),
            ("App ", MALFORMED),
            ("", MALFORMED),
            ("App é", MALFORMED),
            ("Bearer eyJ", MALFORMED),
            ("ReadAccessToken t", MALFORMED),
        ];
        for (value, expected) in table {
            let head = head("POST", "/", &with(&HEADERS, "authorization", &[value]));
            assert_eq!(read(&SalesCloud::default(), &head).0, *expected, "{value:?}");
        }
    }

    #[test]
    fn a_header_is_there_once_and_well_formed_or_the_request_is_malformed() {
        let upper = APP.to_uppercase();
        let table: &[(&str, &[&str], Seen)] = &[
            ("authorization", &[], MALFORMED),
            ("authorization", &[HEADERS[3].1, HEADERS[3].1], MALFORMED),
            ("authorization", &[HEADERS[3].1, "Bearer eyJ"], MALFORMED),
            ("salescloud-application", &[], MALFORMED),
            ("salescloud-application", &[""], MALFORMED),
            ("salescloud-application", &[APP, APP], MALFORMED),
            ("salescloud-application", &[APP, "7b371391-1561-4cac-8f86-9b7bcba83db2"], MALFORMED),
            ("salescloud-application", &[&upper], Seen::Presented),
            ("salescloud-application", &["edadd89394724324a4dbb1707c563184"], MALFORMED),
            ("salescloud-application", &["edadd893:9472-4324-a4db-b1707c563184"], MALFORMED),
            ("salescloud-application", &["{dadd893-9472-4324-a4db-b1707c56318}"], MALFORMED),
            ("salescloud-application", &["edadd893-9472-4324-a4db-b1707c56318"], MALFORMED),
            ("salescloud-application", &["edadd893-9472-4324-a4db-b1707c5631841"], MALFORMED),
            ("salescloud-application", &["edadd893-9472-4324-a4db-b1707c56318é"], MALFORMED),
            ("salescloud-application-public-key", &[], MALFORMED),
            ("salescloud-application-public-key", &[""], MALFORMED),
            ("salescloud-application-public-key", &["849015eb", "849015eb"], MALFORMED),
            ("salescloud-application-public-key", &["8490:15eb"], MALFORMED),
            ("salescloud-application-public-key", &["8490 15eb"], MALFORMED),
            ("salescloud-application-public-key", &["8490é5eb"], MALFORMED),
            ("salescloud-organization", &[], Seen::Presented),
            ("salescloud-organization", &[""], MALFORMED),
            ("salescloud-organization", &["undefined"], MALFORMED),
            ("salescloud-organization", &["7b371391-1561-4cac-8f86-9b7bcba83db2:"], MALFORMED),
            ("salescloud-organization", &[APP, APP], MALFORMED),
        ];
        for (name, values, expected) in table {
            let head = head("POST", "/", &with(&HEADERS, name, values));
            assert_eq!(read(&SalesCloud::default(), &head).0, *expected, "{name}: {values:?}");
        }
    }

    #[test]
    fn any_mark_alone_is_malformed_and_another_scheme_s_is_none() {
        for header in HEADERS {
            assert_eq!(
                read(&SalesCloud::default(), &head("POST", "/", &[header])).0,
                MALFORMED,
                "{header:?}"
            );
        }
        for header in [
            ("authorization", "Bearer eyJ"),
            ("authorization", "Apps x"),
            ("proxy-authorization", HEADERS[3].1),
        ] {
            let seen = read(&SalesCloud::default(), &head("POST", "/", &[header])).0;
            assert_eq!(seen, Seen::Nothing, "{header:?}");
        }
    }

    #[test]
    fn only_post_to_the_root_is_open() {
        let wide = SalesCloud::default().with_route(Method::POST, "/{organization}/graphql").unwrap();
        for (method, target, by_default, opted_in) in [
            ("POST", "/", Seen::Presented, Seen::Presented),
            ("POST", "/?", Seen::Presented, Seen::Presented),
            ("POST", "/?a=1", Seen::Closed, Seen::Closed),
            ("POST", "//", Seen::Closed, Seen::Closed),
            ("POST", "/%2F", Seen::Closed, Seen::Closed),
            ("POST", "/acme/graphql", Seen::Closed, Seen::Presented),
            ("POST", "/acme/graphql/", Seen::Closed, Seen::Closed),
            ("POST", "/graphql", Seen::Closed, Seen::Closed),
            ("GET", "/", Seen::Closed, Seen::Closed),
            ("HEAD", "/", Seen::Closed, Seen::Closed),
            ("GET", "/acme/graphql", Seen::Closed, Seen::Closed),
        ] {
            let head = head(method, target, &HEADERS);
            assert_eq!(read(&SalesCloud::default(), &head).0, by_default, "{method} {target}");
            assert_eq!(read(&wide, &head).0, opted_in, "{method} {target}");
        }
    }

    #[test]
    fn without_an_organization_the_vendor_s_word_for_none_is_tried() {
        let bases = |headers: &[(&str, &str)]| {
            let head = head("POST", "/", headers);
            let message = Message::outgoing(&head);
            let presented = read(&SalesCloud::default(), &head).1.unwrap();
            let first = SalesCloud::default().signature_base(&message, &presented.parameters);
            let others = SalesCloud::default().alternates(&message, &presented.parameters);
            std::iter::once(first).chain(others).map(|base| base.display(b"{}")).collect::<Vec<_>>()
        };
        assert_eq!(bases(&HEADERS), [format!("{APP}:849015eb:{}:{{}}", HEADERS[2].1)]);
        let none = with(&HEADERS, "salescloud-organization", &[]);
        assert_eq!(bases(&none), [format!("{APP}:849015eb::{{}}"), format!("{APP}:849015eb:undefined:{{}}")]);
    }
}
