//! Schemes, which is what the API calls the content of files: objects written down, to be read in again elsewhere.

use super::{
    op::{Op, SHORT_TEXT},
    refusal::Refusal,
    session::Session,
    state::{Kind, Node},
    zip,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Files that are kept; the oldest goes first. Ours.
const FILES_KEPT: usize = 100;

/// Performs an operation on a scheme: writing one to a file, or showing it.
pub(super) fn perform(session: &mut Session<'_>, op: Op<'_>) -> Result<Value, Refusal> {
    match op.action() {
        "create" | "download" => export(session, op),
        "get" => {
            let id = named(session, op)?;
            Ok(json!({ "scheme": write(session, id) }))
        }
        "check" => named(session, op).map(|_| json!({})),
        "compare" => compare(session, op),
        "merge" => merge(session, op),
        _ => Err(Refusal::Undefined),
    }
}

/// The object that an operation names by `obj_type` and `obj_id`.
fn named(session: &Session<'_>, op: Op<'_>) -> Result<u64, Refusal> {
    object(session, op, "obj_type", "obj_id")
}

fn object(
    session: &Session<'_>,
    op: Op<'_>,
    type_key: &'static str,
    id_key: &'static str,
) -> Result<u64, Refusal> {
    const KINDS: [(&str, &str); 5] = [
        ("conv", "conv"),
        ("folder", "folder"),
        ("project", "project"),
        ("stage", "stage"),
        ("dashboard", "dashboard"),
    ];
    op.word(type_key, &KINDS)?;
    let id = op.required_number(id_key)?;
    let found = session.state.objects.get(&id).filter(|object| !object.deleted);
    session.check_owner(op, found.ok_or(Refusal::ObjIdNotFound)?)?;
    Ok(id)
}

fn export(session: &mut Session<'_>, op: Op<'_>) -> Result<Value, Refusal> {
    const FORMATS: [(&str, &str); 2] = [("json", "json"), ("zip", "zip")];
    let format = op.word("format", &FORMATS)?.unwrap_or("json");
    let id = named(session, op)?;
    let kind = session.state.objects.get(&id).map_or(Kind::Conv, |object| object.kind);
    let objects = write(session, id);
    let content = match format {
        "zip" => zip::archive(files(objects.as_array().map_or(&[], Vec::as_slice)).into_iter()),
        _ => objects.to_string().into_bytes(),
    };
    session.state.given += 1;
    let file = format!("{}_{id}_{}{:04}.{format}", kind.name(), session.now, session.state.given);
    session.state.files.insert(file.clone(), content);
    while session.state.files.len() > FILES_KEPT {
        session.state.files.pop_first();
    }
    let url = format!("{}/user_downloads/{file}", session.origin);
    Ok(json!({ "download_url": url, "statistics_id": file }))
}

/// The content type of a file.
pub(super) fn content_type(file: &str) -> &'static str {
    if file.ends_with(".zip") { "application/zip" } else { "application/json" }
}

/// The files of objects in an archive, as the vendor's client looks for them: folders in folders, and a file an object.
fn files(objects: &[Value]) -> Vec<(String, Vec<u8>)> {
    let mut folders = BTreeMap::new();
    let mut files = Vec::new();
    for object in objects {
        let suffix = match object["obj_type"].as_u64() {
            Some(0) => "folder",
            Some(1) => "conv",
            Some(5) => "project",
            Some(10) => "stage",
            _ => "dashboard",
        };
        let id = object["obj_id"].as_u64().unwrap_or_default();
        let title = object["title"].as_str().unwrap_or_default().replace(['/', '\\'], "_");
        let around = object["parent_id"].as_u64().and_then(|parent| folders.get(&parent).cloned());
        let mut folder: String = around.unwrap_or_default();
        if matches!(suffix, "folder" | "project" | "stage") {
            folder.push_str(&format!("{id}_{title}.{suffix}/"));
            folders.insert(id, folder.clone());
        }
        let content = serde_json::to_vec_pretty(object).unwrap_or_default();
        files.push((format!("{folder}{id}_{title}.{suffix}.json"), content));
    }
    files
}

/// An object and all that lies in it.
pub(super) fn write(session: &Session<'_>, id: u64) -> Value {
    let mut written = Vec::new();
    let mut waiting = vec![id];
    while let Some(id) = waiting.pop() {
        let Some(object) = session.state.objects.get(&id).filter(|object| !object.deleted) else { continue };
        let number = match object.kind {
            Kind::Conv => 1,
            Kind::Dashboard => 2,
            Kind::Project => 5,
            Kind::Stage => 10,
            Kind::Folder => 0,
            _ => continue,
        };
        let mut entry = json!({
            "obj_type": number,
            "obj_id": id,
            "parent_id": object.parent,
            "title": object.title,
            "description": object.description,
        });
        if object.kind == Kind::Conv {
            entry["status"] = object.text("status").into();
            entry["conv_type"] = object.text("conv_type").into();
            entry["params"] = object.members.get("params").cloned().unwrap_or_else(|| json!([]));
            entry["ref_mask"] = object.members.get("ref_mask").cloned().unwrap_or_else(|| true.into());
            let nodes = session.state.nodes_of(id).map(node).collect::<Value>();
            entry["scheme"] = json!({ "nodes": nodes, "web_settings": [[], []] });
        }
        written.push(entry);
        let inside = session.state.objects.iter().filter(|(_, object)| object.parent == id);
        waiting.extend(inside.map(|(id, _)| *id));
    }
    Value::Array(written)
}

fn node(node: &Node) -> Value {
    let part = |key: &str, default: Value| node.content.get(key).cloned().unwrap_or(default);
    let position = part("position", json!([0, 0]));
    json!({
        "id": node.id,
        "obj_type": node.obj_type,
        "title": node.title,
        "description": node.description,
        "condition": { "logics": part("logics", json!([])), "semaphors": part("semaphors", json!([])) },
        "x": position[0],
        "y": position[1],
        "extra": part("extra", Value::Null),
        "options": part("options", Value::Null),
    })
}

/// Reads objects in below a folder, and tells what became of each. An object without members is an empty process.
pub(super) fn read(
    session: &mut Session<'_>,
    op: Op<'_>,
    objects: &[Value],
    parent: u64,
) -> Result<Vec<Value>, Refusal> {
    let company = match session.state.objects.get(&parent) {
        Some(folder) => folder.company.clone(),
        None => session.company_for(op)?,
    };
    let mut numbers = BTreeMap::new();
    let mut read = Vec::new();
    // Folders first, so that what lies in them finds them.
    let mut ordered: Vec<_> = objects.iter().map(Op::new).collect();
    ordered.sort_by_key(|object| object.integer("obj_type").ok().flatten().unwrap_or(1) == 1);
    for object in ordered {
        let kind = match object.integer("obj_type")?.unwrap_or(1) {
            0 | 5 | 10 => Kind::Folder,
            2 => Kind::Dashboard,
            _ => Kind::Conv,
        };
        let (old, old_parent) = (object.number("obj_id")?, object.number("parent_id")?);
        let title = object.text("title", SHORT_TEXT)?.unwrap_or("New object");
        let around = old_parent.and_then(|old| numbers.get(&old).copied()).unwrap_or(parent);
        let mut made = session.object(kind, around, title, company.clone());
        object.text("description", usize::MAX)?.unwrap_or_default().clone_into(&mut made.description);
        let id = session.state.number();
        let hash = session.state.hash(id);
        if kind == Kind::Conv {
            for (key, default) in [("status", "active"), ("conv_type", "process")] {
                let value = object.text(key, SHORT_TEXT)?.unwrap_or(default);
                made.members.insert(key.to_owned(), value.into());
            }
            made.members.insert("hash".to_owned(), hash.as_str().into());
            made.members
                .insert("params".to_owned(), object.get("params").cloned().unwrap_or_else(|| json!([])));
        }
        session.state.objects.insert(id, made);
        numbers.extend(old.map(|old| (old, id)));
        read.push(json!({
            "obj_id": id, "obj_type": kind.name(), "title": title, "description": object.get("description"),
            "hash": hash, "old_obj_id": old, "old_parent_id": old_parent,
        }));
    }
    for (object, read) in objects.iter().filter(|object| object["scheme"].is_object()).zip(convs(&read)) {
        read_nodes(session, read, &object["scheme"]["nodes"], &numbers);
    }
    Ok(read)
}

fn convs(read: &[Value]) -> impl Iterator<Item = u64> {
    read.iter().filter(|object| object["obj_type"] == "conv").filter_map(|object| object["obj_id"].as_u64())
}

/// Gives a process nodes under new identifiers, which replace the old ones in their rules.
fn read_nodes(session: &mut Session<'_>, conv: u64, nodes: &Value, convs: &BTreeMap<u64, u64>) {
    let nodes: Vec<_> = nodes.as_array().into_iter().flatten().collect();
    let new: BTreeMap<_, _> = nodes
        .iter()
        .filter_map(|node| Some((node["id"].as_str()?.to_owned(), session.state.identifier(session.now))))
        .collect();
    for node in nodes {
        let old = node["id"].as_str().unwrap_or_default();
        let id = new.get(old).cloned().unwrap_or_else(|| session.state.identifier(session.now));
        let mut content = Map::new();
        for key in ["logics", "semaphors"] {
            let mut rules = node["condition"][key].as_array().cloned().unwrap_or_default();
            rules.iter_mut().for_each(|rule| rename(rule, &new, convs));
            content.insert(key.to_owned(), rules.into());
        }
        content.insert("position".to_owned(), json!([node["x"], node["y"]]));
        content.insert("extra".to_owned(), node["extra"].clone());
        content.insert("options".to_owned(), node["options"].clone());
        let text = |key: &str| node[key].as_str().unwrap_or_default().to_owned();
        let obj_type = node["obj_type"].as_i64().unwrap_or(0);
        let (title, description) = (text("title"), text("description"));
        let node = Node { id: id.clone(), conv, title, description, obj_type, version: None, content };
        session.state.nodes.insert(id, node);
    }
}

fn rename(rule: &mut Value, nodes: &BTreeMap<String, String>, convs: &BTreeMap<u64, u64>) {
    for key in ["to_node_id", "err_node_id", "esc_node_id"] {
        if let Some(new) = rule[key].as_str().and_then(|old| nodes.get(old)) {
            rule[key] = new.as_str().into();
        }
    }
    if let Some(new) = rule["conv_id"].as_u64().and_then(|old| convs.get(&old)) {
        rule["conv_id"] = (*new).into();
    }
}

/// Copies an object (`obj_copy`).
pub(super) fn copy(session: &mut Session<'_>, op: Op<'_>) -> Result<Value, Refusal> {
    let id = named(session, op)?;
    let to = match op.get("obj_to_id") {
        Some(_) => object(session, op, "obj_to_type", "obj_to_id")?,
        None => op.number("folder_id")?.unwrap_or(0),
    };
    let mut objects = write(session, id).as_array().cloned().unwrap_or_default();
    if let (Some(title), Some(first)) = (op.text("title", SHORT_TEXT)?, objects.first_mut()) {
        first["title"] = title.into();
    }
    let read = read(session, op, &objects, to)?;
    Ok(finished(session, op, json!({ "scheme": read })))
}

/// The result of a long operation: at once if it was asked for so, else under a hash by which it is asked for later.
pub(super) fn finished(session: &mut Session<'_>, op: Op<'_>, result: Value) -> Value {
    let later = op.get("async").is_some_and(|later| *later == true || later == "true");
    if !later {
        return result;
    }
    let hash = session.state.hash(0).to_uppercase();
    session.state.finished.insert(hash.clone(), result);
    json!({ "hash": hash })
}

/// What lies in one stage or folder and not in another, by titles.
fn compare(session: &Session<'_>, op: Op<'_>) -> Result<Value, Refusal> {
    let (from, to) = (named(session, op)?, object(session, op, "obj_to_type", "obj_to_id")?);
    let inside = |id| {
        let objects = session.state.objects.iter().filter(move |(_, object)| object.parent == id);
        objects.filter(|(_, object)| !object.deleted)
    };
    let is_in = |folder, title: &str| inside(folder).any(|(_, object)| object.title == title);
    let entry = |id: u64, title: &str, kind: Kind, parent: u64, status: &str| json!({ "parent_id": parent, "obj_id": id, "title": title, "obj_type": kind.name(), "__status": status });
    let of_from = inside(from).map(|(id, object)| {
        let status = if is_in(to, &object.title) { "" } else { "added" };
        entry(*id, &object.title, object.kind, from, status)
    });
    let of_to = inside(to).filter(|(_, object)| !is_in(from, &object.title));
    let of_to = of_to.map(|(id, object)| entry(*id, &object.title, object.kind, to, "deleted"));
    Ok(json!({ "list": of_from.chain(of_to).collect::<Value>() }))
}

/// Brings what one stage or folder lacks over from another.
fn merge(session: &mut Session<'_>, op: Op<'_>) -> Result<Value, Refusal> {
    let to = object(session, op, "obj_to_type", "obj_to_id")?;
    let compared = compare(session, op)?;
    let added: Vec<_> = compared["list"].as_array().into_iter().flatten().cloned().collect();
    let added: Vec<_> = added.into_iter().filter(|entry| entry["__status"] == "added").collect();
    if op.get("apply_mode").is_some_and(|apply| *apply == true) {
        for id in added.iter().filter_map(|entry| entry["obj_id"].as_u64()) {
            let objects = write(session, id).as_array().cloned().unwrap_or_default();
            read(session, op, &objects, to)?;
        }
    }
    Ok(finished(session, op, json!({ "diff": added })))
}
