//! Tokens that other libraries sign verify here, and ours verify there: jsonwebtoken (Rust), PyJWT and jose (Node).

use super::{ALL, kind};
use crate::support::tokens::{AUDIENCE, ISSUER, NOW, claims, new_key};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use countersign::{
    credential::TokenAlgorithm,
    jwt::{Claims, KeySet, PrivateKey},
};
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use serde_json::Value;
use std::{path::Path, process::Command};

#[test]
fn jsonwebtoken_agrees() {
    for algorithm in ALL {
        let key = new_key(algorithm);
        let theirs = jsonwebtoken_algorithm(algorithm);
        let private = pem("PRIVATE KEY", key.to_pkcs8().unwrap().expose());
        let public = pem("PUBLIC KEY", &key.public_key().to_der().unwrap());
        let (sign, verify) = match algorithm {
            TokenAlgorithm::Rs384 => {
                (EncodingKey::from_rsa_pem(private.as_bytes()), DecodingKey::from_rsa_pem(public.as_bytes()))
            }
            TokenAlgorithm::Es256 => {
                (EncodingKey::from_ec_pem(private.as_bytes()), DecodingKey::from_ec_pem(public.as_bytes()))
            }
            _ => (EncodingKey::from_ed_pem(private.as_bytes()), DecodingKey::from_ed_pem(public.as_bytes())),
        };
        let signed = jsonwebtoken::encode(&Header::new(theirs), &claims(), &sign.unwrap()).unwrap();
        assert_eq!(kind(&keys(&key), &signed, NOW), Ok(claims()), "{algorithm:?}");
        let mut validation = Validation::new(theirs);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        validation.validate_exp = false;
        let ours = key.sign(&claims(), None).unwrap();
        let read = jsonwebtoken::decode::<Value>(&ours, &verify.unwrap(), &validation).unwrap();
        assert_eq!(read.claims, serde_json::to_value(claims()).unwrap(), "{algorithm:?}");
    }
}

#[test]
fn pyjwt_and_jose_agree() {
    for algorithm in ALL {
        let key = new_key(algorithm);
        for file in ["tokens.py", "tokens.cjs"] {
            let signed = run(file, algorithm, &key, "");
            assert_eq!(kind(&keys(&key), &signed, NOW), Ok(claims()), "{file} {algorithm:?}: {signed}");
            let read = run(file, algorithm, &key, &key.sign(&claims(), None).unwrap());
            let read: Value = serde_json::from_str(&read).unwrap();
            assert_eq!(read, serde_json::to_value(claims()).unwrap(), "{file} {algorithm:?}");
        }
    }
}

#[test]
fn jose_reads_our_key_set() {
    for algorithm in ALL {
        let key = new_key(algorithm);
        let named = key.public_key().clone().with_key_id(&key.public_key().thumbprint().unwrap());
        let jwks = KeySet::new([named]).jwks().unwrap().to_string();
        let token = key.sign(&claims(), Some(&key.public_key().thumbprint().unwrap())).unwrap();
        let read = foreign("tokens.cjs", &[("ALG", algorithm.as_str()), ("JWKS", &jwks), ("TOKEN", &token)]);
        assert_eq!(serde_json::from_str::<Value>(&read).unwrap(), serde_json::to_value(claims()).unwrap());
    }
}

fn keys(key: &PrivateKey) -> KeySet {
    KeySet::new([key.public_key().clone()])
}

const fn jsonwebtoken_algorithm(algorithm: TokenAlgorithm) -> jsonwebtoken::Algorithm {
    match algorithm {
        TokenAlgorithm::Rs384 => jsonwebtoken::Algorithm::RS384,
        TokenAlgorithm::Es256 => jsonwebtoken::Algorithm::ES256,
        _ => jsonwebtoken::Algorithm::EdDSA,
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let base64 = BASE64_STANDARD.encode(der);
    let lines: Vec<_> = base64.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// Lets a client sign the claims, or verify a token and print its claims.
fn run(file: &str, algorithm: TokenAlgorithm, key: &PrivateKey, token: &str) -> String {
    let claims: Claims = claims();
    let claims = serde_json::to_string(&claims).unwrap();
    let private = pem("PRIVATE KEY", key.to_pkcs8().unwrap().expose());
    let public = pem("PUBLIC KEY", &key.public_key().to_der().unwrap());
    let settings = match token {
        "" => vec![("PRIVATE_KEY", &*private), ("CLAIMS", &claims)],
        token => vec![("PUBLIC_KEY", &*public), ("TOKEN", token)],
    };
    foreign(file, &[&settings[..], &[("ALG", algorithm.as_str())]].concat())
}

fn foreign(file: &str, settings: &[(&str, &str)]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let installed = root.join("target/clients");
    assert!(installed.join("stamp").exists(), "the clients are not installed; run the tests by `./x test`");
    let program = if file.ends_with(".py") { installed.join("venv/bin/python") } else { "node".into() };
    let ran = Command::new(program)
        .arg(root.join("tests/clients").join(file))
        .envs(settings.iter().copied())
        .env("NODE_PATH", installed.join("node_modules"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    assert!(ran.status.success(), "{file}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap().trim_end().to_owned()
}
