//! The providers' vectors: every recorded signature comes out of the crate's own code, and every recorded request is
//! judged by the real layer as it should be.
//!
//! Each test ends with the number of cases it went through, so that none is skipped silently.

mod ateliere;
mod corezoid;
mod corezoid_callback;
mod json_stringify;
mod salescloud;
mod salescloud_webhook;

use countersign::{
    secret::Secret,
    signature::{Algorithm, Computation, MacKey, Signature, SignatureBase},
};

/// The signature of a body over one base.
fn sign(algorithm: Algorithm, secret: &Secret, base: SignatureBase<'_>, body: &[u8]) -> Signature {
    let key = MacKey::new(algorithm, secret);
    let mut computation = Computation::begin(&[base], std::iter::once(&key));
    computation.update(body);
    computation.sign().unwrap()
}
