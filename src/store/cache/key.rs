//! What an entry is filed under: one short text a lookup, the same that the triggers of the database tell a change by.
//!
//! Names hold no control characters, so U+001F separates them. A lookup is never made into such a text to be found: its
//! parts are hashed and compared one by one.

use super::source::Wanted;
use crate::{credential::SecretHash, store::Lookup};
use papaya::Equivalent;
use smallvec::SmallVec;
use std::hash::{Hash, Hasher};

/// Between two parts: the ASCII unit separator.
const SEPARATOR: char = '\u{1f}';

/// The text. With a UUID and the longest scheme of this crate it has 48 bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Key(SmallVec<[u8; 56]>);

/// The parts of a lookup, hexadecimal digits made where bytes are looked up.
struct Parts<'a> {
    parts: [&'a [u8]; 4],
    len: usize,
}

impl Key {
    pub(super) fn of(lookup: Lookup<'_>) -> Self {
        let mut digits = [0; 64];
        let parts = Parts::of(lookup, &mut digits);
        let mut text = SmallVec::new();
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                text.push(SEPARATOR as u8);
            }
            text.extend_from_slice(part);
        }
        Self(text)
    }

    /// Reads the text of a trigger; `None` if it is not understood.
    pub(super) fn read(text: &str) -> Option<Self> {
        wanted(text).map(|wanted| Self::of(wanted.lookup()))
    }

    /// The question that the text stands for.
    pub(super) fn wanted(&self) -> Option<Wanted> {
        wanted(std::str::from_utf8(&self.0).ok()?)
    }

    fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|byte| *byte == SEPARATOR as u8)
    }
}

fn wanted(text: &str) -> Option<Wanted> {
    let mut parts = text.split(SEPARATOR);
    let kind = parts.next()?;
    let mut name = || parts.next().map(str::to_owned);
    let wanted = match kind {
        "key" => Wanted::Key { scheme: name()?, key_id: name()? },
        "installation" => Wanted::Installation { scheme: name()?, key_id: name()?, organization: name()? },
        "client" => Wanted::Client { client_id: name()? },
        "read-token" => {
            let mut hash = [0; 32];
            hex::decode_to_slice(name()?, &mut hash).ok()?;
            Wanted::ReadToken { hash: SecretHash::from_bytes(hash) }
        }
        "token-keys" => Wanted::TokenKeys,
        "signing-key" => Wanted::SigningKey,
        _ => return None,
    };
    parts.next().is_none().then_some(wanted)
}

impl<'a> Parts<'a> {
    fn of(lookup: Lookup<'a>, digits: &'a mut [u8; 64]) -> Self {
        let (parts, len): ([&[u8]; 4], _) = match lookup {
            Lookup::Key { scheme, key_id } => ([b"key", scheme.as_bytes(), key_id.as_bytes(), b""], 3),
            Lookup::Installation { scheme, key_id, organization } => {
                ([b"installation", scheme.as_bytes(), key_id.as_bytes(), organization.as_bytes()], 4)
            }
            Lookup::Client { client_id } => ([b"client", client_id.as_bytes(), b"", b""], 2),
            Lookup::ReadToken { hash } => {
                // There is room for just so many digits.
                hex::encode_to_slice(hash.as_bytes(), digits).unwrap_or_default();
                ([b"read-token", digits, b"", b""], 2)
            }
            Lookup::TokenKeys => ([b"token-keys", b"", b"", b""], 1),
            Lookup::SigningKey => ([b"signing-key", b"", b"", b""], 1),
        };
        Self { parts, len }
    }

    fn iter(&self) -> impl Iterator<Item = &'a [u8]> {
        self.parts[..self.len].iter().copied()
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().for_each(|part| state.write(part));
    }
}

/// A lookup as the map takes it.
pub(super) struct Asked<'a>(pub(super) Lookup<'a>);

impl Hash for Asked<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut digits = [0; 64];
        Parts::of(self.0, &mut digits).iter().for_each(|part| state.write(part));
    }
}

impl Equivalent<Key> for Asked<'_> {
    /// A part that holds a separator of its own is longer than any part of the text at its place, and equals none.
    fn equivalent(&self, key: &Key) -> bool {
        let mut digits = [0; 64];
        let parts = Parts::of(self.0, &mut digits);
        let mut rest = &*key.0;
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                let Some((&first, after)) = rest.split_first() else { return false };
                if first != SEPARATOR as u8 {
                    return false;
                }
                rest = after;
            }
            let Some(after) = rest.strip_prefix(part) else { return false };
            rest = after;
        }
        rest.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::BuildHasher;

    fn lookups(hash: &SecretHash) -> [Lookup<'_>; 9] {
        let (scheme, key_id) = ("ateliere", "5c2b6f9e-8f62-4a57-9bb1-1b0f5a3c7d21");
        [
            Lookup::Key { scheme, key_id },
            Lookup::Key { scheme: "ateliereX", key_id: "pk" },
            Lookup::Key { scheme: "ateliere", key_id: "Xpk" },
            Lookup::Installation { scheme, key_id, organization: "söug" },
            Lookup::Installation { scheme, key_id, organization: "other" },
            Lookup::Client { client_id: "c" },
            Lookup::ReadToken { hash },
            Lookup::TokenKeys,
            Lookup::SigningKey,
        ]
    }

    #[test]
    fn a_lookup_finds_its_own_text_and_no_other() {
        let hasher = foldhash::fast::RandomState::default();
        let hash = SecretHash::of(b"token");
        for (i, one) in lookups(&hash).into_iter().enumerate() {
            for (j, other) in lookups(&hash).into_iter().enumerate() {
                let (asked, key) = (Asked(one), Key::of(other));
                assert_eq!(asked.equivalent(&key), i == j, "{one:?} {other:?}");
                assert_eq!(hasher.hash_one(&asked) == hasher.hash_one(&key), i == j, "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn a_text_reads_back_as_the_lookup_that_it_was_made_of() {
        let hash = SecretHash::of(b"token");
        for lookup in lookups(&hash) {
            let key = Key::of(lookup);
            let wanted = key.wanted().unwrap();
            assert_eq!(format!("{:?}", wanted.lookup()), format!("{lookup:?}"));
            assert_eq!(Key::read(std::str::from_utf8(&key.0).unwrap()), Some(key));
        }
        for text in
            ["", "key", "key\u{1f}a", "key\u{1f}a\u{1f}b\u{1f}c", "token-keys\u{1f}", "read-token\u{1f}00"]
        {
            assert_eq!(Key::read(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_separator_in_a_name_finds_nothing() {
        let stored = Key::of(Lookup::Installation { scheme: "s", key_id: "k", organization: "o" });
        for lookup in [
            Lookup::Installation { scheme: "s\u{1f}k", key_id: "o", organization: "" },
            Lookup::Installation { scheme: "s", key_id: "k\u{1f}o", organization: "" },
            Lookup::Key { scheme: "s", key_id: "k\u{1f}o" },
        ] {
            assert!(!Asked(lookup).equivalent(&stored), "{lookup:?}");
        }
    }

    #[test]
    fn a_key_of_usual_length_lies_in_the_map_itself() {
        let scheme = "salescloud";
        assert!(!Key::of(Lookup::Key { scheme, key_id: &"u".repeat(36) }).0.spilled());
        assert_eq!(size_of::<Key>(), 64);
    }
}
