//! Names of keys, accounts and organizations: short text that is copied, not counted.
//!
//! Every request brings some and is told others, so that text of usual length travels inline: without an allocation, and
//! without a count to which all threads write.

use std::{error::Error, fmt, sync::Arc};

/// Inline capacity in bytes: a UUID has 36, and 38 with two length bytes fill 40.
const INLINE: usize = 38;
/// Longest name accepted, in bytes.
const LONGEST: usize = 255;

#[derive(Clone)]
enum Text {
    Inline(Inline),
    Shared(Arc<str>),
}

/// A short name, which is copied as one piece of 40 bytes: what was copied piece by piece and is then moved as a whole
/// makes a processor wait.
#[derive(Clone, Copy)]
struct Inline {
    /// Always `true`. The values that it cannot have tell the other kind of text.
    _inline: bool,
    len: u8,
    bytes: [u8; INLINE],
}

impl Inline {
    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl Text {
    fn new(text: &str) -> Result<Self, TextError> {
        // Names are nearly always visible ASCII, and that can be seen without decoding them.
        let plain = text.bytes().fold(true, |plain, byte| plain & (b' '..=b'~').contains(&byte));
        if text.is_empty() || text.len() > LONGEST || !plain && text.chars().any(char::is_control) {
            return Err(TextError(()));
        }
        let mut bytes = [0; INLINE];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(room), Ok(len)) => {
                room.copy_from_slice(text.as_bytes());
                Ok(Self::Inline(Inline { _inline: true, len, bytes }))
            }
            _ => Ok(Self::Shared(text.into())),
        }
    }

    fn as_str(&self) -> &str {
        match self {
            // Only `new` writes the bytes, and it copies them from a `&str`.
            Self::Inline(inline) => std::str::from_utf8(inline.as_bytes()).unwrap_or_default(),
            Self::Shared(text) => text,
        }
    }

    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Inline(inline) => inline.as_bytes(),
            Self::Shared(text) => text.as_bytes(),
        }
    }
}

/// A name is empty, longer than 255 bytes, or contains a control character.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TextError(());

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name has 1 to 255 bytes and no control characters")
    }
}

impl Error for TextError {}

macro_rules! names {
    ($($(#[$docs:meta])* $name:ident)+) => {$(
        $(#[$docs])*
        #[derive(Clone)]
        pub struct $name(Text);

        impl $name {
            /// Takes a name over as it is written.
            ///
            /// # Errors
            ///
            /// [`TextError`] unless it has 1 to 255 bytes and no control characters.
            pub fn new(text: &str) -> Result<Self, TextError> {
                Text::new(text).map(Self)
            }

            /// The name as it was written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl Eq for $name {}

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.0.as_bytes() == other.0.as_bytes()
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                self.0.as_bytes().cmp(other.0.as_bytes())
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.0.as_bytes() == other.as_bytes()
            }
        }

        impl std::hash::Hash for $name {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.0.as_bytes().hash(state);
            }
        }

        impl std::borrow::Borrow<[u8]> for $name {
            fn borrow(&self) -> &[u8] {
                self.0.as_bytes()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), self.as_str())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    )+};
}

names! {
    /// The public identifier of a key: Ateliere's `oz-key-id`, SalesCloud's application UUID, Corezoid's API login.
    KeyId
    /// An organization in the provider's own spelling: Ateliere's slug, SalesCloud's UUID, Corezoid's company id.
    Organization
    /// The account that a verified request acts for.
    Principal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_any_length_reads_back_as_it_was_written() {
        for len in [1, 37, 38, 39, 254, 255] {
            let text = "k".repeat(len);
            assert_eq!(KeyId::new(&text).unwrap().as_str(), text);
        }
        assert_eq!(KeyId::new("söug").unwrap().as_str(), "söug");
    }

    #[test]
    fn empty_overlong_and_control_characters_are_refused() {
        for text in ["", "a\nb", "a\0", "\u{85}", &"k".repeat(256)] {
            assert!(KeyId::new(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_name_of_usual_length_costs_forty_bytes() {
        assert_eq!(size_of::<KeyId>(), 40);
        assert_eq!(size_of::<Option<KeyId>>(), 40);
    }
}
