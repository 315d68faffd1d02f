//! Text as the inside of a JSON string, exactly as `JSON.stringify` writes it (ECMA-262 §25.5.2, QuoteJSONString).
//!
//! Only `"`, `\` and the control characters below U+0020 are escaped: `\b \t \n \f \r`, the others as `\u00xx` in
//! lower case. `/`, U+007F, U+2028 and everything beyond stay as they are. For valid UTF-8 that can be decided byte by
//! byte, and is decided for sixteen at a time.

use fearless_simd::{Level, dispatch, prelude::*, u8x16, u64x2};

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

/// Once there is more, whole blocks are handed over: two of them mostly. With fewer a call costs too much, and with more
/// a processor no longer looks so far ahead that it escapes while it waits for the last rounds of a hash.
const FULL: usize = 160;
/// What there is at most: one more vector, each byte of it with a backslash.
const MOST: usize = FULL + 2 * VECTOR;
/// With room behind it to move a block, whole, to the front: the less of it is left, the less matters.
const SIZE: usize = MOST + BLOCK;
/// Block size of SHA-1 and SHA-256.
pub(super) const BLOCK: usize = 64;
/// Bytes that are escaped together.
const VECTOR: usize = 16;

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
        if let Some(room) = self.buffer[..MOST].get_mut(self.len..self.len + bytes.len()) {
            room.copy_from_slice(bytes);
            self.len += bytes.len();
            return;
        }
        while !bytes.is_empty() {
            if self.len > FULL {
                self.len = self.hand_over_blocks(self.len);
            }
            let now = bytes.len().min(MOST - self.len);
            self.buffer[self.len..self.len + now].copy_from_slice(&bytes[..now]);
            self.len += now;
            bytes = &bytes[now..];
        }
    }

    /// Appends text, escaped.
    pub(super) fn escaped(&mut self, text: &[u8]) {
        self.escaped_with(Level::new(), text);
    }

    /// With what this processor has of vector instructions.
    fn escaped_with(&mut self, level: Level, text: &[u8]) {
        let vectors = if level.is_fallback() { &[] } else { text.as_chunks().0 };
        if !vectors.is_empty() {
            dispatch!(level, simd => self.vectors(simd, vectors));
        }
        self.bytes(&text[vectors.as_flattened().len()..]);
    }

    /// Appends text, escaped byte by byte.
    #[inline(never)]
    fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if self.len > FULL {
                self.len = self.hand_over_blocks(self.len);
            }
            self.len = escape(&mut self.buffer, self.len, byte);
        }
    }

    #[inline(always)]
    fn vectors<S: Simd>(&mut self, simd: S, vectors: &[[u8; VECTOR]]) {
        let mut len = self.len;
        for vector in vectors {
            if len > FULL {
                len = self.hand_over_blocks(len);
            }
            if let Some(more) = escape_vector(simd, vector, &mut self.buffer[len..]) {
                len += more;
            } else {
                self.len = len;
                self.bytes(vector);
                len = self.len;
            }
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
    #[inline(always)]
    fn hand_over_blocks(&mut self, len: usize) -> usize {
        let whole = len - (self.offset + len) % BLOCK;
        self.offset = 0;
        (self.sink)(&self.buffer[..whole]);
        self.buffer.copy_within(whole..whole + BLOCK, 0);
        len - whole
    }
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

/// The bytes that get a backslash before them and, most of them, another letter; each in the place that its low four bits
/// name. U+000C shares its place with the backslash and gives way. In the other places stands one that is of none of them.
const MARKED: [u8; VECTOR] = by_low_bits(b"\"\\\x08\t\n\r", false);
/// What these bytes become.
const LETTERS: [u8; VECTOR] = by_low_bits(b"\"\\\x08\t\n\r", true);

const fn by_low_bits(bytes: &[u8], letters: bool) -> [u8; VECTOR] {
    let mut table = [b'"'; VECTOR];
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        table[(byte & 15) as usize] = if letters { CLASS[byte as usize] } else { byte };
        at += 1;
    }
    table
}

/// Half a vector, and how many backslashes may be among it.
const HALF: usize = VECTOR / 2;

/// Where each byte comes from when backslashes stand before some of eight: from one of them, or from the backslashes
/// behind them. One for each choice among the eight.
static SPREADS: Aligned = Aligned({
    let mut spreads = [[HALF as u8; VECTOR]; 1 << HALF];
    let mut marked = 0;
    while marked < spreads.len() {
        let (mut byte, mut place) = (0, 0);
        while byte < HALF {
            place += marked >> byte & 1;
            spreads[marked][place] = byte as u8;
            (byte, place) = (byte + 1, place + 1);
        }
        marked += 1;
    }
    spreads
});

/// None of them lies across two lines of a cache.
#[repr(align(16))]
struct Aligned([[u8; VECTOR]; 1 << HALF]);

/// Writes sixteen bytes, escaped, into room for twice as many, and says how many they have become; `None` if one needs
/// more than a backslash. Which of the others need one is not predictable, so that it is not asked, but looked up.
#[inline(always)]
fn escape_vector<S: Simd>(simd: S, bytes: &[u8; VECTOR], room: &mut [u8]) -> Option<usize> {
    let table = |table: [u8; VECTOR]| -> u8x16<S> { table.simd_into(simd) };
    let bytes = table(*bytes);
    let low_bits = bytes & 15;
    let marked = table(MARKED).swizzle_dyn_within_blocks(low_bits).simd_eq(bytes);
    if (bytes.simd_lt(0x20) & !marked).any_true() {
        return None;
    }
    let letters = marked.select(table(LETTERS).swizzle_dyn_within_blocks(low_bits), bytes);
    let letters = letters.bitcast::<u64x2<S>>();
    let backslashes = u8x16::splat(simd, b'\\').bitcast::<u64x2<S>>();
    let mut len = 0;
    for (half, marked) in [letters.zip_low(backslashes), letters.zip_high(backslashes)]
        .into_iter()
        .zip((marked.to_bitmask() as u16).to_le_bytes())
    {
        let spread = half.bitcast::<u8x16<S>>().swizzle_dyn_within_blocks(SPREADS.0[usize::from(marked)]);
        room[len..len + VECTOR].copy_from_slice(spread.as_slice());
        len += HALF + marked.count_ones() as usize;
    }
    Some(len)
}

/// Appends `text`, escaped, to a vector.
pub(super) fn escape_into(out: &mut Vec<u8>, text: &[u8]) {
    let mut stage = Stage::new(|bytes| out.extend_from_slice(bytes));
    stage.escaped(text);
    stage.finish();
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn escaped(level: Level, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut stage = Stage::new(|bytes| out.extend_from_slice(bytes));
        stage.escaped_with(level, text);
        stage.finish();
        out
    }

    /// Every kind of vectors that this processor has.
    fn levels() -> Vec<Level> {
        let best = Level::new();
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        let levels = [
            best.as_sse2().map(Level::Sse2),
            best.as_sse4_2().map(Level::Sse4_2),
            best.as_avx2().map(Level::Avx2),
            best.as_avx512().map(Level::Avx512),
        ];
        #[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
        let levels = [Some(best)];
        levels.into_iter().flatten().collect()
    }

    fn byte_by_byte(text: &[u8]) -> Vec<u8> {
        text.iter().fold(Vec::new(), |mut out, &byte| {
            let mut room = [0; SIZE];
            let len = escape(&mut room, 0, byte);
            out.extend_from_slice(&room[..len]);
            out
        })
    }

    #[test]
    fn every_unicode_scalar_value_is_escaped_like_serde_json_does() {
        for start in (0..0x11_0000_u32).step_by(0x400) {
            let text: String = (start..start + 0x400).filter_map(char::from_u32).collect();
            let quoted = serde_json::to_string(&text).unwrap();
            let inside = &quoted.as_bytes()[1..quoted.len() - 1];
            for level in levels() {
                assert!(escaped(level, text.as_bytes()) == inside, "block {start:#x}, {level:?}");
            }
        }
    }

    #[test]
    fn texts_of_any_length_go_through_one_after_the_other() {
        let text = [b'x'; 300];
        for first in 0..text.len() {
            for second in [1, 36, 63, 64, 65, 96, 160, 192, 256, 300] {
                let mut out = 0;
                let mut stage = Stage::new(|bytes| out += bytes.len());
                for len in [first, second, 1] {
                    stage.raw(&text[..len]);
                }
                stage.finish();
                assert_eq!(out, first + second + 1);
            }
        }
    }

    #[test]
    fn each_byte_is_escaped_in_each_place_of_a_vector() {
        for byte in 0..=u8::MAX {
            for place in 0..VECTOR {
                let mut text = *b"0123456789abcdef\"\"\"\"\"\"\"\"\\\\\\\\\\\\\\\\";
                text[place] = byte;
                text[31 - place] = byte;
                for level in levels() {
                    assert_eq!(escaped(level, &text), byte_by_byte(&text), "{text:x?}, {level:?}");
                }
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
        fn any_bytes_are_escaped_alike_with_and_without_vectors(
            bytes in prop::collection::vec(
                prop_oneof![4 => any::<u8>(), 4 => Just(b'"'), 4 => Just(b'\\'), 1 => 0_u8..0x20], 0..700,
            ),
        ) {
            for level in levels() {
                prop_assert_eq!(escaped(level, &bytes), byte_by_byte(&bytes), "{:?}", level);
            }
        }
    }
}
