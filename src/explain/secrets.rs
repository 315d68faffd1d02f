//! Secrets that a client may have used instead of the right one.

use super::cause::{Cause, Choice};
use crate::secret::Secret;
use base64::{
    Engine as _,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use zeroize::Zeroizing;

const ANY_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, ANY_PADDING);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, ANY_PADDING);

/// A secret that the operator knows, and how it stands to the key.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) secret: Secret,
    pub(super) origin: Origin,
}

/// How a secret stands to the key that the request presents.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Origin {
    /// It is in force.
    Live,
    /// It was the key's once, or is not yet.
    Retired,
    /// It is that of another key.
    OfKey(String),
}

type Bytes = Zeroizing<Vec<u8>>;

/// What is known, what a client can have made of it, and names that stand beside it and are mistaken for it.
pub(super) fn secrets(known: &[Known], names: &[(&str, &str)]) -> Vec<Choice<Bytes>> {
    let mut all = List(Vec::new());
    for Known { secret, origin } in known {
        let cause = match origin {
            Origin::Live => None,
            Origin::Retired => Some(Cause::new(
                "secret_retired",
                "an older secret of this key was used, which has retired",
                "give the client the newest secret, or rotate with a longer overlap",
            )),
            Origin::OfKey(key_id) => Some(Cause::new(
                "secret_of_other_key",
                format!("the secret is that of the key `{key_id}`"),
                "use key id and secret of one and the same key",
            )),
        };
        all.add(secret.expose().to_vec(), cause);
    }
    for Known { secret, .. } in known.iter().filter(|known| known.origin == Origin::Live) {
        all.disfigured(secret.expose());
    }
    for (what, name) in names.iter().filter(|(_, name)| !name.is_empty()) {
        all.add(
            name.as_bytes().to_vec(),
            Some(Cause::new(
                "secret_is_name",
                format!("the {what} was used as the secret"),
                "sign with the secret that was shown when the key was made",
            )),
        );
    }
    for unset in ["", "undefined", "null", "None", "nil", "secret", "changeme"] {
        all.add(
            unset.as_bytes().to_vec(),
            Some(Cause::new(
                "secret_unset",
                if unset.is_empty() {
                    "the secret was empty".to_owned()
                } else {
                    format!("the secret was `{unset}`")
                },
                "see that the client's configuration sets the secret before it signs",
            )),
        );
    }
    all.0
}

struct List(Vec<Choice<Bytes>>);

impl List {
    fn add(&mut self, value: Vec<u8>, cause: Option<Cause>) {
        let value = Zeroizing::new(value);
        if self.0.iter().all(|choice| choice.value != value) {
            self.0.push(Choice { cause, value, alone: false });
        }
    }

    /// What files, shells and good intentions make of a secret.
    fn disfigured(&mut self, secret: &[u8]) {
        let mut or = |value: Vec<u8>, hypothesis, found: &'static str, change: &'static str| {
            self.add(value, Some(Cause::new(hypothesis, found, change)));
        };
        const AS_TEXT: &str = "use the secret as the text that was shown: nothing decodes it";
        or(
            [secret, b"\n"].concat(),
            "secret_newline",
            "the client's secret has a newline at its end",
            "read the secret without its line end: `echo` and editors add one",
        );
        or(
            [secret, b"\r\n"].concat(),
            "secret_crlf",
            "the client's secret has a line end (CRLF) behind it",
            "read the secret without its line end",
        );
        or(
            [secret, b" "].concat(),
            "secret_space",
            "the client's secret has a space at its end",
            "copy the secret without white space around it",
        );
        or(
            [b" ", secret].concat(),
            "secret_space_before",
            "the client's secret has a space before it",
            "copy the secret without white space around it",
        );
        or(
            secret.trim_ascii().to_vec(),
            "secret_trimmed",
            "the stored secret has white space around it, the client's has none",
            "import the secret again without the white space, or rotate it",
        );
        for quote in ["\"", "'"] {
            or(
                [quote.as_bytes(), secret, quote.as_bytes()].concat(),
                "secret_quoted",
                "the client's secret has quotes around it",
                "the quotes of an `.env` file are no part of the secret",
            );
        }
        if let Ok(decoded) = hex::decode(secret) {
            or(decoded, "secret_hex_decoded", "the secret was decoded from hexadecimal digits", AS_TEXT);
        }
        for engine in [&BASE64, &BASE64_URL] {
            if let Ok(decoded) = engine.decode(secret) {
                or(decoded, "secret_base64_decoded", "the secret was decoded from base64", AS_TEXT);
            }
        }
        or(
            BASE64.encode(secret).into_bytes(),
            "secret_base64_encoded",
            "the secret was encoded in base64",
            AS_TEXT,
        );
        or(
            hex::encode(secret).into_bytes(),
            "secret_hex_encoded",
            "the secret was encoded in hexadecimal digits",
            AS_TEXT,
        );
        or(secret.to_ascii_uppercase(), "secret_upper_case", "the secret was turned to upper case", AS_TEXT);
        or(secret.to_ascii_lowercase(), "secret_lower_case", "the secret was turned to lower case", AS_TEXT);
        if let Some(at) = secret.iter().position(|byte| *byte == b'_') {
            or(
                secret[at + 1..].to_vec(),
                "secret_prefix_dropped",
                "the secret was used without what stands before its first `_`",
                AS_TEXT,
            );
        }
        for length in [16, 32, 64] {
            if secret.len() > length {
                or(
                    secret[..length].to_vec(),
                    "secret_cut",
                    "only the beginning of the secret was used",
                    "see that the client's configuration does not cut the secret",
                );
            }
        }
        or(
            secret[..secret.len() - 1].to_vec(),
            "secret_cut",
            "the last character of the secret is missing",
            "copy the whole secret",
        );
    }
}
