//! Who a handler works for: a plain copy of what verification proved, so that the rooms behind it know no layer.

use countersign::{
    Verified,
    awareness::UsageCaller,
    credential::{Access, Permissions},
};

/// The caller of a request.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The scheme that the request was signed by.
    pub scheme: String,
    /// The key it was signed with; for an app, the app.
    pub key_id: String,
    /// The account that owns the key.
    pub principal: String,
    /// The organization that the request acts for.
    pub organization: Option<String>,
    /// What the caller may do, in the words of the rooms behind.
    pub permissions: Permissions,
    /// Whether it may change anything.
    pub access: Access,
    /// For whom to count what the request does, where that is counted.
    pub client: Option<UsageCaller>,
}

impl From<&Verified> for Caller {
    fn from(verified: &Verified) -> Self {
        Self {
            scheme: verified.scheme().to_owned(),
            key_id: verified.key_id().to_string(),
            principal: verified.principal().to_string(),
            organization: verified.organization().map(ToString::to_string),
            permissions: verified.permissions().clone(),
            access: verified.access(),
            client: None,
        }
    }
}

impl Caller {
    /// Whether the caller may do what a word like `titles:read` stands for. Who may only read may do what is named so.
    pub(crate) fn may(&self, word: &str) -> bool {
        self.permissions.allows(word) && (self.access == Access::Write || word.ends_with(":read"))
    }

    /// The space whose objects the caller may see: its organization's, or its own if it has none.
    ///
    /// The prefixes keep an organization apart from an account of the same name.
    pub(crate) fn workspace(&self) -> String {
        match &self.organization {
            Some(organization) => format!("organization/{organization}"),
            None => format!("account/{}", self.principal),
        }
    }
}
