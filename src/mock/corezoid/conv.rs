//! Processes, which the API calls `conv`: what they have beyond other objects.

use super::{
    flow, node,
    op::Op,
    refusal::Refusal,
    session::Session,
    state::{Kind, Node, Object},
};
use serde_json::{Value, json};

/// The documents spell these states in two ways; both are understood, and the newer one is answered.
const STATUSES: [(&str, &str); 7] = [
    ("active", "active"),
    ("actived", "active"),
    ("blocked", "blocked"),
    ("debug", "debug"),
    ("debugged", "debug"),
    ("pause", "paused"),
    ("paused", "paused"),
];
const KINDS: [(&str, &str); 2] = [("process", "process"), ("state", "state")];

/// Makes a process of what was read already.
pub(super) fn create(session: &mut Session<'_>, op: Op<'_>, mut conv: Object) -> Result<Value, Refusal> {
    let conv_type = op.word("conv_type", &KINDS)?.unwrap_or("process");
    let status = op.word("status", &STATUSES)?.unwrap_or("active");
    let folder = conv.parent;
    let id = session.state.number();
    let hash = session.state.hash(id);
    conv.members.insert("conv_type".to_owned(), conv_type.into());
    conv.members.insert("status".to_owned(), status.into());
    conv.members.insert("hash".to_owned(), hash.as_str().into());
    session.state.objects.insert(id, conv);
    if op.get("create_mode").is_none_or(|mode| mode != "without_nodes") {
        insert_start_and_final(session, id);
    }
    // The document's example shows the number as text; the vendor's own client and OpenAPI description want a number.
    Ok(json!({ "obj_id": id, "folder_id": folder, "hash": hash }))
}

/// Gives a new process what most need: a start node that leads to a final one.
pub(super) fn insert_start_and_final(session: &mut Session<'_>, conv: u64) {
    let (start, end) = (session.state.identifier(session.now), session.state.identifier(session.now));
    let go = json!({ "logics": [{ "type": "go", "to_node_id": end }], "semaphors": [] });
    let nodes = [(start, "Start", 1, go), (end, "Final", 2, json!({ "logics": [], "semaphors": [] }))];
    for (id, title, obj_type, content) in nodes {
        let content = content.as_object().cloned().unwrap_or_default();
        let (title, description) = (title.to_owned(), String::new());
        let node = Node { id: id.clone(), conv, title, description, obj_type, version: None, content };
        session.state.nodes.insert(id, node);
    }
}

/// Changes a process to what was read already, and its status. One that runs again takes up its tasks.
pub(super) fn modify(
    session: &mut Session<'_>,
    op: Op<'_>,
    id: u64,
    old: &Object,
    mut new: Object,
) -> Result<Value, Refusal> {
    let status = op.word("status", &STATUSES)?.unwrap_or_else(|| status(old));
    new.members.insert("status".to_owned(), status.into());
    let changed = new.title != old.title || new.description != old.description || new.members != old.members;
    if changed {
        new.change_time = session.now;
    }
    session.state.objects.insert(id, new);
    flow::run_all(session, id);
    let (new_status, old_status) = (number(status), number(self::status(old)));
    Ok(json!({ "obj_id": id, "new_status": new_status, "old_status": old_status, "is_changed": changed }))
}

/// The status of a process, in the newer spelling.
pub(super) fn status(conv: &Object) -> &'static str {
    let status = conv.text("status");
    STATUSES.iter().find(|(word, _)| *word == status).map_or("active", |(_, meaning)| meaning)
}

/// Where a change of status is answered, states are numbers. Only that 1 stands for active is public; the others are ours.
fn number(status: &str) -> u8 {
    match status {
        "active" => 1,
        "paused" => 2,
        "debug" => 3,
        _ => 4,
    }
}

/// The nodes of a process.
pub(super) fn list(session: &Session<'_>, op: Op<'_>) -> Result<Value, Refusal> {
    let id = session.named(op, Kind::Conv)?;
    let conv = session.state.objects.get(&id).ok_or(Refusal::ObjIdNotFound)?;
    let mut listed = session.entry(id, conv);
    let nodes = session.state.nodes_of(id).map(|node| node::entry(session.state, node));
    listed["folder_id"] = conv.parent.into();
    listed["folder_name"] = session.title(conv.parent).into();
    listed["list"] = nodes.collect();
    Ok(listed)
}

/// The parameters that a process declares.
pub(super) fn params(session: &mut Session<'_>, op: Op<'_>) -> Result<Value, Refusal> {
    let id = session.named(op, Kind::Conv)?;
    let conv = session.state.objects.get_mut(&id).ok_or(Refusal::ObjIdNotFound)?;
    match op.action() {
        "list" => {
            let params = conv.members.get("params").cloned().unwrap_or_else(|| json!([]));
            Ok(json!({ "obj_id": id, "params": params, "ref_mask": conv.members.get("ref_mask") }))
        }
        "modify" => {
            for key in ["params", "ref_mask"] {
                if let Some(value) = op.get(key) {
                    conv.members.insert(key.to_owned(), value.clone());
                }
            }
            Ok(json!({ "conv_id": id }))
        }
        _ => Err(Refusal::Undefined),
    }
}

/// Versions of a process. What a node is told takes effect at once here, so confirming one changes nothing.
pub(super) fn commit(session: &Session<'_>, op: Op<'_>) -> Result<Value, Refusal> {
    let key = if op.get("conv_id").is_some() { "conv_id" } else { "obj_id" };
    let id = op.required_number(key)?;
    session.find(op, Kind::Conv, id)?.ok_or(Refusal::NotFound)?;
    match op.action() {
        "list" => Ok(json!({ "list": [] })),
        "show" => {
            let nodes = session.state.nodes_of(id).map(|node| node::entry(session.state, node));
            Ok(json!({ "list": nodes.collect::<Value>() }))
        }
        "confirm" | "delete" => {
            let version = op.integer("version")?;
            Ok(json!({ "obj_id": id, "obj_type": "conv", "version": version }))
        }
        _ => Err(Refusal::Undefined),
    }
}

/// How many tasks came into nodes and left them, of all time: the period that is asked for does not matter here.
pub(super) fn stat(session: &Session<'_>, op: Op<'_>) -> Result<Value, Refusal> {
    if op.action() != "show" {
        return Err(Refusal::Undefined);
    }
    let conv = session.conv(op)?;
    let count = |node: &Node| {
        let steps = session.state.tasks_of(conv).flat_map(|task| &task.steps);
        let (mut came, mut left) = (0, 0);
        for step in steps {
            came += usize::from(step.to == node.id);
            left += usize::from(step.from.as_ref() == Some(&node.id));
        }
        (came, left)
    };
    let Some(id) = op.identifier("node_id")? else {
        let counted = session.state.nodes_of(conv).map(|node| {
            let (came, left) = count(node);
            json!({ "id": node.id, "title": node.title, "in": came, "out": left })
        });
        return Ok(json!({ "group": "all", "conv_id": conv, "data": counted.collect::<Value>() }));
    };
    let node = session.state.nodes_of(conv).find(|node| node.id == id).ok_or(Refusal::NotFound)?;
    let (came, left) = count(node);
    let data = json!([{ "date": op.get("end"), "in": came, "out": left }]);
    Ok(json!({ "node_id": id, "title": node.title, "group": "time", "conv_id": conv, "data": data }))
}
