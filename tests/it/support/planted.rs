//! Every secret that this run of the tests has made, and the search for any of them in what was captured.
//!
//! Whoever makes a secret, a signature that may be valid or a token plants it here; whoever captures what a program has
//! printed has it searched, for what was planted by then in any test. What panics in this process say is searched with
//! it; those of servers stand in their logs.

use super::printed::{hear_panics, panics};
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

static PLANTED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
/// What is shorter stands in other texts by chance.
const SHORTEST: usize = 16;

fn planted() -> MutexGuard<'static, BTreeSet<String>> {
    PLANTED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes a text that must be printed nowhere, in none of the spellings in which programs print bytes.
pub(crate) fn plant(text: &str) {
    hear_panics();
    assert!(text.len() >= SHORTEST, "too short to be searched for");
    let bytes = text.as_bytes();
    let list = format!("{bytes:?}");
    let spellings = [
        text.to_owned(),
        hex::encode(bytes),
        hex::encode_upper(bytes),
        BASE64_STANDARD.encode(bytes),
        BASE64_URL_SAFE_NO_PAD.encode(bytes),
        list.trim_matches(['[', ']']).to_owned(),
    ];
    planted().extend(spellings);
}

/// Fails if anything that was planted stands in a text, or in what a panic of this process has said so far.
pub(crate) fn search(what: &str, text: &str) {
    search_in(what, text);
    search_in("a panic", &panics());
}

fn search_in(what: &str, text: &str) {
    let found = planted().iter().find_map(|needle| text.find(&**needle));
    if let Some(at) = found {
        let start =
            (0..=at.saturating_sub(80)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        // Not the secret itself: this text is printed as well.
        panic!("{what} prints a secret behind {:?}", &text[start..at]);
    }
}

#[test]
fn what_was_planted_is_found_in_every_spelling() {
    let secret = "a secret that this test alone has planted";
    plant(secret);
    search("a text", "a secret that this test alone has plante");
    for spelled in [
        format!("x{secret}"),
        hex::encode(secret),
        format!("{:?}", secret.as_bytes()),
        BASE64_STANDARD.encode(secret),
    ] {
        assert!(std::panic::catch_unwind(|| search("a text", &spelled)).is_err(), "{spelled}");
    }
}
