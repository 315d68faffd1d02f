//! All integration tests, in one binary: each further one would link the whole crate again.

// Says to clippy that a helper here may `unwrap` like the test that calls it.
#![cfg(test)]

// What the command line prints, and how it ends.
#[cfg(feature = "cli")]
mod cli;
// Foreign clients, run as they are.
mod clients;
// What a signature covers, and that the docs say so.
mod covers;
// What the source may import from where, and that every file says what it is for.
mod layering;
// What holds for every request of every scheme.
mod properties;
// What README.md shows works.
#[cfg(feature = "cli")]
mod readme;
// What every key store does and refuses, run over each of them.
mod store_contract;
mod support;
// Which of the URLs that clients type a server can know again.
mod url_arrivals;
// The providers' own signatures and recorded requests.
mod vectors;
