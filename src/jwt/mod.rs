//! Access tokens as signed JSON Web Tokens: compact JWS (RFC 7515 §3.1) with registered claims (RFC 7519 §4.1).
//!
//! A [`PrivateKey`] signs [`Claims`]; a [`KeySet`] verifies tokens against a [`Profile`], and a
//! [`TokenVerifier`] also knows again those that it has seen. Keys are parsed once and used many times.
//!
//! Stricter than the standards, and than most libraries, wherever they leave a choice:
//!
//! * the algorithm belongs to the key; a token that names another is refused, whatever its signature;
//! * a token has at most [`MAX_TOKEN_LENGTH`] bytes and exactly three parts, each base64url without padding and with no
//!   stray bits after the last byte (RFC 4648 §3.5);
//! * a header has `alg`, and may have `typ` (`JWT`) and `kid`; any other field, `crit`, `jwk`, `jku` and `x5u` among
//!   them, refuses the token;
//! * a name that stands twice in header or claims refuses the token, so that no two readers can see different values;
//!   each has at most 64 names;
//! * `aud` is one text, never a list; times are whole seconds, and before the year 10000.
//!
//! The code is ours, and small: of the libraries, `jsonwebtoken` picks the algorithm by the token's header from a list,
//! and parses the private key on every signature. It is an oracle in the tests instead.
//!
//! ```
//! use countersign::{
//!     credential::TokenAlgorithm,
//!     jwt::{Claims, KeySet, PrivateKey, Profile},
//! };
//! use std::time::{Duration, SystemTime, UNIX_EPOCH};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let key = PrivateKey::generate(TokenAlgorithm::Es256).await?;
//! let profile = Profile::new("Cloud", "2091");
//! let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
//! let claims = Claims::issue(&profile, "6237:708", now, Duration::from_secs(3600));
//!
//! let token = key.sign(&claims, None)?;
//! let keys = KeySet::new([key.public_key().clone()]);
//! assert_eq!(keys.verify(&token, &profile, now)?, claims);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod claims;
mod key;
mod set;
mod strict;
mod verifier;

pub use self::{
    claims::{Claims, Profile},
    key::{KeyError, PrivateKey, PublicKey},
    set::{KeySet, MAX_TOKEN_LENGTH},
    verifier::TokenVerifier,
};
