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
//! # Security
//!
//! Not covered: method, path, query, other headers, time. A request can be repeated for ever, and a signature is good
//! wherever the verifier accepts it; verifiers therefore accept `POST /` without a query only, and other routes are
//! opted in ([`with_route`](SalesCloud::with_route)). The parts are joined by colons without escaping: application and
//! organization must be UUIDs and the public key letters and digits, so that no colon can be moved.
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
    message::Message,
    signature::{Algorithm, Signature, SignatureBase},
};
use http::{HeaderName, HeaderValue, Method, header::AUTHORIZATION, request::Parts};

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
        let route = Route::new(method, template)?;
        if let Routes::Only(routes) = &mut self.routes {
            routes.push(route);
        }
        Ok(self)
    }
}

/// The token behind `App `, `None` if there is no `Authorization` or it has another scheme word.
fn authorization<'m>(message: &Message<'m>) -> Result<Option<&'m str>, VerifyError> {
    let Some(value) = message.text_once(&AUTHORIZATION)? else { return Ok(None) };
    let (word, token) = value.split_once(' ').unwrap_or((value, ""));
    Ok(word.eq_ignore_ascii_case(WORD).then_some(token))
}

/// 8-4-4-4-12 hexadecimal digits (RFC 9562 §4).
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
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

    fn routes(&self) -> &Routes {
        &self.routes
    }

    fn challenge(&self) -> &'static str {
        WORD
    }

    fn read<'m>(&self, message: &Message<'m>) -> Result<Option<Presented<'m>>, VerifyError> {
        let signature = authorization(message)?;
        let application = message.text_once(&APPLICATION)?;
        let public_key = message.text_once(&PUBLIC_KEY)?;
        let organization = message.text_once(&ORGANIZATION)?;
        let (signature, application, public_key) = match (signature, application, public_key) {
            (Some(signature), Some(application), Some(public_key)) => (signature, application, public_key),
            (None, None, None) if organization.is_none() => return Ok(None),
            _ => return Err(VerifyError::malformed("SalesCloud's headers are incomplete")),
        };
        if !is_uuid(application) || !organization.is_none_or(is_uuid) {
            return Err(VerifyError::malformed("application and organization must be UUIDs"));
        }
        if !public_key.bytes().all(|b| b.is_ascii_alphanumeric()) {
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
    SignatureBase::default()
        .bytes(parameters.key_id)
        .bytes(":")
        .bytes(parameters.public_key.unwrap_or_default())
        .bytes(":")
        .text(organization)
        .bytes(":")
        .body()
}
