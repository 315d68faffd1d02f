//! The check that a body is UTF-8, while it arrives in pieces.

use simdutf8::compat::from_utf8;

/// Whether bytes that arrive in pieces are UTF-8; a character may lie across pieces.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Utf8 {
    /// The beginning of a character whose end has not arrived.
    pending: [u8; 4],
    len: usize,
    broken: bool,
}

impl Utf8 {
    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        while self.len > 0 && !self.broken {
            let Some((&next, rest)) = bytes.split_first() else { return };
            self.pending[self.len] = next;
            self.len += 1;
            bytes = rest;
            match from_utf8(&self.pending[..self.len]) {
                Ok(_) => self.len = 0,
                Err(error) => self.broken = error.error_len().is_some(),
            }
        }
        if let Err(error) = from_utf8(bytes) {
            let tail = &bytes[error.valid_up_to()..];
            self.broken |= error.error_len().is_some();
            if !self.broken {
                self.pending[..tail.len()].copy_from_slice(tail);
                self.len = tail.len();
            }
        }
    }

    /// Whether everything so far is UTF-8 and no character is left unfinished.
    pub(super) const fn is_complete(self) -> bool {
        !self.broken && self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn utf8_across_pieces_is_judged_like_the_whole() {
        let cases: [&[u8]; 12] = [
            b"plain",
            "é😀\u{2028}z".as_bytes(),
            b"\xff",
            b"\xc3",
            b"\xc3\x28",
            b"\xe2\x82",
            b"\xf0\x9f\x98\x80",
            b"\xed\xa0\x80",
            b"\xf4\x90\x80\x80",
            b"\xc0\xaf",
            b"a\x80b",
            b"",
        ];
        for bytes in cases {
            for size in 1..=bytes.len().max(1) {
                let mut utf8 = Utf8::default();
                bytes.chunks(size).for_each(|piece| utf8.update(piece));
                assert_eq!(utf8.is_complete(), std::str::from_utf8(bytes).is_ok(), "{bytes:x?} by {size}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_are_judged_like_the_whole(
            bytes in prop::collection::vec(any::<u8>(), 0..40), size in 1_usize..8,
        ) {
            let mut utf8 = Utf8::default();
            bytes.chunks(size).for_each(|piece| utf8.update(piece));
            prop_assert_eq!(utf8.is_complete(), std::str::from_utf8(&bytes).is_ok());
        }
    }
}
