//! All integration tests, in one binary: each further one would link the whole crate again.

// Says to clippy that a helper here may `unwrap` like the test that calls it.
#![cfg(test)]

// What the source may import from where, and that every file says what it is for.
mod layering;
// What README.md shows works.
#[cfg(feature = "cli")]
mod readme;
mod spine;
// What every key store does and refuses, run over each of them.
mod store_contract;
mod support;
// Which of the URLs that clients type a server can know again.
mod url_arrivals;
// The providers' own signatures and recorded requests.
mod vectors;
