//! Makes the bytes of a case: signs by the providers' formulas, not by the crate, and fills the signatures in.

use super::table::Case;
use crate::support::http::{HOST, ORGANIZATION, PUBLIC_KEY, Provider, SECRET, SLUG};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{Request, header::HOST as HOST_HEADER};
use http_body_util::Full;
use sha1::{Digest as _, Sha1};
use sha2::Sha256;

/// A case, ready to be sent.
pub(super) struct Prepared {
    head: Vec<u8>,
    body: Vec<u8>,
    /// What the signature is about.
    signed: Vec<u8>,
    signatures: Signatures,
}

/// What each provider would put into the request.
struct Signatures {
    ateliere: Vec<u8>,
    salescloud: Vec<u8>,
    corezoid: Vec<u8>,
    time: String,
}

impl Prepared {
    pub(super) fn new(case: &Case) -> Self {
        let body = expand(&case.body(), &|word| panic!("{}: {word} in a body", case.name));
        let text = |name| case.setting(name).map(|value| expand(&value, &|word| panic!("{word}")));
        let signed = text("body").unwrap_or_else(|| body.clone());
        let signatures = Signatures::new(&text, &signed);
        let head = expand(&case.head().replace('\n', "\\r\\n"), &|word| match word {
            "LENGTH" => body.len().to_string(),
            word => signatures.fill(word).unwrap_or_else(|| panic!("{}: {word}", case.name)),
        });
        Self { head, body, signed, signatures }
    }

    /// What the request is signed over as its body.
    pub(super) fn signed(&self) -> &[u8] {
        &self.signed
    }

    /// What goes over an HTTP/1.1 connection.
    pub(super) fn wire(&self) -> Vec<u8> {
        [&self.head, &b"\r\n\r\n"[..], &self.body].concat()
    }

    /// The same for HTTP/2, where `Host` becomes `:authority` unless the case says what stands there.
    pub(super) fn request(&self, authority: Option<String>) -> Request<Full<Bytes>> {
        let head = String::from_utf8_lossy(&self.head).into_owned();
        let (method, target) = head.split_once(' ').unwrap();
        let (target, _) = target.split_once(" HTTP/1.1\r\n").unwrap();
        let mut request = Request::builder().method(method);
        let mut host = HOST.to_owned();
        // Bytes, because a value need not be text.
        for line in split_lines(&self.head).skip(1) {
            let colon = line.iter().position(|byte| *byte == b':').unwrap();
            let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
            if authority.is_none() && name.eq_ignore_ascii_case(HOST_HEADER.as_str().as_bytes()) {
                host = String::from_utf8(value.to_vec()).unwrap();
            } else {
                request = request.header(name, value);
            }
        }
        let uri = format!("http://{}{target}", authority.unwrap_or(host));
        request.uri(uri).body(Full::from(self.body.clone())).unwrap()
    }

    /// Whether an answer gives away a signature that would have been right.
    pub(super) fn leaks(&self, answer: &str) -> bool {
        let Signatures { ateliere, salescloud, corezoid, .. } = &self.signatures;
        let spelled = [hex::encode(ateliere), BASE64_STANDARD.encode(salescloud), hex::encode(corezoid)];
        spelled.iter().any(|signature| answer.contains(signature)) || answer.contains(SECRET)
    }
}

/// The lines of a head.
fn split_lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// HMAC-SHA-256 in hexadecimal digits, as Ateliere writes it.
pub(super) fn ateliere(url: &str, body: &str) -> String {
    hex::encode(hmac(SECRET.as_bytes(), json(url, body, SLUG).as_bytes()))
}

fn json(url: &str, body: &str, slug: &str) -> String {
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    format!(r#"{{"url":{},"body":{},"organization_slug":{}}}"#, quoted(url), quoted(body), quoted(slug))
}

fn hmac(secret: &[u8], base: &[u8]) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    mac.chain_update(base).finalize().into_bytes().to_vec()
}

impl Signatures {
    fn new(text: &impl Fn(&'static str) -> Option<Vec<u8>>, signed: &[u8]) -> Self {
        let or = |name, default: &str| text(name).unwrap_or_else(|| default.into());
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let secret = or("secret", SECRET);
        // What a client would sign that reads bytes as text whatever they are.
        let url = lossy(&or("url", &format!("{HOST}/graphql")));
        let in_json = json(&url, &lossy(signed), &lossy(&or("slug", SLUG)));
        let application = or("application", Provider::SalesCloud.key_id());
        let organization = or("organization", ORGANIZATION);
        let joined = [&application, PUBLIC_KEY.as_bytes(), &organization, signed].join(&b':');
        let base = text("base");
        let time = or("time", "1700000000");
        Self {
            ateliere: hmac(&secret, base.as_deref().unwrap_or(in_json.as_bytes())),
            salescloud: hmac(&secret, base.as_deref().unwrap_or(&joined)),
            corezoid: Sha1::digest([&*time, &secret, signed, &secret].concat()).to_vec(),
            time: lossy(&time),
        }
    }

    /// What a word like `HEX upper` stands for.
    fn fill(&self, word: &str) -> Option<String> {
        let (word, spelling) = word.split_once(' ').unwrap_or((word, ""));
        let signature = match word {
            "ATELIERE" => {
                let hex = hex::encode(&self.ateliere);
                return Some(format!(
                    "oz-key-id: pk_test_5e1f\r\noz-signature: {hex}\r\nx-organization-slug: {SLUG}"
                ));
            }
            "SALESCLOUD" => {
                let base64 = BASE64_STANDARD.encode(&self.salescloud);
                return Some(format!(
                    "salescloud-application: {}\r\nsalescloud-application-public-key: {PUBLIC_KEY}\r\n\
                     salescloud-organization: {ORGANIZATION}\r\nauthorization: App {base64}",
                    Provider::SalesCloud.key_id(),
                ));
            }
            "COREZOID" => return Some(format!("13000/{}/{}", self.time, hex::encode(&self.corezoid))),
            "HEX" => hex::encode(&self.ateliere),
            "BASE64" => BASE64_STANDARD.encode(&self.salescloud),
            "SHA1" => hex::encode(&self.corezoid),
            _ => return None,
        };
        respell(signature, spelling)
    }
}

/// A signature in another spelling, or another signature.
fn respell(signature: String, spelling: &str) -> Option<String> {
    let bytes = || hex::decode(&signature).unwrap();
    let last = |from: &str| {
        let end = signature.trim_end_matches('=').len() - 1;
        let digits = from.as_bytes();
        let place = digits.iter().position(|digit| *digit == signature.as_bytes()[end]).unwrap();
        let next = char::from(digits[place ^ 1]);
        format!("{}{next}{}", &signature[..end], &signature[end + 1..])
    };
    Some(match spelling {
        "" => signature,
        "upper" => signature.to_uppercase(),
        "mixed" => {
            let (first, rest) = signature.split_at(signature.len() / 2);
            first.to_uppercase() + rest
        }
        "half" => signature[..signature.len() / 2].to_owned(),
        "short" => signature[..signature.len() - 1].to_owned(),
        "without two" => signature[..signature.len() - 2].to_owned(),
        "one bit off" => last("0123456789abcdef"),
        "in base64" => BASE64_STANDARD.encode(bytes()),
        "in hex" => hex::encode(BASE64_STANDARD.decode(&signature).unwrap()),
        "for urls" => signature.replace('+', "-").replace('/', "_"),
        "unpadded" => signature.trim_end_matches('=').to_owned(),
        // The last digit before the padding carries two bits that must be zero.
        "stray bits" => last("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"),
        _ => return None,
    })
}

/// The bytes that a text of a table stands for: escapes, repetitions, and what `fill` says.
fn expand(text: &str, fill: &dyn Fn(&str) -> String) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let is_word = rest[next.len_utf8()..].starts_with(|first: char| first.is_ascii_uppercase());
        let mut taken = next.len_utf8();
        match next {
            '\\' => taken = escape(rest, &mut bytes),
            '{' if is_word => {
                let end = rest.find('}').unwrap();
                match rest[1..end].strip_prefix("REPEAT ").and_then(|word| word.rsplit_once(' ')) {
                    Some((what, times)) => {
                        bytes.extend(expand(what, fill).repeat(times.parse().unwrap()));
                    }
                    None => bytes.extend(fill(&rest[1..end]).as_bytes()),
                }
                taken = end + 1;
            }
            _ => bytes.extend(&rest.as_bytes()[..taken]),
        }
        rest = &rest[taken..];
    }
    bytes
}

/// Adds what the escape at the beginning stands for, and says how long it is.
fn escape(text: &str, bytes: &mut Vec<u8>) -> usize {
    match text.as_bytes()[1] {
        b'n' => bytes.push(b'\n'),
        b'r' => bytes.push(b'\r'),
        b't' => bytes.push(b'\t'),
        b'\\' => bytes.push(b'\\'),
        b'x' => {
            bytes.push(u8::from_str_radix(&text[2..4], 16).unwrap());
            return 4;
        }
        _ => panic!("{text}"),
    }
    2
}
