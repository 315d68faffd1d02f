//! What holds for every request, not only for the recorded ones. Seeds are fixed, so that a run tells the same today and
//! tomorrow.

mod arbitrary;
mod changes;
mod round_trip;

use crate::support::guard::Key;
use countersign::{clock::ManualClock, scheme::Scheme, secret::Secret, sign::Signer};
use http::{HeaderValue, Request};
use proptest::{prelude::*, test_runner::RngSeed};

/// The time at which all is signed.
const NOW: u64 = 1_700_000_000;

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(NOW),
        ..ProptestConfig::default()
    }
}

/// A request before it is signed, and the key that signs it.
#[derive(Clone, Debug)]
struct Case {
    key_id: String,
    secret: String,
    public_key: Option<String>,
    organization: Option<String>,
    authority: String,
    target: String,
    body: Vec<u8>,
}

impl Case {
    fn key(&self) -> Key<'_> {
        Key {
            id: &self.key_id,
            secret: &self.secret,
            public_key: self.public_key.as_deref(),
            organization: self.organization.as_deref(),
        }
    }

    /// The request as a client sends it; `None` if it cannot be signed.
    fn signed(&self, scheme: impl Scheme) -> Option<Request<Vec<u8>>> {
        let secret = Secret::new(&*self.secret).unwrap();
        let mut signer = Signer::new(scheme, &self.key_id, &secret).with_clock(ManualClock::at(NOW));
        if let Some(public_key) = &self.public_key {
            signer = signer.with_public_key(public_key);
        }
        if let Some(organization) = &self.organization {
            signer = signer.with_organization(organization);
        }
        let host = HeaderValue::try_from(&self.authority).unwrap();
        let mut request = Request::post(&self.target).header("host", host).body(self.body.clone()).unwrap();
        signer.sign(&mut request).is_ok().then_some(request)
    }
}

fn secret() -> impl Strategy<Value = String> {
    "[!-~]{1,70}|[a-zé秘]{1,30}"
}

/// Nothing, text, or anything.
fn body(longest: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        1 => Just(Vec::new()),
        2 => "[ -~]{0,40}".prop_map(String::into_bytes),
        2 => "\\PC{0,40}".prop_map(String::into_bytes),
        3 => prop::collection::vec(any::<u8>(), 0..longest),
    ]
}

/// Text for a body, as long as bodies get.
fn text(longest: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<char>(), 0..longest / 4).prop_map(|text| String::from_iter(text).into_bytes())
}

fn uuid() -> impl Strategy<Value = String> {
    "[0-9a-fA-F]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
}

/// A request of Ateliere's, whatever it asks for.
fn ateliere(body: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Case> {
    let name = ("[!-~]{1,40}", "[a-z0-9-]{1,40}|[!-~ö秘😀]{1,20}", secret());
    let authority = "[A-Za-z0-9.-]{1,12}(:[0-9]{1,5})?|\\[::1\\]:8443";
    let target = "(/[a-zA-Z0-9._~%'{}é-]{0,8}){1,4}(\\?[a-z0-9=&%'{}+/?é]{0,12})?";
    (name, authority, target, body).prop_map(|((key_id, slug, secret), authority, target, body)| Case {
        key_id,
        secret,
        public_key: None,
        organization: Some(slug),
        authority,
        target,
        body,
    })
}

/// An operation of Corezoid's.
fn corezoid(body: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Case> {
    let target = prop_oneof![Just("/api/1/json"), Just("/api/2/json")];
    let login = "[0-9]{1,12}|[A-Za-z0-9._~%@:-]{1,40}";
    (login, secret(), target, body).prop_map(|(key_id, secret, target, body)| Case {
        key_id,
        secret,
        public_key: None,
        organization: None,
        authority: "api.test".to_owned(),
        target: target.to_owned(),
        body,
    })
}

/// A call of SalesCloud's, with an organization or without one.
fn salescloud(body: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Case> {
    let name = (uuid(), "[0-9a-zA-Z]{1,512}", prop::option::of(uuid()));
    (name, secret(), body).prop_map(|((key_id, public_key, organization), secret, body)| Case {
        key_id,
        secret,
        public_key: Some(public_key),
        organization,
        authority: "api.test".to_owned(),
        target: "/".to_owned(),
        body,
    })
}

/// A call of one of Corezoid's processes, which is named or known by the path.
fn corezoid_callback(body: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Case> {
    let key = "[0-9]{1,12}|[A-Za-z0-9._~-]{1,40}|/";
    (key, secret(), body).prop_map(|(key_id, secret, body)| Case {
        key_id,
        secret,
        public_key: None,
        organization: None,
        authority: "api.test".to_owned(),
        target: "/".to_owned(),
        body,
    })
}

/// A webhook of SalesCloud's, wherever it goes.
fn salescloud_webhook(body: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Case> {
    let authority = "[A-Za-z0-9.-]{1,12}(:[0-9]{1,5})?|\\[::1\\]:8443";
    let target = "(/[a-zA-Z0-9._~%'()é-]{0,8}){1,4}(\\?[a-z0-9=&%'+/?é]{0,12})?";
    ("[!-~]{1,60}", secret(), authority, target, body).prop_map(
        |(key_id, secret, authority, target, body)| Case {
            key_id,
            secret,
            public_key: None,
            organization: None,
            authority,
            target,
            body,
        },
    )
}

/// Runs a future to its end.
fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}
