//! Nodes: the places in a process where tasks stand, and the rules by which they go on.

use super::{
    flow,
    op::{LONG_TEXT, Op, SHORT_TEXT},
    refusal::Refusal,
    session::Session,
    state::{Kind, Node, START, State},
    task,
};
use serde_json::{Map, Value, json};

/// Members that are kept as they come, and whether each must be an array.
const CONTENT: [(&str, bool); 5] =
    [("extra", false), ("logics", true), ("options", false), ("position", true), ("semaphors", true)];

/// Performs an operation on a node.
pub(super) fn perform(session: &mut Session<'_>, op: Op<'_>) -> Result<Value, Refusal> {
    match op.action() {
        "create" => create(session, op),
        "delete" => delete(session, op),
        "list" => list(session, op),
        "modify" => modify(session, op),
        "reset" => reset(session, op),
        "show" => {
            let id = named(session, op)?;
            let node = session.state.nodes.get(&id).ok_or(Refusal::ObjIdNotFound)?;
            Ok(entry(session.state, node))
        }
        _ => Err(Refusal::Undefined),
    }
}

/// The node that an operation names by `obj_id`. A process named beside it must be the node's.
fn named(session: &Session<'_>, op: Op<'_>) -> Result<String, Refusal> {
    let id = op.required_identifier("obj_id")?;
    let node = session.state.nodes.get(&id).ok_or(Refusal::ObjIdNotFound)?;
    session.find(op, Kind::Conv, node.conv)?.ok_or(Refusal::ObjIdNotFound)?;
    match op.number("conv_id")? {
        Some(conv) if conv != node.conv => Err(Refusal::ObjIdNotFound),
        _ => Ok(id),
    }
}

fn create(session: &mut Session<'_>, op: Op<'_>) -> Result<Value, Refusal> {
    let conv = session.conv(op)?;
    let obj_type = obj_type(op)?.unwrap_or(0);
    if obj_type == START && session.state.start_of(conv).is_some() {
        // One start node a process is documented; how its contrary is worded is not.
        return Err(Refusal::WrongState("the process has a start node"));
    }
    let title = op.text("title", SHORT_TEXT)?.unwrap_or_default().to_owned();
    let description = op.text("description", LONG_TEXT)?.unwrap_or_default().to_owned();
    let (version, content) = (op.integer("version")?, merged(Map::new(), op)?);
    let id = session.state.identifier(session.now);
    let node = Node { id: id.clone(), conv, title, description, obj_type, version, content };
    session.state.nodes.insert(id.clone(), node);
    flow::run_all(session, conv);
    Ok(json!({ "obj_id": id, "version": version }))
}

fn modify(session: &mut Session<'_>, op: Op<'_>) -> Result<Value, Refusal> {
    let id = named(session, op)?;
    let mut node = session.state.nodes.get(&id).cloned().ok_or(Refusal::ObjIdNotFound)?;
    if let Some(title) = op.text("title", SHORT_TEXT)? {
        title.clone_into(&mut node.title);
    }
    if let Some(description) = op.text("description", LONG_TEXT)? {
        description.clone_into(&mut node.description);
    }
    node.obj_type = obj_type(op)?.unwrap_or(node.obj_type);
    node.version = op.integer("version")?.or(node.version);
    node.content = merged(node.content, op)?;
    let conv = node.conv;
    session.state.nodes.insert(id.clone(), node);
    flow::run_all(session, conv);
    Ok(json!({ "obj_id": id, "conv_id": conv }))
}

/// The tasks in a node, if it is asked for with a filter only those of a reference.
fn list(session: &Session<'_>, op: Op<'_>) -> Result<Value, Refusal> {
    let id = named(session, op)?;
    let wanted = |task: &super::state::Task| {
        let filters = op.get("filters").and_then(Value::as_array);
        filters.into_iter().flatten().all(|filter| match filter["name"].as_str() {
            Some("ref") => task.reference.as_deref() == filter["value"].as_str(),
            _ => true,
        })
    };
    let tasks = session.state.tasks_in(&id).filter(|task| wanted(task));
    let list = op.page(tasks.map(|task| task::entry(session.state, task)))?;
    let count = session.state.tasks_in(&id).count();
    Ok(json!({
        "obj_id": id, "count": count, "count_created": count, "count_processing": 0, "count_delayed": 0, "list": list,
    }))
}

/// Takes all tasks out of a node.
fn reset(session: &mut Session<'_>, op: Op<'_>) -> Result<Value, Refusal> {
    let id = named(session, op)?;
    empty(session, &id);
    Ok(json!({ "obj_id": id }))
}

/// Tasks that stand in the node go with it; this is ours.
fn delete(session: &mut Session<'_>, op: Op<'_>) -> Result<Value, Refusal> {
    let id = named(session, op)?;
    empty(session, &id);
    session.state.nodes.remove(&id);
    // The documented answer names the process here, with the node's identifier.
    Ok(json!({ "obj": "conv", "obj_id": id }))
}

fn empty(session: &mut Session<'_>, id: &str) {
    let tasks: Vec<_> = session.state.tasks_in(id).map(|task| task.id.clone()).collect();
    tasks.iter().for_each(|task| session.state.forget(task));
}

/// The nodes of a process whose titles hold a text.
pub(super) fn search(session: &Session<'_>, op: Op<'_>) -> Result<Value, Refusal> {
    let conv = session.conv(op)?;
    let pattern = op.text("pattern", SHORT_TEXT)?.unwrap_or_default();
    let found = session.state.nodes_of(conv).filter(|node| node.title.contains(pattern));
    let entries = found.map(|node| {
        json!({
            "conv_id": conv.to_string(), "id": node.id, "title": node.title, "description": node.description,
            "type": node.obj_type, "status": 1,
        })
    });
    Ok(json!({ "list": op.page(entries)? }))
}

/// A node as lists and answers show it.
pub(super) fn entry(state: &State, node: &Node) -> Value {
    let mut entry = json!({
        "obj": "node",
        "obj_id": node.id,
        "title": node.title,
        "description": node.description,
        "obj_type": node.obj_type,
        "version": node.version,
        "count": state.tasks_in(&node.id).count(),
        "logics": [],
        "semaphors": [],
    });
    if let Value::Object(members) = &mut entry {
        members.extend(node.content.clone());
    }
    entry
}

/// Custom, start, final or escalation.
fn obj_type(op: Op<'_>) -> Result<Option<i64>, Refusal> {
    match op.integer("obj_type")? {
        Some(other) if !(0..=3).contains(&other) => Err(Refusal::not_valid("obj_type", &other.into())),
        obj_type => Ok(obj_type),
    }
}

/// The content of a node with what the operation says about it.
fn merged(mut content: Map<String, Value>, op: Op<'_>) -> Result<Map<String, Value>, Refusal> {
    for (key, is_array) in CONTENT {
        let Some(value) = op.get(key) else { continue };
        if is_array && !value.is_array() {
            return Err(Refusal::not_valid(key, value));
        }
        content.insert(key.to_owned(), value.clone());
    }
    Ok(content)
}
