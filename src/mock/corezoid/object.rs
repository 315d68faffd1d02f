//! What numbered things have in common: they are made, changed, shown, listed, shared, and thrown away in two steps.

use super::{
    conv, group,
    op::{LONG_TEXT, Op, SHORT_TEXT},
    refusal::Refusal,
    session::Session,
    state::{Kind, Object},
};
use serde_json::{Map, Value, json};

/// Performs an operation on an object of a kind.
pub(super) fn perform(session: &mut Session<'_>, op: Op<'_>, kind: Kind) -> Result<Value, Refusal> {
    match op.action() {
        "create" => create(session, op, kind),
        "delete" => delete(session, op, kind),
        "destroy" => destroy(session, op, kind),
        "favorite" => favorite(session, op, kind),
        "link" => link(session, op, kind),
        "list" => list(session, op, kind),
        "modify" => modify(session, op, kind),
        "restore" => restore(session, op, kind),
        "show" | "get" => show(session, op, kind),
        "upsert" => upsert(session, op, kind),
        _ => Err(Refusal::Undefined),
    }
}

/// The members that a kind has beside title and description, as they come and go.
const fn members_of(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Alias => &["short_name", "obj_to_id", "obj_to_type"],
        Kind::Conv => &["params", "ref_mask", "escalation_conv"],
        Kind::Dashboard => &["time_range", "grid"],
        Kind::EnvVar => &["short_name", "env_var_type", "data_type", "value", "scopes"],
        Kind::Group => &["obj_type", "status"],
        Kind::Project => &["short_name"],
        Kind::Stage => &["short_name", "immutable"],
        Kind::Folder | Kind::User => &[],
    }
}

/// The object that a new one lies in: what the operation names, or the root.
fn parent(session: &Session<'_>, op: Op<'_>, kind: Kind) -> Result<u64, Refusal> {
    let key = match kind {
        Kind::Stage => "project_id",
        Kind::Alias | Kind::EnvVar => "stage_id",
        _ => "folder_id",
    };
    let id = op.number(key)?.unwrap_or(0);
    if id == 0 {
        return Ok(0);
    }
    let found = session.state.objects.get(&id).filter(|object| object.kind.holds() && !object.deleted);
    session.check_owner(op, found.ok_or(Refusal::NotFound)?)?;
    Ok(id)
}

/// The shortest documented call names nothing but the object, so everything has a default.
fn create(session: &mut Session<'_>, op: Op<'_>, kind: Kind) -> Result<Value, Refusal> {
    let parent = parent(session, op, kind)?;
    let company = match session.state.objects.get(&parent) {
        Some(folder) => folder.company.clone(),
        None => session.company_for(op)?,
    };
    let title = op.text("title", SHORT_TEXT)?.unwrap_or("New object");
    let mut object = session.object(kind, parent, title, company);
    op.text("description", LONG_TEXT)?.unwrap_or_default().clone_into(&mut object.description);
    read_members(op, kind, &mut object.members);
    check_name(session, &object, None)?;
    if kind == Kind::Conv {
        return conv::create(session, op, object);
    }
    let id = session.state.number();
    session.state.objects.insert(id, object);
    Ok(match kind {
        Kind::Folder => json!({ "obj_id": id, "folder_id": parent }),
        Kind::Project => json!({ "obj_id": id, "stages": stages(session, op, id)? }),
        Kind::EnvVar => json!({ "obj_id": id, "fingerprints": [] }),
        _ => json!({ "obj_id": id }),
    })
}

/// The stages that a new project is given.
fn stages(session: &mut Session<'_>, op: Op<'_>, project: u64) -> Result<Vec<u64>, Refusal> {
    let wanted = op.get("stages").and_then(Value::as_array);
    let mut made = Vec::new();
    for stage in wanted.into_iter().flatten().map(Op::new) {
        let title = stage.text("title", SHORT_TEXT)?.unwrap_or("New object");
        let company = session.company_for(op)?;
        let mut object = session.object(Kind::Stage, project, title, company);
        object.members.insert("short_name".to_owned(), title.to_lowercase().replace(' ', "-").into());
        object.members.insert("immutable".to_owned(), false.into());
        read_members(stage, Kind::Stage, &mut object.members);
        let id = session.state.number();
        session.state.objects.insert(id, object);
        made.push(id);
    }
    Ok(made)
}

fn read_members(op: Op<'_>, kind: Kind, members: &mut Map<String, Value>) {
    for key in members_of(kind) {
        if let Some(value) = op.get(key) {
            members.insert((*key).to_owned(), value.clone());
        }
    }
}

/// Short names are unique in their stage. How Corezoid words the contrary is not public.
fn check_name(session: &Session<'_>, object: &Object, own: Option<u64>) -> Result<(), Refusal> {
    let name = object.text("short_name");
    let is_taken = |(id, other): (&u64, &Object)| {
        Some(*id) != own
            && other.kind == object.kind
            && other.parent == object.parent
            && !other.deleted
            && !name.is_empty()
            && other.text("short_name") == name
    };
    match session.state.objects.iter().any(is_taken) {
        true => Err(Refusal::WrongState("short_name already exists")),
        false => Ok(()),
    }
}

fn modify(session: &mut Session<'_>, op: Op<'_>, kind: Kind) -> Result<Value, Refusal> {
    if kind == Kind::Folder && op.number("obj_id")? == Some(0) {
        return Err(Refusal::WrongState("the root folder cannot be modified"));
    }
    let id = session.named(op, kind)?;
    let old = session.state.objects.get(&id).cloned().ok_or(Refusal::ObjIdNotFound)?;
    let mut new = old.clone();
    if let Some(title) = op.text("title", SHORT_TEXT)? {
        title.clone_into(&mut new.title);
    }
    if let Some(description) = op.text("description", LONG_TEXT)? {
        description.clone_into(&mut new.description);
    }
    read_members(op, kind, &mut new.members);
    check_name(session, &new, Some(id))?;
    if kind == Kind::Conv {
        return conv::modify(session, op, id, &old, new);
    }
    new.change_time = session.now;
    session.state.objects.insert(id, new);
    Ok(json!({ "obj_id": id }))
}

/// Makes an alias, or changes the one that its number or short name means.
fn upsert(session: &mut Session<'_>, op: Op<'_>, kind: Kind) -> Result<Value, Refusal> {
    match op.get("obj_id") {
        Some(_) => modify(session, op, kind),
        None => create(session, op, kind),
    }
}

fn show(session: &Session<'_>, op: Op<'_>, kind: Kind) -> Result<Value, Refusal> {
    if kind == Kind::Folder && op.number("obj_id")? == Some(0) {
        return Ok(json!({ "obj_id": 0, "title": session.title(0), "obj_type": 0, "parent_obj_id": 0 }));
    }
    // A project or stage is shown as a folder too; what it is, its `obj_type` tells.
    let id = match kind {
        Kind::Folder => folder_like(session, op)?,
        _ => session.named(op, kind)?,
    };
    let object = session.state.objects.get(&id).ok_or(Refusal::ObjIdNotFound)?;
    let mut shown = session.entry(id, object);
    let parent = session.state.objects.get(&object.parent).map_or(Kind::Folder, |parent| parent.kind);
    shown["parent_obj_id"] = object.parent.into();
    shown["parent_obj_type"] = parent.name().into();
    match (kind, object.kind) {
        (Kind::Folder, Kind::Folder) => shown["obj_type"] = 0.into(),
        (Kind::Folder, Kind::Project) => shown["obj_type"] = 5.into(),
        (Kind::Folder, _) => shown["obj_type"] = 10.into(),
        (Kind::Conv, _) => shown["size"] = session.state.tasks_of(id).count().into(),
        (Kind::Project, _) => shown["obj_short_name"] = object.text("short_name").into(),
        _ => {}
    }
    Ok(shown)
}

/// The number of the folder, project or stage that an operation names by `obj_id`.
fn folder_like(session: &Session<'_>, op: Op<'_>) -> Result<u64, Refusal> {
    let id = op.required_number("obj_id")?;
    let found = session.state.objects.get(&id).filter(|object| object.kind.holds() && !object.deleted);
    session.check_owner(op, found.ok_or(Refusal::ObjIdNotFound)?)?;
    Ok(id)
}

fn list(session: &Session<'_>, op: Op<'_>, kind: Kind) -> Result<Value, Refusal> {
    if matches!(op.get("list_obj").and_then(Value::as_str), Some("group" | "user")) && kind != Kind::Group {
        return privileges(session, op, kind);
    }
    match kind {
        Kind::Conv => conv::list(session, op),
        Kind::Group => group::list(session, op),
        Kind::Alias | Kind::EnvVar => list_all(session, op, kind),
        Kind::Folder | Kind::Project | Kind::Stage => children(session, op),
        Kind::Dashboard | Kind::User => Err(Refusal::Undefined),
    }
}

/// The objects in a folder, folders first.
fn children(session: &Session<'_>, op: Op<'_>) -> Result<Value, Refusal> {
    let id = match op.number("obj_id")? {
        Some(0) => 0,
        _ => folder_like(session, op)?,
    };
    let company = op.company()?.or(session.caller.company.as_deref());
    let is_inside = |(_, object): &(&u64, &Object)| {
        object.parent == id
            && !object.deleted
            && (object.kind.holds() || matches!(object.kind, Kind::Conv | Kind::Dashboard))
            && (id != 0 || company.is_none_or(|company| object.company.as_deref() == Some(company)))
    };
    let mut inside: Vec<_> = session.state.objects.iter().filter(is_inside).collect();
    inside.sort_by_key(|(id, object)| (!object.kind.holds(), **id));
    let entries = inside.into_iter().map(|(id, object)| session.entry(*id, object));
    let list = op.page(entries)?;
    let parent = session.state.objects.get(&id).map_or(0, |folder| folder.parent);
    Ok(json!({
        "obj_id": id,
        "title": session.title(id),
        "parent_folder_id": parent,
        "parent_folder_title": session.title(parent),
        "list": list,
    }))
}

/// All objects of a kind, of the stage, project or company that the operation names.
pub(super) fn list_all(session: &Session<'_>, op: Op<'_>, kind: Kind) -> Result<Value, Refusal> {
    let company = op.company()?.or(session.caller.company.as_deref());
    let (stage, project) = (op.number("stage_id")?.unwrap_or(0), op.number("project_id")?.unwrap_or(0));
    let pattern = op.text("pattern", SHORT_TEXT)?.unwrap_or_default();
    let is_meant = |(id, object): &(&u64, &Object)| {
        object.kind == kind
            && !object.deleted
            && object.title.contains(pattern)
            && company.is_none_or(|company| object.company.as_deref() == Some(company))
            && (stage == 0 || session.state.around(**id, Kind::Stage) == stage)
            && (project == 0 || session.state.around(**id, Kind::Project) == project)
    };
    let found = session.state.objects.iter().filter(is_meant);
    let list = op.page(found.map(|(id, object)| session.entry(*id, object)))?;
    Ok(json!({ "list": list }))
}

/// With whom an object is shared.
fn privileges(session: &Session<'_>, op: Op<'_>, kind: Kind) -> Result<Value, Refusal> {
    let id = session.named(op, kind)?;
    let object = session.state.objects.get(&id).ok_or(Refusal::ObjIdNotFound)?;
    let entries = object.privileges.iter().filter_map(|(to, privileges)| {
        let (kind, number) = to.split_once(':')?;
        let number = number.parse::<u64>().ok()?;
        let title = session.state.objects.get(&number).map_or("", |to| &to.title);
        Some(json!({
            "obj": kind, "obj_id": number, "login_id": number, "title": title, "privs": privileges, "login": "",
        }))
    });
    let list = op.page(entries)?;
    Ok(json!({ "obj_id": id, "list_obj": op.get("list_obj"), "list": list }))
}

/// Shares an object or moves it, or ties an alias to a process: all of it is called `link`.
fn link(session: &mut Session<'_>, op: Op<'_>, kind: Kind) -> Result<Value, Refusal> {
    match kind {
        Kind::Alias => tie(session, op),
        Kind::Folder if op.get("obj_to").is_none() => move_into(session, op),
        _ => share(session, op, kind),
    }
}

fn tie(session: &mut Session<'_>, op: Op<'_>) -> Result<Value, Refusal> {
    let id = session.named(op, Kind::Alias)?;
    let to = match op.get("link") {
        Some(Value::Bool(false)) => 0,
        _ => op.required_number("obj_to_id")?,
    };
    if to != 0 {
        session.find(op, Kind::Conv, to)?.ok_or(Refusal::NotFound)?;
    }
    if let Some(alias) = session.state.objects.get_mut(&id) {
        alias.members.insert("obj_to_id".to_owned(), to.into());
        alias.members.insert("obj_to_type".to_owned(), "conv".into());
        alias.change_time = session.now;
    }
    Ok(json!({ "obj_id": id }))
}

/// The operation says which folder the object is in; Corezoid repeats that unchecked, and so does this.
fn move_into(session: &mut Session<'_>, op: Op<'_>) -> Result<Value, Refusal> {
    const KINDS: [(&str, &str); 3] = [("conv", "conv"), ("folder", "folder"), ("dashboard", "dashboard")];
    let kind = match op.word("obj_type", &KINDS)? {
        Some("conv") => Kind::Conv,
        Some("dashboard") => Kind::Dashboard,
        _ => Kind::Folder,
    };
    let id = session.named(op, kind)?;
    let to = parent(session, op, kind)?;
    let mut around = to;
    while let Some(object) = session.state.objects.get(&around) {
        if around == id {
            return Err(Refusal::WrongState("a folder cannot be moved into itself"));
        }
        around = object.parent;
    }
    let from = op.number("parent_id")?.unwrap_or(0);
    if let Some(object) = session.state.objects.get_mut(&id) {
        (object.parent, object.change_time) = (to, session.now);
    }
    Ok(json!({
        "obj_type": kind.name(),
        "obj_id": id,
        "obj_to_type": "folder",
        "obj_to_id": to,
        "obj_to_title": session.title(to),
        "action_type": "move",
        "from_folder": from,
        "to_folder": to,
        "from_folder_name": session.title(from),
        "to_folder_name": session.title(to),
        "user_id": session.caller.login.parse::<u64>().ok(),
        "user_name": session.caller.login,
    }))
}

/// Whom it is shared with need not be known here: the stand-in does not know a company's people.
fn share(session: &mut Session<'_>, op: Op<'_>, kind: Kind) -> Result<Value, Refusal> {
    let id = session.named(op, kind)?;
    let to_type = op.word("obj_to", &[("user", "user"), ("group", "group")])?.unwrap_or("user");
    let to = op.required_number("obj_to_id")?;
    let privileges = op.get("privs").cloned().unwrap_or_else(|| json!([]));
    let taken = privileges.as_array().is_none_or(Vec::is_empty);
    let title = session.state.objects.get(&to).map(|to| to.title.clone()).unwrap_or_default();
    if let Some(object) = session.state.objects.get_mut(&id) {
        let to = format!("{to_type}:{to}");
        match taken {
            true => object.privileges.remove(&to),
            false => object.privileges.insert(to, privileges),
        };
    }
    let action = if taken { "unlink" } else { "link" };
    Ok(json!({
        "obj_type": kind.name(), "obj_id": id, "obj_to_type": to_type, "obj_to_id": to, "obj_to_title": title,
        "action_type": action,
    }))
}

fn favorite(session: &mut Session<'_>, op: Op<'_>, kind: Kind) -> Result<Value, Refusal> {
    let id = session.named(op, kind)?;
    if let Some(object) = session.state.objects.get_mut(&id) {
        let favorite = op.get("favorite").is_none_or(|favorite| favorite != false);
        object.members.insert("favorite".to_owned(), favorite.into());
    }
    Ok(json!({ "obj_id": id }))
}

fn delete(session: &mut Session<'_>, op: Op<'_>, kind: Kind) -> Result<Value, Refusal> {
    let id = session.named(op, kind)?;
    if let Some(object) = session.state.objects.get_mut(&id) {
        object.deleted = true;
    }
    Ok(json!({ "obj_id": id }))
}

/// The object in the trash that an operation names.
fn in_trash(session: &Session<'_>, op: Op<'_>, kind: Kind) -> Result<u64, Refusal> {
    let id = op.required_number("obj_id")?;
    let found = session.state.objects.get(&id).filter(|object| object.kind == kind && object.deleted);
    session.check_owner(op, found.ok_or(Refusal::ObjIdNotFound)?)?;
    Ok(id)
}

fn restore(session: &mut Session<'_>, op: Op<'_>, kind: Kind) -> Result<Value, Refusal> {
    let id = in_trash(session, op, kind)?;
    let object = session.state.objects.get_mut(&id).ok_or(Refusal::ObjIdNotFound)?;
    object.deleted = false;
    Ok(json!({ "obj_id": id, "parent_folder_id": object.parent }))
}

fn destroy(session: &mut Session<'_>, op: Op<'_>, kind: Kind) -> Result<Value, Refusal> {
    let id = in_trash(session, op, kind)?;
    session.state.destroy(id);
    Ok(json!({ "obj_id": id, "obj_type": kind.name() }))
}
