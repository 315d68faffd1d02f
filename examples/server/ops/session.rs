//! What an operation works with: a transaction, its caller, and the time.

use super::{op::Op, refusal::Refusal};
use crate::caller::Caller;
use countersign::clock::Clock;
use serde_json::{Value, json};
use sqlx::AnyConnection;
use uuid::Uuid;

/// One operation's transaction and circumstances.
pub(super) struct Session<'s> {
    /// The transaction.
    pub db: &'s mut AnyConnection,
    /// Who operates.
    pub caller: &'s Caller,
    /// The space whose objects the caller may touch.
    pub workspace: String,
    /// For random bytes.
    pub clock: &'s dyn Clock,
    /// Seconds since the Unix epoch.
    pub now: i64,
}

impl Session<'_> {
    /// Refuses an object of another workspace. That it exists is no secret: the documented error says so.
    pub(super) fn check_workspace(&self, of_object: &str) -> Result<(), Refusal> {
        if of_object == self.workspace { Ok(()) } else { Err(Refusal::OtherCompany) }
    }
}

/// A new identifier of a node or task: 24 hexadecimal digits that begin with the time, so that they sort by age.
pub(super) fn new_id() -> String {
    let mut id = Uuid::now_v7().simple().to_string();
    id.truncate(24);
    id
}

/// The companies that the caller may operate in: its own, if it has one.
pub(super) fn list_companies(caller: &Caller, op: &Op<'_>) -> Result<Value, Refusal> {
    if op.action() != "list" {
        return Err(Refusal::Undefined);
    }
    let entry = |company: &String| json!({ "company_id": company, "title": company, "status": "actived" });
    Ok(json!({ "list": caller.organization.iter().map(entry).collect::<Vec<_>>() }))
}
