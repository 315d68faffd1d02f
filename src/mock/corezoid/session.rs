//! What an operation works with: the state, its caller, the time, and what is to be done outside.

use super::{
    op::Op,
    refusal::Refusal,
    state::{Kind, Object, State},
};
use serde_json::{Value, json};

/// Who operates.
#[derive(Clone, Debug, Default)]
pub(super) struct Caller {
    /// The API login.
    pub login: String,
    /// The company that the key belongs to; none for a key that may name any.
    pub company: Option<String>,
    /// Whether the key may only look.
    pub only_reads: bool,
}

/// What an operation asks for that is not the state's to do.
#[derive(Clone, Debug)]
pub(super) enum Effect {
    /// Another key may call from now on.
    Key {
        /// Its login.
        login: String,
        /// Its secret.
        secret: String,
    },
    /// A process calls somebody (`api`).
    Call(Box<Call>),
}

/// A call that a process makes, in Corezoid's terms an API Call.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// The task that waits for the answer.
    pub task: String,
    /// The process it is in.
    pub conv: u64,
    /// Where the task goes if the call fails.
    pub on_error: Option<String>,
    pub method: String,
    pub url: String,
    /// What is sent; empty for GET.
    pub body: Vec<u8>,
    /// Headers beside the content type.
    pub headers: Vec<(String, String)>,
    /// What signs the call, if it is to be signed.
    pub secret: Option<String>,
}

/// One operation's circumstances.
pub(super) struct Session<'s> {
    pub state: &'s mut State,
    pub caller: &'s Caller,
    /// The base of URLs that lead here.
    pub origin: &'s str,
    /// Seconds since the Unix epoch.
    pub now: i64,
    pub effects: Vec<Effect>,
    /// How deep processes have called each other.
    pub depth: u32,
    /// How many steps tasks may still take.
    pub steps_left: u32,
}

/// Steps that tasks may take in one request.
const STEPS: u32 = 10_000;

impl<'s> Session<'s> {
    /// A session that has done nothing yet.
    pub(super) const fn new(state: &'s mut State, caller: &'s Caller, origin: &'s str, now: i64) -> Self {
        Self { state, caller, origin, now, effects: Vec::new(), depth: 0, steps_left: STEPS }
    }
}

impl Session<'_> {
    /// Whether the caller may do this at all.
    pub(super) fn check_rights(&self, op: Op<'_>) -> Result<(), Refusal> {
        if self.caller.only_reads && op.changes() { Err(Refusal::NoRights) } else { Ok(()) }
    }

    /// Whether the company that the operation names is one that the caller may name.
    pub(super) fn check_company(&self, op: Op<'_>) -> Result<(), Refusal> {
        let Some(named) = op.company()? else { return Ok(()) };
        let own = self.caller.company.as_deref();
        let unknown = !self.state.companies.is_empty() && !self.state.companies.contains_key(named);
        if own.is_some_and(|own| own != named) || unknown { Err(Refusal::OtherCompany) } else { Ok(()) }
    }

    /// The company of a new object.
    pub(super) fn company_for(&self, op: Op<'_>) -> Result<Option<String>, Refusal> {
        Ok(op.company()?.map(str::to_owned).or_else(|| self.caller.company.clone()))
    }

    /// Refuses an object of another company. That it exists is no secret: the documented error says so.
    ///
    /// An operation that names none means any that the caller may touch: the documented examples name none.
    pub(super) fn check_owner(&self, op: Op<'_>, object: &Object) -> Result<(), Refusal> {
        let named = op.company()?.or(self.caller.company.as_deref());
        let matches = named.is_none_or(|named| object.company.as_deref() == Some(named));
        if matches { Ok(()) } else { Err(Refusal::OtherCompany) }
    }

    /// The object of a number and kind that the caller may touch.
    pub(super) fn find(&self, op: Op<'_>, kind: Kind, id: u64) -> Result<Option<&Object>, Refusal> {
        let found = self.state.objects.get(&id).filter(|object| object.kind == kind && !object.deleted);
        if let Some(object) = found {
            self.check_owner(op, object)?;
        }
        Ok(found)
    }

    /// The number of the object that an operation names by `obj_id`.
    pub(super) fn named(&self, op: Op<'_>, kind: Kind) -> Result<u64, Refusal> {
        let id = op.required_number("obj_id")?;
        self.find(op, kind, id)?.map(|_| id).ok_or(Refusal::ObjIdNotFound)
    }

    /// The number of the process that an operation names by `conv_id`, or by an alias in its place.
    pub(super) fn conv(&self, op: Op<'_>) -> Result<u64, Refusal> {
        if let Some(alias) = op.identifier("obj_alias")? {
            return self.by_alias(op, alias.trim_start_matches('@'));
        }
        match op.get("conv_id").and_then(Value::as_str).and_then(|conv| conv.strip_prefix('@')) {
            Some(alias) => self.by_alias(op, alias),
            None => {
                let id = op.required_number("conv_id")?;
                self.find(op, Kind::Conv, id)?.map(|_| id).ok_or(Refusal::NotFound)
            }
        }
    }

    fn by_alias(&self, op: Op<'_>, short_name: &str) -> Result<u64, Refusal> {
        let stage = op.number("stage_id")?.unwrap_or(0);
        let is_meant = |object: &&Object| {
            object.kind == Kind::Alias
                && !object.deleted
                && object.text("short_name") == short_name
                && (stage == 0 || object.parent == stage)
        };
        let alias = self.state.objects.values().find(is_meant).ok_or(Refusal::NotFound)?;
        let id = u64::try_from(alias.integer("obj_to_id")).unwrap_or(0);
        self.find(op, Kind::Conv, id)?.map(|_| id).ok_or(Refusal::NotFound)
    }

    /// The title of a folder, project or stage.
    pub(super) fn title(&self, id: u64) -> &str {
        self.state.objects.get(&id).map_or("Root folder", |object| &object.title)
    }

    /// A new object of no more than a title.
    pub(super) fn object(&self, kind: Kind, parent: u64, title: &str, company: Option<String>) -> Object {
        Object {
            kind,
            company,
            parent,
            title: title.to_owned(),
            description: String::new(),
            owner: self.caller.login.clone(),
            create_time: self.now,
            change_time: self.now,
            deleted: false,
            privileges: std::collections::BTreeMap::new(),
            members: serde_json::Map::new(),
        }
    }

    /// What every list and every `show` says of an object.
    pub(super) fn entry(&self, id: u64, object: &Object) -> Value {
        let owner_id = object.owner.parse::<u64>().ok();
        let mut entry = json!({
            "obj": object.kind.name(),
            "obj_type": object.kind.name(),
            "obj_id": id,
            "title": object.title,
            "description": object.description,
            "create_time": object.create_time,
            "change_time": object.change_time,
            "company_id": object.company,
            "parent_id": object.parent,
            "project_id": self.state.around(id, Kind::Project),
            "stage_id": self.state.around(id, Kind::Stage),
            "is_owner": object.owner == self.caller.login,
            "owner_id": owner_id,
            "owner_login": object.owner,
            "owner_name": object.owner,
            "favorite": false,
            "is_shared": !object.privileges.is_empty(),
            "privs": all_privileges(),
        });
        if let Value::Object(entry) = &mut entry {
            entry.extend(object.members.clone());
        }
        entry
    }
}

/// What an owner may do.
pub(super) fn all_privileges() -> Value {
    let each =
        ["create", "view", "modify", "delete"].map(|what| json!({ "type": what, "list_obj": ["all"] }));
    Value::from(each.to_vec())
}
