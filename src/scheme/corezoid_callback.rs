//! [Corezoid's calls to others](https://doc.corezoid.com/docs/corezoid-format): keyed SHA-1 in the query, as a process
//! signs them whose node says "add system parameters" and "sign the request with the secret key".
//!
//! # On the wire
//!
//! ```text
//! POST /hooks?conv_signature=d026cad536ecf46e3d2a258fbbd4f4f06f9a459d&conv_time=1700000000&conv_id=1023 HTTP/1.1
//! Host: example.com
//! Content-Type: application/json
//!
//! {"sys":{"obj_id":"1"},"ops":[]}
//! ```
//!
//! `conv_signature` is the signature in lower-case hexadecimal digits, `conv_time` the Unix time in seconds, `conv_id`
//! the process that calls, which older installations leave out.
//!
//! # Signature base
//!
//! ```text
//! conv_time + {SECRET} + body + {SECRET}
//! ```
//!
//! # Which key
//!
//! The secret belongs to the node that calls, and nothing in the request names the node. The key id is `conv_id` or,
//! where there is none, the path of the URL as it arrived, `/hooks/orders`. Give each node a URL of its own where nodes
//! of one process have different secrets, and leave `conv_id` out; or give them one secret.
//!
//! # Example
//!
//! ```
//! use countersign::{clock::ManualClock, scheme::CorezoidCallback, secret::Secret, sign::Signer};
//! use http::Request;
//!
//! let secret = Secret::new("Iw5N12MYleOULxdfMH43SK9ZAmjPyFKtdhToiL38xIBz6ecdZxW")?;
//! let signer = Signer::new(CorezoidCallback::default(), "1023", &secret)
//!     .with_clock(ManualClock::at(1_700_000_000));
//! let mut request = Request::post("https://example.com/hooks/orders").body("{}")?;
//! signer.sign(&mut request)?;
//! assert_eq!(
//!     request.uri().query(),
//!     Some("conv_signature=c28013c2a2ffe0bd17a7ec3ab7b2f8aa8b5ccf04&conv_time=1700000000&conv_id=1023"),
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Security
//!
//! Not covered: method, authority, path, query, organization, headers. Verifiers therefore accept `POST /` only, with
//! these three parameters and no others; the URLs that processes really call are opted in
//! ([`with_route`](CorezoidCallback::with_route)). `conv_id` only chooses the key. A request can be repeated while its
//! time is within the tolerance. What is said of SHA-1 and of the construction at [`Corezoid`](super::Corezoid) holds
//! here too. The signature stands in the query: keep it out of access logs.
//!
//! # Where the documentation is silent
//!
//! Choices of ours: 1. the key id, as told above. 2. The tolerance is ±300 s by default; the vendor's own verifiers do
//! not look at the time. 3. The time has 1 to 19 digits. 4. The digits of the signature are lower case, as the vendor's
//! verifiers demand. 5. A target URL with a query of its own is refused, because nobody signs that query.

use super::{
    Covers, Parameters, Presented, Route, Routes, Scheme, Tenancy,
    corezoid::{base, set_target, time},
};
use crate::{
    error::{ConfigError, SignError, VerifyError},
    message::Message,
    signature::{Algorithm, Case, Segment, Signature, SignatureBase},
};
use http::{Method, request::Parts};

const SIGNATURE: &str = "conv_signature";
const TIME: &str = "conv_time";
const ID: &str = "conv_id";

/// The scheme of Corezoid's calls to others.
#[derive(Clone, Debug)]
pub struct CorezoidCallback {
    routes: Routes,
}

impl Default for CorezoidCallback {
    /// `POST /` only.
    #[expect(clippy::expect_used, reason = "the template is constant, and a test makes it")]
    fn default() -> Self {
        let root = Route::new(Method::POST, "/").expect("a constant template is right");
        Self { routes: Routes::WithQuery(vec![root], &[SIGNATURE, TIME, ID]) }
    }
}

impl CorezoidCallback {
    /// Opts in another route, for example `POST /hooks/orders`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::RouteTemplate`].
    ///
    /// # Security
    ///
    /// A call made to one route is good on every other of the same verifier, if both have the same key.
    pub fn with_route(mut self, method: Method, template: &str) -> Result<Self, ConfigError> {
        self.routes.push(Route::new(method, template)?);
        Ok(self)
    }
}

/// The only value of a parameter, `None` if it is absent.
fn once<'m>(query: &'m str, name: &str) -> Result<Option<&'m str>, VerifyError> {
    let mut values = query.split('&').filter_map(|pair| match pair.split_once('=') {
        Some((given, value)) => (given == name).then_some(value),
        None => (pair == name).then_some(""),
    });
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(VerifyError::malformed("a parameter of the credentials stands more than once")),
    }
}

/// Whether a text can stand in a query as it is (RFC 3986 §2.3), so that it has one spelling.
fn is_plain(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
}

impl Scheme for CorezoidCallback {
    fn name(&self) -> &'static str {
        "corezoid-callback"
    }

    fn algorithm(&self) -> Algorithm {
        Algorithm::SandwichSha1
    }

    fn covers(&self) -> Covers {
        Covers { time: true, ..Covers::body() }
    }

    fn tenancy(&self) -> Tenancy {
        Tenancy::Own
    }

    fn routes(&self) -> &Routes {
        &self.routes
    }

    fn challenge(&self) -> &'static str {
        "Corezoid-Callback"
    }

    fn read<'m>(&self, message: &Message<'m>) -> Result<Option<Presented<'m>>, VerifyError> {
        let query = message.query();
        let (signature, text) = match (once(query, SIGNATURE)?, once(query, TIME)?) {
            (Some(signature), Some(text)) => (signature, text),
            // The process alone may be named in a call that is not signed.
            (None, None) => return Ok(None),
            _ => return Err(VerifyError::malformed("conv_signature and conv_time do not stand together")),
        };
        let key_id = match once(query, ID)? {
            Some(id) if is_plain(id) => id,
            Some(_) => return Err(VerifyError::malformed("conv_id is not letters, digits and -._~")),
            None => message.path(),
        };
        let time = time(text, false).ok_or(VerifyError::malformed("the time is not whole seconds"))?;
        let signature = Signature::from_hex(Algorithm::SandwichSha1, signature, Case::Lower)
            .map_err(|_| VerifyError::malformed("the signature is not 40 lower-case hexadecimal digits"))?;
        let parameters = Parameters { time: Some(time), ..Parameters::new(key_id) };
        Ok(Some(Presented::new(parameters, signature)))
    }

    fn signature_base<'m>(&self, _: &Message<'m>, parameters: &Parameters<'m>) -> SignatureBase<'m> {
        base(parameters, Segment::Body)
    }

    fn attach(
        &self,
        head: &mut Parts,
        parameters: &Parameters<'_>,
        signature: Option<&Signature>,
    ) -> Result<(), SignError> {
        let Some(signature) = signature else { return Ok(()) };
        let time = parameters.time.as_ref().ok_or(SignError::new("no time was chosen"))?;
        let (path, key_id) = (head.uri.path(), parameters.key_id);
        let id = match key_id {
            path_of_key if path_of_key == path => String::new(),
            id if is_plain(id) => format!("&{ID}={id}"),
            _ => return Err(SignError::new("the key is neither a conv_id nor the path of the URL")),
        };
        let foreign =
            |pair: &&str| ![SIGNATURE, TIME, ID].contains(&pair.split('=').next().unwrap_or_default());
        let query = head.uri.query().unwrap_or_default().split('&').filter(foreign);
        let mut target = format!("{path}?");
        for pair in query.filter(|pair| !pair.is_empty()) {
            target += pair;
            target.push('&');
        }
        target += &format!("{SIGNATURE}={}&{TIME}={}{id}", signature.to_hex(), time.text);
        set_target(head, target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheme::{
        SignedTime,
        testing::{MALFORMED, Seen, head, read},
    };
    use std::time::UNIX_EPOCH;

    const SHA1: &str = "c28013c2a2ffe0bd17a7ec3ab7b2f8aa8b5ccf04";

    fn hooks() -> CorezoidCallback {
        CorezoidCallback::default().with_route(Method::POST, "/hooks/{name}").unwrap()
    }

    #[test]
    fn the_query_holds_the_credentials_once_and_nothing_else() {
        let all = format!("conv_signature={SHA1}&conv_time=1700000000&conv_id=1023");
        let table = [
            (all.clone(), Seen::Presented),
            (format!("conv_id=1023&conv_time=1700000000&conv_signature={SHA1}"), Seen::Presented),
            (format!("conv_signature={SHA1}&conv_time=1700000000"), Seen::Presented),
            (format!("{all}&a=1"), Seen::Closed),
            (format!("a=1&{all}"), Seen::Closed),
            (format!("{all}&"), Seen::Closed),
            (format!("{all}&conv%5Ftime=1"), Seen::Closed),
            (format!("{all}&conv_time=1700000000"), MALFORMED),
            (format!("{all}&conv_signature"), MALFORMED),
            (format!("{all}&conv_id=1023"), MALFORMED),
            (all.replace("1023", ""), MALFORMED),
            (all.replace("1023", "10%323"), MALFORMED),
            (all.replace("1023", "10/23"), MALFORMED),
            (all.replace("1700000000", "1700000000.5"), MALFORMED),
            (all.replace("1700000000", "-1"), MALFORMED),
            (all.replace("1700000000", ""), MALFORMED),
            (all.replace(SHA1, &SHA1.to_uppercase()), MALFORMED),
            (all.replace(SHA1, &SHA1[2..]), MALFORMED),
            (all.replace(SHA1, ""), MALFORMED),
            (all.replace("conv_time=", "conv_time"), MALFORMED),
            (all.replace("conv_signature", "conv_signatur"), MALFORMED),
            ("conv_id=1023".to_owned(), Seen::Nothing),
            ("conv_id=1023&conv_id=1023".to_owned(), Seen::Nothing),
            ("CONV_TIME=1".to_owned(), Seen::Nothing),
            (String::new(), Seen::Nothing),
        ];
        for (query, expected) in table {
            let head = head("POST", &format!("/hooks/orders?{query}"), &[]);
            assert_eq!(read(&hooks(), &head).0, expected, "{query}");
        }
    }

    #[test]
    fn routes_are_opted_in() {
        let query = format!("conv_signature={SHA1}&conv_time=1700000000");
        for (method, path, by_default, opted_in) in [
            ("POST", "/", Seen::Presented, Seen::Presented),
            ("POST", "/hooks/orders", Seen::Closed, Seen::Presented),
            ("POST", "/hooks/orders/", Seen::Closed, Seen::Closed),
            ("GET", "/hooks/orders", Seen::Closed, Seen::Closed),
        ] {
            let head = head(method, &format!("{path}?{query}"), &[]);
            assert_eq!(read(&CorezoidCallback::default(), &head).0, by_default, "{method} {path}");
            assert_eq!(read(&hooks(), &head).0, opted_in, "{method} {path}");
        }
    }

    #[test]
    fn the_key_is_the_process_or_else_the_path() {
        for (id, expected) in [("&conv_id=1023", "1023"), ("", "/hooks/orders")] {
            let query = format!("conv_signature={SHA1}&conv_time=1700000000{id}");
            let head = head("POST", &format!("/hooks/orders?{query}"), &[]);
            assert_eq!(read(&hooks(), &head).1.unwrap().parameters.key_id, expected);
        }
    }

    #[test]
    fn credentials_are_appended_to_the_query_in_the_place_of_earlier_ones() {
        let signature = Signature::from_hex(Algorithm::SandwichSha1, SHA1, Case::Lower).unwrap();
        let attached = |target: &str, key_id: &str| {
            let mut head = head("POST", target, &[]);
            let time = Some(SignedTime::new("17", UNIX_EPOCH));
            let parameters = Parameters { time, ..Parameters::new(key_id) };
            CorezoidCallback::default().attach(&mut head, &parameters, Some(&signature)).ok()?;
            Some(head.uri.to_string())
        };
        let new = format!("conv_signature={SHA1}&conv_time=17");
        for (target, key_id, expected) in [
            ("/h", "1023", Some(format!("/h?{new}&conv_id=1023"))),
            ("/h", "/h", Some(format!("/h?{new}"))),
            ("https://a.test/h?a=1&b", "/h", Some(format!("https://a.test/h?a=1&b&{new}"))),
            ("/h?conv_time=1&a=1&conv_signature=2&conv_id=3", "4", Some(format!("/h?a=1&{new}&conv_id=4"))),
            ("https://a.test", "/", Some(format!("https://a.test/?{new}"))),
            ("/h", "/g", None),
            ("/h", "", None),
            ("/h", "a b", None),
            ("/h", "a&b", None),
            ("/h", "é", None),
        ] {
            assert_eq!(attached(target, key_id), expected, "{target} {key_id}");
        }
    }
}
