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
    /// Where in a block of the hash the buffer begins.
    offset: usize,
    sink: F,
}

/// Small, so that a processor begins to escape while it still waits for the last rounds of a hash.
const SIZE: usize = 192;
/// Block size of SHA-1 and SHA-256.
pub(super) const BLOCK: usize = 64;
/// Longest escape of one byte: `\u00xx`.
const WIDEST: usize = 6;
const WORD: usize = 8;

impl<F: FnMut(&[u8])> Stage<F> {
    pub(super) const fn new(sink: F) -> Self {
        Self::after(0, sink)
    }

    /// For a hash that has this many bytes of its block.
    pub(super) const fn after(offset: usize, sink: F) -> Self {
        Self { buffer: [0; SIZE], len: 0, offset, sink }
    }

    /// Appends bytes as they are.
    pub(super) fn raw(&mut self, mut bytes: &[u8]) {
        // Most texts are short.
        if let Some(room) = self.buffer.get_mut(self.len..self.len + bytes.len()) {
            room.copy_from_slice(bytes);
            self.len += bytes.len();
            return;
        }
        while !bytes.is_empty() {
            if self.len + BLOCK > SIZE {
                self.len = self.hand_over_blocks(self.len);
            }
            let now = bytes.len().min(SIZE - self.len);
            self.buffer[self.len..self.len + now].copy_from_slice(&bytes[..now]);
            self.len += now;
            bytes = &bytes[now..];
        }
    }

    /// Appends text, escaped, two words at a time: if no byte of them needs an escape they are copied as they are.
    pub(super) fn escaped(&mut self, text: &[u8]) {
        let (pairs, rest) = text.as_chunks::<{ 2 * WORD }>();
        let mut len = self.len;
        for pair in pairs {
            if len + 2 * WORD * WIDEST > SIZE {
                len = self.hand_over_blocks(len);
            }
            let both = u128::from_le_bytes(*pair);
            let words = [both as u64, (both >> 64) as u64];
            if words.iter().all(|word| controls(*word) | marks(*word) == 0) {
                self.buffer[len..len + 2 * WORD].copy_from_slice(pair);
                len += 2 * WORD;
            } else {
                len = escape_word(&mut self.buffer, len, words[0]);
                len = escape_word(&mut self.buffer, len, words[1]);
            }
        }
        for &byte in rest {
            if len + WIDEST > SIZE {
                len = self.hand_over_blocks(len);
            }
            len = escape(&mut self.buffer, len, byte);
        }
        self.len = len;
    }

    /// Hands over what is left and then these bytes, which leave no copy in the buffer.
    pub(super) fn past(&mut self, bytes: &[u8]) {
        self.finish();
        (self.sink)(bytes);
        self.offset = (self.offset + bytes.len()) % BLOCK;
    }

    /// Hands over what is left.
    pub(super) fn finish(&mut self) {
        (self.sink)(&self.buffer[..self.len]);
        self.offset = (self.offset + self.len) % BLOCK;
        self.len = 0;
    }

    /// Hands over what is staged, of more than a block, up to the end of a block, and says how much is left.
    fn hand_over_blocks(&mut self, len: usize) -> usize {
        let whole = len - (self.offset + len) % BLOCK;
        self.offset = 0;
        (self.sink)(&self.buffer[..whole]);
        self.buffer.copy_within(whole..len, 0);
        len - whole
    }
}

/// Appends eight bytes, escaped. Which of them need it is not predictable, so that it is not asked, but looked up.
#[inline(always)]
fn escape_word(buffer: &mut [u8; SIZE], mut len: usize, word: u64) -> usize {
    if controls(word) != 0 {
        // They become other letters.
        return word.to_le_bytes().into_iter().fold(len, |len, byte| escape(buffer, len, byte));
    }
    let marks = marks(word);
    for (half, marks) in [(word as u32, marks as u32), ((word >> 32) as u32, (marks >> 32) as u32)] {
        let spread = &SPREADS[which(marks)];
        buffer[len..len + WORD].copy_from_slice(&spread.apply(half).to_le_bytes());
        len += spread.len;
    }
    len
}

/// Appends a byte, escaped.
fn escape(buffer: &mut [u8; SIZE], len: usize, byte: u8) -> usize {
    let room = &mut buffer[len..];
    len + match CLASS[usize::from(byte)] {
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
    }
}

const LOW: u64 = 0x0101_0101_0101_0101;

/// The high bit of each byte that is zero.
const fn zeros(word: u64) -> u64 {
    const SEVEN: u64 = LOW * 0x7f;
    !(((word & SEVEN) + SEVEN) | word) & !SEVEN
}

/// The high bit of each byte that is a control character.
const fn controls(word: u64) -> u64 {
    zeros(word & (LOW * 0xe0))
}

/// The high bit of each byte that is a quotation mark or a backslash.
const fn marks(word: u64) -> u64 {
    zeros(word ^ (LOW * b'"' as u64)) | zeros(word ^ (LOW * b'\\' as u64))
}

/// How four bytes make room for backslashes before some of them.
#[derive(Clone, Copy)]
struct Spread {
    /// The bytes that move on by 0, 1, 2, 3 and 4 places.
    moves: [u32; 5],
    /// The backslashes, in their places.
    backslashes: u64,
    /// How long they are together.
    len: usize,
}

impl Spread {
    /// For the four bytes whose bits are set.
    const fn new(marked: usize) -> Self {
        let mut spread = Self { moves: [0; 5], backslashes: 0, len: 4 };
        let (mut byte, mut pushed) = (0, 0);
        while byte < 4 {
            if marked >> byte & 1 == 1 {
                spread.backslashes |= (b'\\' as u64) << (8 * (byte + pushed));
                pushed += 1;
                spread.len += 1;
            }
            spread.moves[pushed] |= 0xff << (8 * byte);
            byte += 1;
        }
        spread
    }

    fn apply(&self, bytes: u32) -> u64 {
        let moved = |by: usize| u64::from(bytes & self.moves[by]) << (8 * by);
        moved(0) | moved(1) | moved(2) | moved(3) | moved(4) | self.backslashes
    }
}

/// One for each choice of bytes among four.
static SPREADS: [Spread; 16] = {
    let mut spreads = [Spread::new(0); 16];
    let mut marked = 0;
    while marked < spreads.len() {
        spreads[marked] = Spread::new(marked);
        marked += 1;
    }
    spreads
};

/// The high bits of four bytes, side by side.
const fn which(marks: u32) -> usize {
    (marks.wrapping_mul(1 << 21 | 1 << 14 | 1 << 7 | 1) >> 28) as usize
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
