//! Tasks: data that moves through the nodes of a process.

use super::{
    conv, flow,
    op::{Op, SHORT_TEXT},
    refusal::Refusal,
    session::Session,
    state::{Kind, State, Task, Waits},
};
use serde_json::{Map, Value, json};

/// Longest data, in bytes: the provider's default.
const LONGEST_DATA: usize = 512_000;

/// Performs an operation on a task.
pub(super) fn perform(session: &mut Session<'_>, op: Op<'_>) -> Result<Value, Refusal> {
    match op.action() {
        "create" => create(session, op),
        "delete" => delete(session, op),
        "list" => list(session, op),
        "modify" => modify(session, op),
        "show" => {
            let id = named(session, op)?;
            let task = session.state.tasks.get(&id).ok_or(Refusal::ObjIdNotFound)?;
            Ok(entry(session.state, task))
        }
        "step_goto" | "step_next" | "step_prev" => step(session, op),
        _ => Err(Refusal::Undefined),
    }
}

/// The task that an operation names: by `obj_id`, or by process and `ref`.
fn named(session: &Session<'_>, op: Op<'_>) -> Result<String, Refusal> {
    let Some(id) = op.identifier("obj_id")? else {
        let reference = op.required_identifier("ref")?;
        let conv = session.conv(op)?;
        let task = session.state.by_reference(conv, &reference).ok_or(Refusal::NotFound)?;
        return Ok(task.id.clone());
    };
    let task = session.state.tasks.get(&id).ok_or(Refusal::ObjIdNotFound)?;
    session.find(op, Kind::Conv, task.conv)?.ok_or(Refusal::ObjIdNotFound)?;
    let names_conv = op.get("conv_id").is_some() || op.get("obj_alias").is_some();
    if names_conv && session.conv(op)? != task.conv { Err(Refusal::ObjIdNotFound) } else { Ok(id) }
}

fn create(session: &mut Session<'_>, op: Op<'_>) -> Result<Value, Refusal> {
    let conv = session.conv(op)?;
    let reference = reference(op)?;
    let data = checked(op.map("data")?)?;
    let id = insert(session, conv, reference.clone(), data, None)?;
    Ok(json!({ "ref": reference, "obj_id": id }))
}

/// Puts a new task into a process, and lets it run.
pub(super) fn insert(
    session: &mut Session<'_>,
    conv: u64,
    reference: Option<String>,
    data: Map<String, Value>,
    caller: Option<String>,
) -> Result<String, Refusal> {
    let refuses = |object| matches!(conv::status(object), "blocked" | "paused");
    if session.state.conv(conv).is_some_and(refuses) {
        return Err(Refusal::NotActive);
    }
    let is_taken = |reference: &String| session.state.by_reference(conv, reference).is_some();
    if reference.as_ref().is_some_and(is_taken) {
        return Err(Refusal::NotUnical);
    }
    let id = session.state.identifier(session.now);
    session.state.keep(Task {
        id: id.clone(),
        conv,
        reference,
        node: None,
        previous: None,
        at: 0,
        waits: Waits::Nothing,
        deadline: None,
        data,
        owner: session.caller.login.clone(),
        create_time: session.now,
        change_time: session.now,
        caller,
        steps: Vec::new(),
    });
    flow::run(session, &id);
    Ok(id)
}

/// Adds the data of the operation to the task's, member by member. A task that waits for that goes on.
fn modify(session: &mut Session<'_>, op: Op<'_>) -> Result<Value, Refusal> {
    let id = named(session, op)?;
    let added = op.map("data")?;
    change(session, &id, added)?;
    let reference = session.state.tasks.get(&id).and_then(|task| task.reference.clone());
    Ok(json!({ "ref": reference, "obj_id": id }))
}

/// Adds data to a task, and lets it go on if it waits for that.
pub(super) fn change(session: &mut Session<'_>, id: &str, added: Map<String, Value>) -> Result<(), Refusal> {
    let now = session.now;
    let task = session.state.tasks.get_mut(id).ok_or(Refusal::ObjIdNotFound)?;
    let mut data = task.data.clone();
    data.extend(added);
    task.data = checked(data)?;
    task.change_time = now;
    if task.waits == Waits::Callback {
        flow::go_on(session, id);
    }
    Ok(())
}

/// The tasks of a process, in whatever node they stand. Ours: documented clients list them node by node.
fn list(session: &Session<'_>, op: Op<'_>) -> Result<Value, Refusal> {
    let conv = session.conv(op)?;
    let tasks = session.state.tasks_of(conv).map(|task| entry(session.state, task));
    Ok(json!({ "conv_id": conv, "list": op.page(tasks)? }))
}

/// A node named beside the task must be the one it stands in.
fn delete(session: &mut Session<'_>, op: Op<'_>) -> Result<Value, Refusal> {
    let id = named(session, op)?;
    let node = session.state.tasks.get(&id).and_then(|task| task.node.as_ref());
    if op.identifier("node_id")?.is_some_and(|named| Some(&named) != node) {
        return Err(Refusal::ObjIdNotFound);
    }
    session.state.forget(&id);
    Ok(json!({ "obj_id": id }))
}

/// Moves a task to another node of its process by hand.
///
/// A process that runs has made the next step by itself: asked for it at the end of the way, this answers the last one.
/// Ours; Corezoid steps through processes in debug mode only.
fn step(session: &mut Session<'_>, op: Op<'_>) -> Result<Value, Refusal> {
    let id = named(session, op)?;
    let added = op.map("data")?;
    let task = session.state.tasks.get(&id).ok_or(Refusal::ObjIdNotFound)?;
    let here = task.node.as_ref().and_then(|node| session.state.nodes.get(node));
    let target = match op.action() {
        "step_goto" => op.identifier("node_id")?,
        "step_prev" => task.previous.clone(),
        _ if session.state.is_processed(task) && task.previous.is_some() => None,
        _ => Some(flow::next(here, &task.data).ok_or(Refusal::WrongState("the task has no node to go to"))?),
    };
    let is_elsewhere =
        |target: &String| session.state.nodes.get(target).is_none_or(|node| node.conv != task.conv);
    if target.as_ref().is_some_and(is_elsewhere) {
        return Err(Refusal::NotFound);
    }
    if target.is_none() && op.action() != "step_next" {
        return Err(Refusal::WrongState("the task has no node to go to"));
    }
    let now = session.now;
    session.state.timers.remove(&id);
    let task = session.state.tasks.get_mut(&id).ok_or(Refusal::ObjIdNotFound)?;
    task.data.extend(added);
    if let Some(target) = target {
        task.enter(&target, now);
        // Whoever moves a task by hand wants to see it where it was put.
        task.waits = Waits::Hand;
    }
    stepped(session, &id)
}

/// What a step came to.
fn stepped(session: &Session<'_>, id: &str) -> Result<Value, Refusal> {
    let task = session.state.tasks.get(id).ok_or(Refusal::ObjIdNotFound)?;
    let name_of = |node: Option<&String>| {
        node.and_then(|node| session.state.nodes.get(node)).map(|node| node.title.clone())
    };
    let history = task.steps.iter().map(|step| {
        json!({
            "time": step.time * 1_000,
            "prev_conv_id": task.conv,
            "conv_id": task.conv,
            "prev_node_id": step.from,
            "node_id": step.to,
            "status": 1,
            "data": null,
        })
    });
    let here = task.node.as_ref().and_then(|node| session.state.nodes.get(node));
    Ok(json!({
        "obj_id": task.id,
        "prev_conv_id": task.conv,
        "prev_conv_name": session.title(task.conv),
        "prev_node_id": task.previous,
        "prev_node_name": name_of(task.previous.as_ref()),
        "conv_id": task.conv,
        "conv_name": session.title(task.conv),
        "node_id": task.node,
        "node_name": name_of(task.node.as_ref()),
        "status": if session.state.is_processed(task) { "processed" } else { "active" },
        "data": task.data,
        "branches": ["logic"],
        "logic": here.map_or(&[][..], super::state::Node::logics),
        "history": history.collect::<Value>(),
    }))
}

/// A task as lists and answers show it.
pub(super) fn entry(state: &State, task: &Task) -> Value {
    json!({
        "obj": "task",
        "obj_id": task.id,
        "task_id": task.id,
        "conv_id": task.conv,
        "ref": task.reference,
        "status": if state.is_processed(task) { "processed" } else { "active" },
        "user_id": task.owner.parse::<u64>().ok(),
        "user_login": task.owner,
        "create_time": task.create_time,
        "change_time": task.change_time,
        "node_id": task.node,
        "node_prev_id": task.previous,
        "data": task.data,
    })
}

/// The documented length of a reference is 1 to 255.
fn reference(op: Op<'_>) -> Result<Option<String>, Refusal> {
    match op.identifier("ref")? {
        Some(reference) if reference.is_empty() => Err(Refusal::too_short("ref", "", 1)),
        Some(reference) if reference.len() > SHORT_TEXT => Err(Refusal::too_long("ref", SHORT_TEXT)),
        reference => Ok(reference),
    }
}

/// Data that is not too long.
fn checked(data: Map<String, Value>) -> Result<Map<String, Value>, Refusal> {
    let length = serde_json::to_string(&data).map_or(0, |data| data.len());
    if length > LONGEST_DATA { Err(Refusal::too_long("data", LONGEST_DATA)) } else { Ok(data) }
}
