//! What a client sends: a form, and credentials in one of two places.

use super::answer::Refusal;
use crate::{secret::Secret, urlencoded};
use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::{
    HeaderMap,
    header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE},
};
use std::collections::HashSet;
use zeroize::Zeroizing;

/// Standard base64 with or without its padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A client id and a secret, as they may be meant.
#[derive(Debug)]
pub(super) struct Presented {
    pub(super) client_id: String,
    pub(super) secret: Secret,
}

/// The fields of a form that matter here; the others are passed over (RFC 6749 §3.2).
#[derive(Debug, Default)]
struct Form {
    grant_type: Option<String>,
    scope: Option<String>,
    client_id: Option<String>,
    client_secret: Option<Secret>,
}

/// Reads a request for a token: the readings of its credentials, of which at most one is right.
pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Vec<Presented>, Refusal> {
    check_content(headers)?;
    let form = Form::read(body)?;
    match form.grant_type.as_deref().map(str::trim_ascii) {
        None => return Err(Refusal::Request("`grant_type` is missing.")),
        Some("client_credentials") => {}
        Some(_) => return Err(Refusal::GrantType),
    }
    if form.scope.is_some() {
        return Err(Refusal::Scope);
    }
    let mut authorization = headers.get_all(AUTHORIZATION).iter();
    match (authorization.next(), authorization.next()) {
        (None, _) => form.credentials(),
        (Some(value), None) => {
            if form.client_id.is_some() || form.client_secret.is_some() {
                return Err(Refusal::Request("The credentials stand in two places."));
            }
            basic(value.as_bytes())
        }
        _ => Err(Refusal::Request("`Authorization` stands more than once.")),
    }
}

fn check_content(headers: &HeaderMap) -> Result<(), Refusal> {
    const FORM: &str = "application/x-www-form-urlencoded";
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let form = match (types.next().map(|value| value.to_str()), types.next()) {
        (Some(Ok(value)), None) => value.split(';').next().map(str::trim_ascii),
        _ => None,
    };
    if !form.is_some_and(|form| form.eq_ignore_ascii_case(FORM)) {
        return Err(Refusal::Request("The body must be `application/x-www-form-urlencoded`."));
    }
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(Refusal::Encoding);
    }
    Ok(())
}

impl Form {
    fn read(body: &[u8]) -> Result<Self, Refusal> {
        let malformed = Refusal::Request("The form is not well-formed.");
        let mut form = Self::default();
        let mut seen = HashSet::new();
        for pair in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            let (name, value) = (&pair[..at], pair.get(at + 1..).unwrap_or_default());
            let name = urlencoded::decode(name).ok_or(malformed)?.to_vec();
            let value = urlencoded::decode(value).ok_or(malformed)?;
            form.take(&name, &value).ok_or(malformed)?;
            if !seen.insert(name) {
                return Err(Refusal::Request("A parameter stands more than once."));
            }
        }
        Ok(form)
    }

    /// Takes a field over; one without a value counts as left out (RFC 6749 §3.2). `None` if it is no text.
    fn take(&mut self, name: &[u8], value: &[u8]) -> Option<()> {
        if value.is_empty() {
            return Some(());
        }
        let place = match name {
            b"grant_type" => &mut self.grant_type,
            b"scope" => &mut self.scope,
            b"client_id" => &mut self.client_id,
            b"client_secret" => {
                self.client_secret = Some(Secret::new(value).ok()?);
                return Some(());
            }
            _ => return Some(()),
        };
        *place = Some(String::from_utf8(value.to_vec()).ok()?);
        Some(())
    }

    fn credentials(self) -> Result<Vec<Presented>, Refusal> {
        match (self.client_id, self.client_secret) {
            (Some(client_id), Some(secret)) => Ok(vec![Presented { client_id, secret }]),
            (None, Some(_)) => Err(Refusal::Request("`client_id` is missing.")),
            (None, None) => Err(Refusal::Missing),
            (Some(_), None) => Err(Refusal::Client),
        }
    }
}

/// Reads Basic credentials (RFC 7617), as they stand and form-decoded.
fn basic(header: &[u8]) -> Result<Vec<Presented>, Refusal> {
    let malformed = Refusal::Request("The Basic credentials are not well-formed.");
    let Some((scheme, rest)) = header.split_at_checked(6) else { return Err(Refusal::Missing) };
    if !scheme.eq_ignore_ascii_case(b"Basic ") {
        return Err(Refusal::Missing);
    }
    let pair = Zeroizing::new(BASE64.decode(rest.trim_ascii()).map_err(|_| malformed)?);
    let colon = pair.iter().position(|byte| *byte == b':').ok_or(malformed)?;
    let (client_id, secret) = (&pair[..colon], &pair[colon + 1..]);
    if client_id.is_empty() || secret.is_empty() {
        return Err(Refusal::Client);
    }
    let mut readings = Vec::with_capacity(2);
    readings.extend(presented(client_id, secret));
    if let (Some(client_id), Some(secret)) = (urlencoded::decode(client_id), urlencoded::decode(secret)) {
        let encoded = *client_id != pair[..colon] || *secret != pair[colon + 1..];
        readings.extend(presented(&client_id, &secret).filter(|_| encoded));
    }
    match readings.is_empty() {
        true => Err(Refusal::Client),
        false => Ok(readings),
    }
}

/// `None` if they are nobody's, because nothing like them is ever stored.
fn presented(client_id: &[u8], secret: &[u8]) -> Option<Presented> {
    let client_id = std::str::from_utf8(client_id).ok()?.to_owned();
    Some(Presented { client_id, secret: Secret::new(secret).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn read_pairs(authorization: &str, body: &str) -> Result<Vec<(String, String)>, Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        if !authorization.is_empty() {
            headers.insert(AUTHORIZATION, HeaderValue::from_str(authorization).unwrap());
        }
        let text = |secret: &Secret| String::from_utf8(secret.expose().to_vec()).unwrap();
        let readings = read(&headers, body.as_bytes())?;
        Ok(readings.into_iter().map(|it| (it.client_id.clone(), text(&it.secret))).collect())
    }

    fn pairs(of: &[(&str, &str)]) -> Result<Vec<(String, String)>, Refusal> {
        Ok(of.iter().map(|pair| (pair.0.to_owned(), pair.1.to_owned())).collect())
    }

    const GRANT: &str = "grant_type=client_credentials";

    #[test]
    fn basic_credentials_are_read_as_they_stand_and_decoded() {
        let basic = |text: &str| read_pairs(&format!("Basic {}", BASE64.encode(text)), GRANT);
        assert_eq!(basic("K:S"), pairs(&[("K", "S")]));
        assert_eq!(basic("K:with:colon="), pairs(&[("K", "with:colon=")]));
        let twice = [("key%2D1", "s3%2Fcr%2Bt%3D%2541+%26"), ("key-1", "s3/cr+t=%41 &")];
        assert_eq!(basic("key%2D1:s3%2Fcr%2Bt%3D%2541+%26"), pairs(&twice));
        assert_eq!(basic("key-1:100%"), pairs(&[("key-1", "100%")]));
        assert_eq!(read_pairs("bAsIc SzpTUw==", GRANT), pairs(&[("K", "SS")]));
        assert_eq!(read_pairs("Basic SzpTUw", GRANT), pairs(&[("K", "SS")]));
        assert_eq!(basic("K"), Err(Refusal::Request("The Basic credentials are not well-formed.")));
        for nobody in [":S", "K:", ":", "K:  "] {
            assert_eq!(basic(nobody), Err(Refusal::Client), "{nobody:?}");
        }
        assert_eq!(read_pairs("Bearer SzpTUw==", GRANT), Err(Refusal::Missing));
        assert_eq!(read_pairs("", GRANT), Err(Refusal::Missing));
    }

    #[test]
    fn thousands_of_parameters_cost_no_more_than_their_bytes() {
        let body = (0..100_000).map(|name| format!("{name:x}&")).collect::<String>() + GRANT;
        let start = std::time::Instant::now();
        let read = read_pairs("Basic SzpT", &body);
        assert_eq!(read, pairs(&[("K", "S")]));
        assert!(start.elapsed() < std::time::Duration::from_secs(2), "{:?}", start.elapsed());
    }

    #[test]
    fn a_form_is_read_strictly() {
        let form = |rest: &str| read_pairs("", &format!("client_id=K&client_secret=S&{rest}"));
        for grant in [
            GRANT,
            "grant_type= client_credentials",
            "grant_type=+client%5Fcredentials\r\n",
            "x=1&y&&scope=&grant_type=client_credentials",
        ] {
            assert_eq!(form(grant), pairs(&[("K", "S")]), "{grant}");
        }
        let request = |body| matches!(form(body), Err(Refusal::Request(_)));
        for body in [
            "",
            "grant_type=",
            "grant_type",
            "grant_type=client_credentials&grant_type=client_credentials",
            "grant_type=client_credentials&client%5Fid=K",
            "grant_type=client_credentials&x=1&x=2",
            "grant_type=client_credentials&x=%",
            "grant_type=client_credentials&x=%4",
            "grant_type=client_credentials&x=%zz",
            "{\"grant_type\":\"client_credentials\"}",
        ] {
            assert!(request(body), "{body}");
        }
        for grant in ["password", "authorization_code", "Client_Credentials", "client_credentials%00"] {
            assert_eq!(form(&format!("grant_type={grant}")), Err(Refusal::GrantType), "{grant}");
        }
        assert_eq!(form(&format!("{GRANT}&scope=site")), Err(Refusal::Scope));
        let secret = |text: &str| read_pairs("", &format!("{GRANT}&{text}"));
        assert_eq!(secret("client_id=K"), Err(Refusal::Client));
        assert!(matches!(secret("client_secret=S"), Err(Refusal::Request(_))));
        assert_eq!(
            secret("client_id=key-1&client_secret=s3%2Fcr%2Bt%3D%2541+%26"),
            pairs(&[("key-1", "s3/cr+t=%41 &")])
        );
    }
}
