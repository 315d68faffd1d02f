//! What tokens cost over the bare cryptography (goal P13): verifying, knowing again, issuing.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up shall stop")]

#[path = "../goals/contest.rs"]
mod contest;

use aws_lc_rs::{
    encoding::AsDer as _,
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_SHA384},
};
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use contest::{Contest, Outcome, Work};
use countersign::{
    credential::TokenAlgorithm,
    jwt::{Claims, KeySet, PrivateKey, Profile, TokenVerifier},
    secret::Secret,
};
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use std::{
    hint::black_box,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

const LIFETIME: Duration = Duration::from_secs(3600);

fn main() {
    let rounds = std::env::var("BENCH_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(21);
    println!("{:<44}{:>8}{:>10}{:>14}", "P13", "limit", "measured", "jsonwebtoken");
    for (name, size) in [("RSA-2048", KeySize::Rsa2048), ("RSA-3072", KeySize::Rsa3072)] {
        let case = Case::new(size);
        case.verify(name, rounds);
        case.issue(name, rounds);
    }
}

/// A key, and a token that it has signed.
struct Case {
    pair: KeyPair,
    pkcs8: Vec<u8>,
    profile: Profile,
    claims: Claims,
    token: String,
    now: SystemTime,
}

impl Case {
    fn new(size: KeySize) -> Self {
        let pair = KeyPair::generate(size).unwrap();
        let pkcs8 = pair.as_der().unwrap().as_ref().to_vec();
        let profile = Profile::new("Cloud", "2091");
        let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let claims = Claims::issue(&profile, "6237:E67A0000000000000000000000000000", now, LIFETIME);
        let token = private(&pkcs8).sign(&claims, None).unwrap();
        Self { pair, pkcs8, profile, claims, token, now }
    }

    fn verify(&self, name: &str, rounds: usize) {
        let mut contest = Contest::default();
        let key = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA384, self.pair.public_key()).unwrap();
        let (signed, signature) = self.token.rsplit_once('.').unwrap();
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
        let raw = contest.add(
            "raw",
            times({
                let signed = signed.to_owned();
                move || key.verify_sig(signed.as_bytes(), &signature).unwrap()
            }),
        );
        let keys = KeySet::new([private(&self.pkcs8).public_key().clone()]);
        let (token, profile, now) = (self.token.clone(), self.profile.clone(), self.now);
        let set = keys.clone();
        let ours = contest.add("verify", times(move || set.verify(&token, &profile, now).unwrap()));
        let verifier = TokenVerifier::new(keys, self.profile.clone());
        let token = self.token.clone();
        let known = contest.add("known", times(move || verifier.verify(&token, now).unwrap()));
        let theirs = contest.add("jsonwebtoken", times(self.jsonwebtoken()));
        let outcome = contest.run(rounds);
        row(name, 1.10, &outcome, ours, raw, theirs);
        println!("{:<44}{:>8.2}{:>10.2}", format!("{name}: known again, us"), 0.6, outcome.cost(known) / 1e3);
    }

    fn issue(&self, name: &str, rounds: usize) {
        let mut contest = Contest::default();
        let signed = self.token.rsplit_once('.').unwrap().0.to_owned();
        let pair = KeyPair::from_pkcs8(&self.pkcs8).unwrap();
        let raw = contest.add(
            "raw",
            times(move || {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA384, &SystemRandom::new(), signed.as_bytes(), &mut signature)
                    .unwrap();
                signature
            }),
        );
        let (key, claims) = (private(&self.pkcs8), self.claims.clone());
        let ours = contest.add("issue", times(move || key.sign(&claims, None).unwrap()));
        let key = EncodingKey::from_rsa_pem(pem("PRIVATE KEY", &self.pkcs8).as_bytes()).unwrap();
        let (header, claims) = (Header::new(jsonwebtoken::Algorithm::RS384), self.claims.clone());
        let theirs = times(move || jsonwebtoken::encode(&header, &claims, &key).unwrap());
        let theirs = contest.add("jsonwebtoken", theirs);
        row(name, 1.05, &contest.run(rounds), ours, raw, theirs);
    }

    fn jsonwebtoken(&self) -> impl FnMut() -> serde_json::Value + use<> {
        let public = private(&self.pkcs8).public_key().to_der().unwrap();
        let key = DecodingKey::from_rsa_pem(pem("PUBLIC KEY", &public).as_bytes()).unwrap();
        let mut validation = Validation::new(jsonwebtoken::Algorithm::RS384);
        validation.set_audience(&["2091"]);
        validation.set_issuer(&["Cloud"]);
        validation.validate_exp = false;
        let token = self.token.clone();
        move || jsonwebtoken::decode::<serde_json::Value>(&token, &key, &validation).unwrap().claims
    }
}

fn row(key: &str, limit: f64, outcome: &Outcome, ours: usize, raw: usize, theirs: usize) {
    let title = format!("{key}: {} / {}", outcome.names[ours], outcome.names[raw]);
    let (measured, theirs) = (outcome.ratio(ours, raw), outcome.ratio(theirs, raw));
    let mark = if measured <= limit { "" } else { "  missed" };
    println!("{title:<44}{limit:>8.2}{measured:>10.2}{theirs:>14.2}{mark}");
}

fn times<T>(mut work: impl FnMut() -> T + 'static) -> Work {
    Box::new(move |count| (0..count).for_each(|_| _ = black_box(work())))
}

fn private(pkcs8: &[u8]) -> PrivateKey {
    PrivateKey::from_pkcs8(TokenAlgorithm::Rs384, &Secret::new(pkcs8).unwrap()).unwrap()
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64_STANDARD.encode(der))
}
