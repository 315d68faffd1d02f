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

/// The text, but for a letter in the place of its first part: with a UUID and the longest scheme of this crate it has 48
/// bytes, and lies in the map itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Key(SmallVec<[u8; 48]>);

/// What a lookup asks for, as the triggers name it and as the text here begins.
const KINDS: [(&str, u8); 6] = [
    ("key", b'k'),
    ("installation", b'i'),
    ("client", b'c'),
    ("read-token", b'r'),
    ("token-keys", b't'),
    ("signing-key", b's'),
];

impl Key {
    pub(super) fn of(lookup: Lookup<'_>) -> Self {
        Asked(lookup).parts(|kind, names| {
            let mut text = SmallVec::new();
            text.push(kind);
            for (index, name) in names.iter().enumerate() {
                if index > 0 {
                    text.push(SEPARATOR as u8);
                }
                text.extend_from_slice(name);
            }
            Self(text)
        })
    }

    /// Reads the text of a trigger; `None` if it is not understood.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (kind, names) =
            text.split_once(SEPARATOR).map_or((text, None), |(kind, names)| (kind, Some(names)));
        let (_, kind) = KINDS.into_iter().find(|row| row.0 == kind)?;
        wanted(kind, names).map(|wanted| Self::of(wanted.lookup()))
    }

    /// The question that the text stands for.
    pub(super) fn wanted(&self) -> Option<Wanted> {
        let (kind, names) = self.0.split_first()?;
        let names = std::str::from_utf8(names).ok()?;
        wanted(*kind, Some(names).filter(|names| !names.is_empty()))
    }
}

fn wanted(kind: u8, names: Option<&str>) -> Option<Wanted> {
    let mut names = names.into_iter().flat_map(|names| names.split(SEPARATOR));
    let mut name = || names.next().map(str::to_owned);
    let wanted = match kind {
        b'k' => Wanted::Key { scheme: name()?, key_id: name()? },
        b'i' => Wanted::Installation { scheme: name()?, key_id: name()?, organization: name()? },
        b'c' => Wanted::Client { client_id: name()? },
        b'r' => {
            let mut hash = [0; 32];
            hex::decode_to_slice(name()?, &mut hash).ok()?;
            Wanted::ReadToken { hash: SecretHash::from_bytes(hash) }
        }
        b't' => Wanted::TokenKeys,
        b's' => Wanted::SigningKey,
        _ => return None,
    };
    names.next().is_none().then_some(wanted)
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (_, names) = self.0.split_first().unwrap_or((&0, &[]));
        names.split(|byte| *byte == SEPARATOR as u8).for_each(|name| state.write(name));
    }
}

/// A lookup as the map takes it.
pub(super) struct Asked<'a>(pub(super) Lookup<'a>);

impl Asked<'_> {
    /// Tells `then` the letter and the names, hexadecimal digits made where bytes are looked up.
    #[inline]
    fn parts<T>(&self, then: impl FnOnce(u8, &[&[u8]]) -> T) -> T {
        match self.0 {
            Lookup::Key { scheme, key_id } => then(b'k', &[scheme.as_bytes(), key_id.as_bytes()]),
            Lookup::Installation { scheme, key_id, organization } => {
                then(b'i', &[scheme.as_bytes(), key_id.as_bytes(), organization.as_bytes()])
            }
            Lookup::Client { client_id } => then(b'c', &[client_id.as_bytes()]),
            Lookup::ReadToken { hash } => {
                let mut digits = [0; 64];
                // There is room for just so many digits.
                hex::encode_to_slice(hash.as_bytes(), &mut digits).unwrap_or_default();
                then(b'r', &[&digits])
            }
            Lookup::TokenKeys => then(b't', &[b""]),
            Lookup::SigningKey => then(b's', &[b""]),
        }
    }
}

impl Hash for Asked<'_> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts(|_, names| names.iter().for_each(|name| state.write(name)));
    }
}

impl Equivalent<Key> for Asked<'_> {
    /// A part that holds a separator of its own is longer than any part of the text at its place, and equals none.
    #[inline]
    fn equivalent(&self, key: &Key) -> bool {
        self.parts(|kind, names| {
            let Some((first, mut rest)) = key.0.split_first() else { return false };
            if *first != kind {
                return false;
            }
            for (index, name) in names.iter().enumerate() {
                if index > 0 {
                    let Some(after) = rest.strip_prefix(&[SEPARATOR as u8]) else { return false };
                    rest = after;
                }
                let Some(after) = rest.strip_prefix(*name) else { return false };
                rest = after;
            }
            rest.is_empty()
        })
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
                assert!(i != j || hasher.hash_one(&asked) == hasher.hash_one(&key), "{one:?}");
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
        }
        for (text, lookup) in [
            ("key\u{1f}s\u{1f}k", Lookup::Key { scheme: "s", key_id: "k" }),
            (
                "installation\u{1f}s\u{1f}k\u{1f}o",
                Lookup::Installation { scheme: "s", key_id: "k", organization: "o" },
            ),
            ("client\u{1f}c", Lookup::Client { client_id: "c" }),
            ("token-keys", Lookup::TokenKeys),
            ("signing-key", Lookup::SigningKey),
        ] {
            assert_eq!(Key::read(text), Some(Key::of(lookup)), "{text:?}");
        }
        let digits = format!("read-token\u{1f}{}", hex::encode(hash.as_bytes()));
        assert_eq!(Key::read(&digits), Some(Key::of(Lookup::ReadToken { hash: &hash })));
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
        assert_eq!(size_of::<Key>(), 56);
    }
}
