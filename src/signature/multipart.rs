//! The reduced form in which Corezoid's clients sign a multipart body.
//!
//! It cannot be computed from the pieces of a body as they arrive without holding back as much as a client likes, so
//! the body is kept, up to a limit.

/// Longest body that is reduced, in bytes.
pub(super) const LONGEST: usize = 1 << 20;

/// A body on its way to be reduced.
#[derive(Debug, Default)]
pub(super) struct Multipart {
    kept: Vec<u8>,
    too_long: bool,
}

impl Multipart {
    /// Keeps the next bytes; none once there are more than [`LONGEST`].
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.too_long |= self.kept.len() + bytes.len() > LONGEST;
        if self.too_long {
            self.kept = Vec::new();
        } else {
            self.kept.extend_from_slice(bytes);
        }
    }

    /// Whether the body was longer than [`LONGEST`], and so has no reduced form.
    pub(super) const fn is_too_long(&self) -> bool {
        self.too_long
    }

    /// The reduced form of what was kept.
    pub(super) fn reduced(&self) -> Vec<u8> {
        reduce(&self.kept)
    }
}

/// Reduces a body: lines that look like boundaries vanish, wherever they begin; then white space at both ends; then
/// every line end, but for those of lines that begin with `Content-`.
pub(super) fn reduce(body: &[u8]) -> Vec<u8> {
    let without = without_boundaries(body);
    let mut rest = trim(&without);
    let mut reduced = Vec::with_capacity(rest.len());
    loop {
        let end = rest.windows(2).position(|pair| pair == b"\r\n");
        let line = &rest[..end.unwrap_or(rest.len())];
        reduced.extend_from_slice(line);
        if line.starts_with(b"Content-") {
            reduced.extend_from_slice(b"\r\n");
        }
        let Some(end) = end else { return reduced };
        rest = &rest[end + 2..];
    }
}

/// The body without what looks like a boundary and its line end: dashes, letters or digits or `_`, perhaps dashes
/// again.
fn without_boundaries(body: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(body.len());
    let mut start = 0;
    for end in (0..body.len()).filter(|&at| body[at..].starts_with(b"\r\n")) {
        // Only what ends here can be one, and of what could, the longest; an earlier one has taken what stands before.
        let line = &body[start..end];
        let boundary = boundary_len(line);
        kept.extend_from_slice(&line[..line.len() - boundary]);
        start = if boundary > 0 { end + 2 } else { end };
    }
    kept.extend_from_slice(&body[start..]);
    kept
}

/// How much of the end of a text looks like a boundary.
fn boundary_len(text: &[u8]) -> usize {
    let run = |text: &[u8], is: fn(u8) -> bool| text.iter().rev().take_while(|&&byte| is(byte)).count();
    let dash = |byte| byte == b'-';
    let behind = run(text, dash);
    let text = &text[..text.len() - behind];
    let word = run(text, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let before = run(&text[..text.len() - word], dash);
    if word == 0 || before == 0 { 0 } else { before + word + behind }
}

/// The text without white space (Unicode's) at both ends; bytes that are no text are none.
fn trim(text: &[u8]) -> &[u8] {
    let leading = |text: &str| text.len() - text.trim_start().len();
    let start = text.utf8_chunks().next().map_or(0, |chunk| leading(chunk.valid()));
    let text = &text[start..];
    match text.utf8_chunks().last() {
        Some(last) if last.invalid().is_empty() => {
            let trailing = last.valid().len() - last.valid().trim_end().len();
            &text[..text.len() - trailing]
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        secret::Secret,
        signature::{Algorithm, Computation, MacKey, Segment, SignatureBase},
    };
    use proptest::{prelude::*, test_runner::RngSeed};
    use sha1::{Digest as _, Sha1};

    fn reduced(body: impl AsRef<[u8]>) -> String {
        String::from_utf8_lossy(&reduce(body.as_ref())).into_owned()
    }

    #[test]
    fn a_body_is_reduced_as_the_vendor_s_client_does_it() {
        for (body, expected) in [
            (
                "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b\r\n\
                 Content-Disposition: form-data; name=\"b\"\r\n\r\n2\r\n--b--\r\n",
                "Content-Disposition: form-data; name=\"a\"\r\n1Content-Disposition: form-data; name=\"b\"\r\n2",
            ),
            ("", ""),
            ("{}", "{}"),
            (" \r\n {} \u{3000}\u{a0}\r\n", "{}"),
            // Without its line end the last boundary is none.
            ("1\r\n--b--", "1--b--"),
            // Nor is one with a dash inside, but for its end.
            ("----formdata-undici-01\r\n1", "----formdata-undici1"),
            ("--a-b--\r\n1", "--a1"),
            ("--a.b\r\n1", "--a.b1"),
            ("x--b\r\n1", "x1"),
            ("--\r\n1", "--1"),
            ("--b--\r\n--b\r\n\r\n-c\r\n1", "1"),
            // What one of them uncovers is none.
            ("--a--b\r\n\r\n1", "--a1"),
            ("--a\n1", "--a\n1"),
            ("Content-\r\na\r\nContent-Type", "Content-\r\naContent-Type\r\n"),
            ("content-type:\r\na", "content-type:a"),
            // The end of a header's value may look like a boundary, too.
            ("Content-Type: a/octet-stream\r\n\r\n1", "Content-Type: a/octet\r\n1"),
            ("a\r\n\r\n\r\nb\rc\nd", "ab\rc\nd"),
        ] {
            assert_eq!(reduced(body), expected, "{body:?}");
        }
        assert_eq!(reduce(b" \xff\r\n-b\r\n \xff "), b"\xff \xff");
        assert_eq!(reduce(b"\xff \xff"), b"\xff \xff");
    }

    #[test]
    fn no_more_is_kept_than_the_limit() {
        let mut body = Multipart::default();
        body.update(&vec![b'a'; LONGEST]);
        assert!(!body.is_too_long() && body.reduced().len() == LONGEST);
        body.update(b"a");
        assert!(body.is_too_long() && body.kept.capacity() == 0);
        body.update(b"a");
        assert!(body.is_too_long() && body.kept.capacity() == 0);
    }

    #[test]
    fn a_reduced_body_is_the_same_in_any_pieces_up_to_its_limit() {
        let key = MacKey::new(Algorithm::SandwichSha1, &Secret::new("KEY").unwrap());
        let base = || SignatureBase::from([Segment::Secret, Segment::BodyReduced, Segment::Secret]);
        let body = b"--b\r\nContent-Type: a\r\n\r\n1\r\n--b--\r\n";
        for size in [1, 3, body.len()] {
            let mut computation = Computation::begin(&[base()], std::iter::once(&key));
            body.chunks(size).for_each(|piece| computation.update(piece));
            let signature = computation.sign().unwrap();
            assert_eq!(signature.to_hex(), hex::encode(Sha1::digest("KEYContent-Type: a\r\n1KEY")));
        }
        for (length, signed) in [(0, true), (1 << 20, true), ((1 << 20) + 1, false)] {
            let mut computation = Computation::begin(&[base()], std::iter::once(&key));
            vec![b'a'; length].chunks(9000).for_each(|piece| computation.update(piece));
            assert_eq!(computation.is_too_long(), !signed);
            assert_eq!(computation.sign().is_some(), signed);
        }
    }

    /// What a regular expression finds first and longest, tried at every place.
    fn by_search(body: &[u8]) -> Vec<u8> {
        let run = |at: usize, is: fn(u8) -> bool| body[at..].iter().take_while(|&&byte| is(byte)).count();
        let match_at = |at: usize| {
            let dashes = run(at, |byte| byte == b'-');
            let word = run(at + dashes, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
            let end = at + dashes + word;
            let end = end + run(end, |byte| byte == b'-');
            (dashes > 0 && word > 0 && body[end..].starts_with(b"\r\n")).then_some(end + 2)
        };
        let (mut kept, mut at) = (Vec::new(), 0);
        while at < body.len() {
            match match_at(at) {
                Some(end) => at = end,
                None => {
                    kept.push(body[at]);
                    at += 1;
                }
            }
        }
        kept
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 5_000,
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(6),
            ..ProptestConfig::default()
        })]

        #[test]
        fn boundaries_are_those_of_a_regular_expression(body in "(-|--|a|_|0|\r\n|\r|\n| |\\.){0,24}") {
            let found = String::from_utf8(without_boundaries(body.as_bytes())).unwrap();
            prop_assert_eq!(found.as_bytes(), by_search(body.as_bytes()), "{:?}", body);
        }
    }
}
