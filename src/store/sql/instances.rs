//! Which of the running programs have forgotten what was changed.

/// What a command knows of the programs that keep what they have read, after it has waited for them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Instances {
    /// They have forgotten everything that changed before the command began to wait.
    pub acknowledged: Vec<String>,
    /// They have not been heard of until their lease ended. Whether they run or not, they trust nothing of what they
    /// keep.
    pub lapsed: Vec<String>,
    /// They have not answered, and may still trust what they keep until their lease ends.
    pub silent: Vec<String>,
}

impl Instances {
    /// Whether no program trusts any more what was changed.
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        self.silent.is_empty()
    }

    /// Sorts rows of [`LIST_INSTANCES`](super::statements::LIST_INSTANCES).
    pub(in crate::store) fn sort(rows: Vec<(String, bool, bool)>) -> Self {
        let mut sorted = Self::default();
        for (name, leased, acknowledged) in rows {
            let place = match (leased, acknowledged) {
                (_, true) => &mut sorted.acknowledged,
                (false, false) => &mut sorted.lapsed,
                (true, false) => &mut sorted.silent,
            };
            place.push(name);
        }
        sorted
    }
}
