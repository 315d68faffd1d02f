//! The contenders: a bare handler, the hash alone, the handler behind the layer, and behind middleware that one would
//! write by hand.

use super::{
    by_hand::by_hand,
    contest::Work,
    requests::{AUTHORITY, Body, KEY_ID, NOW, ORGANIZATION, PUBLIC_KEY, SECRET, Scheme, Signed},
    way::Way,
};
use axum::{
    Router,
    body::{Body as AxumBody, Bytes},
    extract::DefaultBodyLimit,
    response::IntoResponse as _,
    routing::post,
};
use countersign::{
    SignatureVerifier, VerifyLayer,
    clock::ManualClock,
    credential::{Credential, KeyId, Organization, Principal, SecretVersion},
    middleware::Verify,
    scheme,
    secret::Secret,
    signature::MacKey,
    store::MemoryKeyStore,
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::{Digest as _, Sha1};
use sha2::Sha256;
use std::hint::black_box;
use tower::Layer as _;

/// The longest body that is taken.
pub const LIMIT: usize = 8 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    Bare,
    Raw,
    Around,
    Inside,
    ByHand,
}

impl Contender {
    /// In the order of the tables; the first is what others are compared with.
    pub const ALL: [Self; 5] = [Self::Bare, Self::Raw, Self::Around, Self::Inside, Self::ByHand];

    pub const fn title(self) -> &'static str {
        match self {
            Self::Bare => "bare handler",
            Self::Raw => "raw MAC of the base",
            Self::Around => "layer around the router",
            Self::Inside => "layer in Router::layer",
            Self::ByHand => "written by hand",
        }
    }

    /// What this contender does with a rightly signed request.
    pub fn work(self, way: Way, scheme: Scheme, body: Body) -> Work {
        let signed = Signed::Rightly;
        match self {
            Self::Bare => way.drive(bare(), scheme, body, signed),
            Self::Raw => raw(scheme, scheme.base(body)),
            Self::Around => way.drive(around(scheme), scheme, body, signed),
            Self::Inside => way.drive(inside(scheme), scheme, body, signed),
            Self::ByHand => way.drive(by_hand(scheme), scheme, body, signed),
        }
    }
}

/// The hash alone, its key taken in beforehand where the algorithm allows that.
pub fn raw(scheme: Scheme, base: Vec<u8>) -> Work {
    let keyed = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    Box::new(move |count| {
        for _ in 0..count {
            let base = black_box(&base);
            if scheme == Scheme::Corezoid {
                black_box(Sha1::digest(base));
            } else {
                let mut mac = keyed.clone();
                mac.update(base);
                black_box(mac.finalize().into_bytes());
            }
        }
    })
}

pub fn bare() -> Router {
    let answer = |body: Bytes| async move {
        ([("content-type", "application/json")], format!("{{\"ok\":true,\"bytes\":{}}}", body.len()))
            .into_response()
    };
    Router::new()
        .route("/", post(answer))
        .route("/api/2/json", post(answer))
        .route("/api/2/json/{login}/{time}/{signature}", post(answer))
        .layer(DefaultBodyLimit::max(LIMIT))
}

/// The layer outside the router, as cheap as it gets.
pub fn around(scheme: Scheme) -> Verify<Router, AxumBody> {
    layer(scheme).with_body::<AxumBody>().layer(bare())
}

/// The layer where most will put it.
pub fn inside(scheme: Scheme) -> Router {
    bare().layer(layer(scheme).with_body::<AxumBody>())
}

pub fn layer(scheme: Scheme) -> VerifyLayer {
    let store = MemoryKeyStore::new();
    for number in 0..1000 {
        store.insert(scheme.name(), &format!("{number:036}"), credential(scheme));
    }
    store.insert(scheme.name(), KEY_ID, credential(scheme));
    store.install("salescloud", &KeyId::new(KEY_ID).unwrap(), &Organization::new(ORGANIZATION).unwrap());
    let verifier = match scheme {
        Scheme::Ateliere => {
            let ateliere = scheme::Ateliere::default().with_public_url(&format!("https://{AUTHORITY}"));
            SignatureVerifier::new(ateliere.unwrap(), store)
        }
        Scheme::Corezoid => SignatureVerifier::new(scheme::Corezoid::default(), store),
        Scheme::SalesCloud => SignatureVerifier::new(scheme::SalesCloud::default(), store),
    };
    VerifyLayer::new(verifier.with_clock(ManualClock::at(NOW))).with_body_limit(LIMIT as u64)
}

fn credential(scheme: Scheme) -> Credential {
    let key = MacKey::new(scheme.algorithm(), &Secret::new(SECRET).unwrap());
    let mut credential = Credential::new(Principal::new("bench").unwrap(), [SecretVersion::new(1, key)]);
    credential.organization = Some(Organization::new(ORGANIZATION).unwrap());
    credential.public_key = Some(PUBLIC_KEY.into());
    credential
}
