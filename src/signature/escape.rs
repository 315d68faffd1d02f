//! Text as the inside of a JSON string, exactly as `JSON.stringify` writes it (ECMA-262 §25.5.2, QuoteJSONString).
//!
//! Only `"`, `\` and the control characters below U+0020 are escaped: `\b \t \n \f \r`, the others as `\u00xx` in
//! lower case. `/`, U+007F, U+2028 and everything beyond stay as they are. For valid UTF-8 that can be decided byte by
//! byte.

const HEX: &[u8; 16] = b"0123456789abcdef";

/// What a byte becomes: 0 itself, 1 `\u00xx`, else a backslash and this letter.
const CLASS: [u8; 256] = {
    let mut class = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        class[byte] = 1;
        byte += 1;
    }
    class[0x08] = b'b';
    class[0x09] = b't';
    class[0x0a] = b'n';
    class[0x0c] = b'f';
    class[0x0d] = b'r';
    class[b'"' as usize] = b'"';
    class[b'\\' as usize] = b'\\';
    class
};

/// A staging buffer between escaped text and a hash. It hands over whole blocks while it fills, because a hash that is
/// fed whole blocks need not copy them, and because escaping the next block then overlaps with hashing the last.
pub(super) struct Stage<F: FnMut(&[u8])> {
    buffer: [u8; SIZE],
    len: usize,
    sink: F,
}

const SIZE: usize = 512;
/// Block size of SHA-1 and SHA-256.
const BLOCK: usize = 64;
/// Longest escape of one byte: `\u00xx`.
const WIDEST: usize = 6;
const WORD: usize = 8;

impl<F: FnMut(&[u8])> Stage<F> {
    pub(super) const fn new(sink: F) -> Self {
        Self { buffer: [0; SIZE], len: 0, sink }
    }

    /// Appends bytes as they are.
    pub(super) fn raw(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.len + BLOCK > SIZE {
                self.hand_over_blocks();
            }
            let now = bytes.len().min(SIZE - self.len);
            self.buffer[self.len..self.len + now].copy_from_slice(&bytes[..now]);
            self.len += now;
            bytes = &bytes[now..];
        }
    }

    /// Appends text, escaped. Looks at eight bytes at a time: if none needs an escape they are copied as they are.
    pub(super) fn escaped(&mut self, text: &[u8]) {
        let (words, rest) = text.as_chunks::<WORD>();
        for word in words {
            if self.len + WORD * WIDEST > SIZE {
                self.hand_over_blocks();
            }
            if needs_escape(u64::from_le_bytes(*word)) {
                self.escape_word(*word);
            } else {
                self.buffer[self.len..self.len + WORD].copy_from_slice(word);
                self.len += WORD;
            }
        }
        for &byte in rest {
            if self.len + WIDEST > SIZE {
                self.hand_over_blocks();
            }
            self.escape(byte);
        }
    }

    /// Hands over what is left and then these bytes, which leave no copy in the buffer.
    pub(super) fn past(&mut self, bytes: &[u8]) {
        self.finish();
        (self.sink)(bytes);
    }

    /// Hands over what is left.
    pub(super) fn finish(&mut self) {
        (self.sink)(&self.buffer[..self.len]);
        self.len = 0;
    }

    /// Escapes eight bytes of which some need it. Where they are is not predictable, so nothing is asked: each byte is
    /// written behind a backslash, and the next one over it if there was nothing to escape.
    fn escape_word(&mut self, word: [u8; WORD]) {
        if word.iter().any(|&byte| CLASS[usize::from(byte)] == 1) {
            return word.into_iter().for_each(|byte| self.escape(byte));
        }
        let mut pairs = [0; 2 * WORD];
        let mut len = 0;
        for byte in word {
            let letter = CLASS[usize::from(byte)];
            let escapes = usize::from(letter != 0);
            pairs[len % (2 * WORD)] = b'\\';
            len += escapes;
            pairs[len % (2 * WORD)] = if escapes == 0 { byte } else { letter };
            len += 1;
        }
        self.buffer[self.len..self.len + 2 * WORD].copy_from_slice(&pairs);
        self.len += len;
    }

    fn escape(&mut self, byte: u8) {
        let room = &mut self.buffer[self.len..];
        self.len += match CLASS[usize::from(byte)] {
            0 => {
                room[0] = byte;
                1
            }
            1 => {
                room[..4].copy_from_slice(b"\\u00");
                room[4] = HEX[usize::from(byte >> 4)];
                room[5] = HEX[usize::from(byte & 15)];
                6
            }
            letter => {
                room[..2].copy_from_slice(&[b'\\', letter]);
                2
            }
        };
    }

    fn hand_over_blocks(&mut self) {
        let whole = self.len - self.len % BLOCK;
        (self.sink)(&self.buffer[..whole]);
        self.buffer.copy_within(whole..self.len, 0);
        self.len -= whole;
    }
}

/// Whether any of eight bytes is below 0x20, a quotation mark or a backslash: the borrow of a subtraction in each byte,
/// with false alarms only for a byte above a true one.
const fn needs_escape(word: u64) -> bool {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    const fn below(word: u64, limit: u64) -> u64 {
        word.wrapping_sub(LOW * limit) & !word
    }
    let quote = below(word ^ (LOW * b'"' as u64), 1);
    let backslash = below(word ^ (LOW * b'\\' as u64), 1);
    (below(word, 0x20) | quote | backslash) & HIGH != 0
}

/// Appends `text`, escaped, to a vector.
pub(super) fn escape_into(out: &mut Vec<u8>, text: &[u8]) {
    let mut stage = Stage::new(|bytes| out.extend_from_slice(bytes));
    stage.escaped(text);
    stage.finish();
}

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
            match std::str::from_utf8(&self.pending[..self.len]) {
                Ok(_) => self.len = 0,
                Err(error) => self.broken = error.error_len().is_some(),
            }
        }
        if let Err(error) = std::str::from_utf8(bytes) {
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

    fn escaped(text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        escape_into(&mut out, text);
        out
    }

    #[test]
    fn every_unicode_scalar_value_is_escaped_like_serde_json_does() {
        for start in (0..0x11_0000_u32).step_by(0x400) {
            let text: String = (start..start + 0x400).filter_map(char::from_u32).collect();
            let quoted = serde_json::to_string(&text).unwrap();
            let inside = &quoted.as_bytes()[1..quoted.len() - 1];
            assert!(escaped(text.as_bytes()) == inside, "block {start:#x}");
        }
    }

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
        fn any_text_in_any_pieces_is_escaped_like_serde_json_does(
            text in ".{0,700}|[\u{0}-\u{1f}\"\\\\a]{0,700}", size in 1_usize..600,
        ) {
            let quoted = serde_json::to_string(&text).unwrap();
            let mut out = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                escape_into(&mut out, piece);
            }
            prop_assert_eq!(out, &quoted.as_bytes()[1..quoted.len() - 1]);
        }

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
