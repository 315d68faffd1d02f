//! Undoing the encoding of forms: `+` for a space, and `%` before the two hexadecimal digits of a byte.

use zeroize::Zeroizing;

/// Decodes; `None` if a `%` is not followed by two hexadecimal digits. What was encoded may be a secret.
pub(crate) fn decode(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        bytes.push(match first {
            b'+' => b' ',
            b'%' => {
                let (digits, tail) = tail.split_first_chunk::<2>()?;
                rest = tail;
                let mut byte = [0];
                hex::decode_to_slice(digits, &mut byte).ok()?;
                byte[0]
            }
            other => other,
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_well_formed_is_decoded() {
        for (text, bytes) in [
            ("", &b""[..]),
            ("a+b", b"a b"),
            ("%41%2b%2B%25", b"A++%"),
            ("%C3%A9%00", b"\xc3\xa9\0"),
            ("%2541", b"%41"),
        ] {
            assert_eq!(decode(text.as_bytes()).unwrap().as_slice(), bytes, "{text}");
        }
        for text in ["%", "%4", "a%4", "%zz", "%+1", "% 1", "%4\u{e9}"] {
            assert!(decode(text.as_bytes()).is_none(), "{text}");
        }
    }
}
