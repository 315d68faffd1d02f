//! Two texts side by side.

use serde::Serialize;

/// The longest text that is shown, in bytes.
const SHOWN: usize = 4 << 10;
/// Of that, before the difference.
const BEFORE: usize = 1 << 10;
/// The longest part that is shown as the difference itself.
const PART: usize = 1 << 10;

/// Where two texts differ: all between what they have in common at the beginning and at the end.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Difference {
    at: usize,
    expected: String,
    got: String,
}

impl Difference {
    /// The difference; `None` if there is none.
    pub(super) fn between(expected: &str, got: &str) -> Option<Self> {
        if expected == got {
            return None;
        }
        let common = expected.bytes().zip(got.bytes()).take_while(|(one, other)| one == other).count();
        let at = boundary(expected, boundary(got, common));
        let (expected, got) = (&expected[at..], &got[at..]);
        let same =
            expected.bytes().rev().zip(got.bytes().rev()).take_while(|(one, other)| one == other).count();
        let mut end = same;
        while !(expected.is_char_boundary(expected.len() - end) && got.is_char_boundary(got.len() - end)) {
            end -= 1;
        }
        let part = |text: &str| cut(&text[..text.len() - end], PART);
        Some(Self { at, expected: part(expected), got: part(got) })
    }

    /// How many bytes the texts have in common before it.
    #[must_use]
    pub const fn at(&self) -> usize {
        self.at
    }

    /// What should stand there.
    #[must_use]
    pub fn expected(&self) -> &str {
        &self.expected
    }

    /// What stands there.
    #[must_use]
    pub fn got(&self) -> &str {
        &self.got
    }
}

/// A text around a place, if it is too long to be shown.
pub(super) fn window(text: &str, at: usize) -> String {
    if text.len() <= SHOWN {
        return text.to_owned();
    }
    let start = boundary(text, at.saturating_sub(BEFORE));
    let shown = cut(&text[start..], SHOWN - BEFORE);
    if start == 0 { shown } else { format!("…{shown}") }
}

fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    format!("{}…", &text[..boundary(text, most)])
}

/// The nearest place before `at`, itself included, where the text can be cut.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_is_what_is_left_of_both() {
        let between = |expected: &str, got: &str| {
            Difference::between(expected, got).map(|diff| (diff.at, diff.expected, diff.got))
        };
        let some = |at, expected: &str, got: &str| Some((at, expected.to_owned(), got.to_owned()));
        assert_eq!(between("abc", "abc"), None);
        assert_eq!(between("abc", "abxc"), some(2, "", "x"));
        assert_eq!(between("{\"url\":\"a", "{\"url\":\"https://a"), some(8, "", "https://"));
        assert_eq!(between("é", "è"), some(0, "é", "è"));
        assert_eq!(between("aé", "a©"), some(1, "é", "©"));
        assert_eq!(between("", "\n"), some(0, "", "\n"));
        assert_eq!(between("aa", "aaa"), some(2, "", "a"));
    }

    #[test]
    fn a_long_text_is_shown_around_the_difference_only() {
        let text = "é".repeat(1 << 20);
        for at in [0, 1, 5000, (1 << 21) - 1, 1 << 21] {
            let shown = window(&text, at);
            assert!(shown.len() <= SHOWN + 6, "{}", shown.len());
        }
        assert_eq!(window("short", 3), "short");
    }
}
