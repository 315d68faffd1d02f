//! A report as compilers talk: what, where, why, and what to do.

use super::{Cause, Report};
use std::fmt::{self, Write as _};

/// The longest line of a signed text, and how much of it stands before the difference, in characters.
const WIDTH: usize = 100;
const BEFORE: usize = 32;
/// The longest mark below it.
const MARKED: usize = 24;

impl Report {
    /// The report for a terminal, about the request at `place`: a file, or the id of a refusal.
    #[must_use]
    pub fn told(&self, place: &str) -> String {
        let mut text = String::new();
        // Writing to a text does not fail.
        let _ = self.tell(&mut text, place);
        text
    }

    fn tell(&self, text: &mut String, place: &str) -> fmt::Result {
        let explanation = &self.explanation;
        let level = if self.outcome.is_ok() { "valid" } else { "error" };
        write!(text, "{level}[{}]: {} (scheme {}", self.outcome, self.headline(), self.scheme)?;
        if let Some(key_id) = &self.key_id {
            write!(text, ", key {key_id}")?;
        }
        writeln!(text, ")\n  --> {place}")?;
        if let Some(reason) = &self.reason {
            writeln!(text, "   = {reason}")?;
        }
        let found: Vec<_> = explanation.causes().iter().map(Cause::found).collect();
        match (explanation.expected(), explanation.got()) {
            (Some(expected), Some(got)) => side_by_side(text, expected, got, &found.join("; "))?,
            (Some(expected), None) if !explanation.is_right() => {
                writeln!(text, "   |\n   | server signs  {}\n   |", line(expected))?;
                found.iter().try_for_each(|found| writeln!(text, "   = found: {found}"))?;
            }
            _ => found.iter().try_for_each(|found| writeln!(text, "   = found: {found}"))?,
        }
        let noticed = explanation.noticed();
        noticed.iter().try_for_each(|cause| writeln!(text, "   = found: {}", cause.found()))?;
        if explanation.is_certain() && !self.outcome.is_ok() {
            text.push_str(match explanation.is_right() {
                true => "certain: the signature itself is right\n",
                false => "certain: this reproduces the signature that was sent\n",
            });
        }
        for guess in explanation.guesses() {
            writeln!(text, "guess: {}\n help: {}", guess.found(), guess.change())?;
        }
        self.help.iter().try_for_each(|help| writeln!(text, "help: {help}"))
    }
}

/// Two texts, with what differs underlined.
fn side_by_side(text: &mut String, expected: &str, got: &str, found: &str) -> fmt::Result {
    let [expected, got] = [expected, got].map(|text| line(text).chars().collect::<Vec<_>>());
    let common = expected.iter().zip(&got).take_while(|(one, other)| one == other).count();
    let same = expected[common..].iter().rev().zip(got[common..].iter().rev());
    let same = same.take_while(|(one, other)| one == other).count();
    let start = common.saturating_sub(BEFORE);
    let lead = if start > 0 { "…" } else { "" };
    let shown = |text: &[char]| {
        let part: String = text[start..].iter().take(WIDTH).collect();
        format!("{lead}{part}{}", if text.len() - start > WIDTH { "…" } else { "" })
    };
    let marks = |text: &[char]| {
        let before = common - start;
        let length = (text.len() - same - common).clamp(1, MARKED);
        " ".repeat(before + lead.chars().count()) + &"^".repeat(length)
    };
    writeln!(text, "   |\n   | server signs  {}", shown(&expected))?;
    if expected.len() - same > common {
        writeln!(text, "   |               {}", marks(&expected))?;
    }
    writeln!(text, "   | client signed {}\n   |               {} {found}\n   |", shown(&got), marks(&got))
}

/// A text on one line: what a terminal would obey is spelled out.
fn line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() {
            true => line.extend(character.escape_default()),
            false => line.push(character),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_underlined() {
        let mut text = String::new();
        side_by_side(&mut text, "{\"url\":\"a.test/\"}", "{\"url\":\"https://a.test/\"}", "the scheme")
            .unwrap();
        let expected = "   |
   | server signs  {\"url\":\"a.test/\"}
   | client signed {\"url\":\"https://a.test/\"}
   |                       ^^^^^^^^ the scheme
   |
";
        assert_eq!(text, expected);
        let mut text = String::new();
        side_by_side(&mut text, &"a".repeat(500), &format!("{}\n", "a".repeat(500)), "a newline").unwrap();
        assert!(text.lines().all(|line| line.chars().count() < 140), "{text}");
        assert!(text.contains("\\n") && text.contains("^^ a newline"), "{text}");
    }
}
