//! All integration tests, in one binary: each further one would link the whole crate again.

// Says to clippy that a helper here may `unwrap` like the test that calls it.
#![cfg(test)]

// The `countersign` command, from words to exit code.
#[cfg(feature = "cli")]
mod cli;
// What the source may import from where, and that every file says what it is for.
mod layering;
// What README.md shows works.
#[cfg(feature = "cli")]
mod readme;
mod spine;
