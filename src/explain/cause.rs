//! What a client did otherwise than its provider documents.

use serde::Serialize;
use std::borrow::Cow;

/// One thing that a client did otherwise, and what to change about it.
///
/// The texts name what stands in the request and in the documentation. They hold no secret and no signature.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Cause {
    hypothesis: &'static str,
    found: Cow<'static, str>,
    change: Cow<'static, str>,
}

impl Cause {
    pub(super) fn new(
        hypothesis: &'static str,
        found: impl Into<Cow<'static, str>>,
        change: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { hypothesis, found: found.into(), change: change.into() }
    }

    /// A stable name, like `url_scheme_kept`.
    #[must_use]
    pub const fn hypothesis(&self) -> &'static str {
        self.hypothesis
    }

    /// What was found, in a few words: "the scheme was left in the URL".
    #[must_use]
    pub fn found(&self) -> &str {
        &self.found
    }

    /// What to change, as advice to the client's author or to the operator.
    #[must_use]
    pub fn change(&self) -> &str {
        &self.change
    }
}

/// One of several values that something may have had, and what it would mean.
#[derive(Clone, Debug)]
pub(super) struct Choice<T> {
    /// `None` if this is as documented.
    pub(super) cause: Option<Cause>,
    pub(super) value: T,
    /// One of very many: tried alone, and not together with a second cause.
    pub(super) alone: bool,
}

/// The values that one part of a signature may have had, of which the first is as documented.
#[derive(Clone, Debug)]
pub(super) struct Choices<T>(Vec<Choice<T>>);

impl<T: PartialEq> Choices<T> {
    pub(super) fn new(documented: T) -> Self {
        Self(vec![Choice { cause: None, value: documented, alone: false }])
    }

    /// Adds a value, unless it is there already: then it needs no other cause.
    pub(super) fn or(&mut self, value: T, cause: Cause) {
        self.add(value, cause, false);
    }

    /// Adds one of very many values.
    pub(super) fn or_alone(&mut self, value: T, cause: Cause) {
        self.add(value, cause, true);
    }

    fn add(&mut self, value: T, cause: Cause, alone: bool) {
        if self.0.iter().all(|choice| choice.value != value) {
            self.0.push(Choice { cause: Some(cause), value, alone });
        }
    }
}

impl<T> Choices<T> {
    pub(super) fn list(&self) -> &[Choice<T>] {
        &self.0
    }

    pub(super) fn list_mut(&mut self) -> &mut [Choice<T>] {
        &mut self.0
    }
}
