//! People: users (an API key is one), groups and companies.

use super::{
    object,
    op::{Op, SHORT_TEXT},
    refusal::Refusal,
    session::{Effect, Session},
    state::{Kind, Object},
};
use serde_json::{Value, json};

/// Performs an operation on a user.
pub(super) fn user(session: &mut Session<'_>, op: Op<'_>) -> Result<Value, Refusal> {
    match op.action() {
        "create" => create(session, op),
        "link" => link(session, op),
        "show" => {
            let id = session.named(op, Kind::User)?;
            let user = session.state.objects.get(&id).ok_or(Refusal::ObjIdNotFound)?;
            Ok(shown(id, user))
        }
        "modify" => {
            object::perform(session, op, Kind::User)?;
            let id = session.named(op, Kind::User)?;
            Ok(json!({ "obj_id": id, "title": session.title(id) }))
        }
        "delete" | "destroy" | "restore" => object::perform(session, op, Kind::User),
        _ => Err(Refusal::Undefined),
    }
}

/// Makes an API key, which may call from then on.
fn create(session: &mut Session<'_>, op: Op<'_>) -> Result<Value, Refusal> {
    let title = op.text("title", SHORT_TEXT)?.unwrap_or("New object");
    let company = session.company_for(op)?;
    let mut user = session.object(Kind::User, 0, title, company);
    op.text("description", usize::MAX)?.unwrap_or_default().clone_into(&mut user.description);
    let (id, login) = (session.state.number(), session.state.number());
    // Letters too: a secret of digits only would make the signed text ambiguous.
    let secret = format!("k{}", session.state.hash(login));
    let name = session.state.identifier(session.now);
    let logins = json!([{ "type": "api", "key": secret, "obj_id": login, "login": name }]);
    user.members.insert("logins".to_owned(), logins.clone());
    session.state.objects.insert(id, user);
    session.effects.push(Effect::Key { login: login.to_string(), secret });
    let user = json!({ "obj_id": id, "created": true, "title": title, "logins": logins });
    Ok(json!({ "users": [user] }))
}

fn shown(id: u64, user: &Object) -> Value {
    json!({
        "obj_id": id,
        "title": user.title,
        "owner_id": user.owner.parse::<u64>().ok(),
        "owner_name": user.owner,
        "status": "actived",
        "logins": user.members.get("logins"),
        "groups": user.members.get("groups").cloned().unwrap_or_else(|| json!([])),
    })
}

/// Puts a user into a group, or with level 0 takes it out.
fn link(session: &mut Session<'_>, op: Op<'_>) -> Result<Value, Refusal> {
    let id = session.named(op, Kind::User)?;
    let group = op.required_number("group_id")?;
    session.find(op, Kind::Group, group)?.ok_or(Refusal::NotFound)?;
    let name = session.title(group).to_owned();
    let user = session.state.objects.get_mut(&id).ok_or(Refusal::ObjIdNotFound)?;
    let groups = user.members.get("groups").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut groups: Vec<_> = groups.into_iter().filter(|other| other["id"] != group).collect();
    if op.get("level").is_none_or(|level| level != 0 && level != "") {
        groups.push(json!({ "id": group, "name": name }));
    }
    user.members.insert("groups".to_owned(), groups.into());
    Ok(json!({ "obj_id": id, "logins": user.members.get("logins") }))
}

/// What is in a group: its users, or the processes that are shared with it.
pub(super) fn list(session: &Session<'_>, op: Op<'_>) -> Result<Value, Refusal> {
    let id = session.named(op, Kind::Group)?;
    let group = session.state.objects.get(&id).ok_or(Refusal::ObjIdNotFound)?;
    let wants_convs = op.get("list_obj").is_some_and(|wanted| wanted == "conv");
    let is_member = |object: &Object| {
        let groups = object.members.get("groups").and_then(Value::as_array);
        groups.is_some_and(|groups| groups.iter().any(|group| group["id"] == id))
    };
    let to = format!("group:{id}");
    let inside = session.state.objects.iter().filter(|(_, object)| match object.kind {
        Kind::Conv => wants_convs && !object.deleted && object.privileges.contains_key(&to),
        Kind::User => !wants_convs && !object.deleted && is_member(object),
        _ => false,
    });
    let entries = inside.map(|(id, object)| match object.kind {
        Kind::User => shown(*id, object),
        _ => session.entry(*id, object),
    });
    let list = op.page(entries)?;
    Ok(
        json!({ "obj_id": id, "owner_id": group.owner.parse::<u64>().ok(), "owner_name": group.owner, "list": list }),
    )
}

/// The users or groups of a company.
pub(super) fn company_users(session: &Session<'_>, op: Op<'_>) -> Result<Value, Refusal> {
    if op.action() != "list" {
        return Err(Refusal::Undefined);
    }
    let wants_groups = op.get("filter").is_some_and(|filter| filter == "group");
    let name = op.text("name", SHORT_TEXT)?.unwrap_or_default();
    let company = op.company()?.or(session.caller.company.as_deref());
    let found = session.state.objects.iter().filter(|(_, object)| {
        object.kind == if wants_groups { Kind::Group } else { Kind::User }
            && !object.deleted
            && object.title.contains(name)
            && company.is_none_or(|company| object.company.as_deref() == Some(company))
    });
    let entries = found.map(|(id, object)| match object.kind {
        Kind::User => shown(*id, object),
        _ => session.entry(*id, object),
    });
    Ok(json!({ "list": op.page(entries)? }))
}

/// The companies that the caller may operate in: its own, or all that there are or that objects are in.
pub(super) fn company(session: &mut Session<'_>, op: Op<'_>) -> Result<Value, Refusal> {
    match op.action() {
        "create" => {
            let title = op.text("name", SHORT_TEXT)?.unwrap_or("New company").to_owned();
            let id = format!("i{:09}", session.state.number());
            if !session.state.companies.is_empty() {
                session.state.companies.insert(id.clone(), title);
            }
            Ok(json!({ "obj_id": id }))
        }
        "list" => {
            let known = session.state.companies.iter().map(|(id, title)| (id.clone(), title.clone()));
            let named = session.state.objects.values().filter_map(|object| object.company.clone());
            let mut all: Vec<_> = named.map(|id| (id.clone(), id)).chain(known).collect();
            all.extend(session.caller.company.iter().map(|own| (own.clone(), own.clone())));
            all.retain(|(id, _)| session.caller.company.as_ref().is_none_or(|own| own == id));
            all.reverse();
            all.sort_by(|a, b| a.0.cmp(&b.0));
            all.dedup_by(|a, b| a.0 == b.0);
            let entries = all.into_iter().map(|(id, title)| {
                json!({
                    "company_id": id, "title": title, "description": "", "status": "actived", "is_owner": true,
                    "is_admin": true,
                })
            });
            Ok(json!({ "list": op.page(entries)? }))
        }
        _ => Err(Refusal::Undefined),
    }
}
