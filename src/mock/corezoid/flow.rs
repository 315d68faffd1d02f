//! How tasks move: from the start node by the rules of the nodes, until they wait or have come to the end.
//!
//! Of Corezoid's rules these are followed: `go`, `go_if_const`, `set_param`, `api` (calls out), `api_callback`,
//! `api_copy`, `api_rpc`, `api_rpc_reply`, `api_queue`, and the time semaphor. Others (code, databases, git) let a task
//! pass as if they had done nothing.

use super::{
    call, conv,
    refusal::Refusal,
    session::{Effect, Session},
    state::{FINAL, Node, Task, Waits},
    task,
    value::{Scope, converted, holds},
};
use serde_json::{Map, Value};

/// Processes that call each other may do so this deep; the stack holds more.
const DEEPEST: u32 = 24;

/// Lets all tasks of a process go on that have nowhere to go so far.
pub(super) fn run_all(session: &mut Session<'_>, conv: u64) {
    let stuck = |task: &&Task| task.waits == Waits::Way || task.node.is_none();
    let tasks: Vec<_> = session.state.tasks_of(conv).filter(stuck).map(|task| task.id.clone()).collect();
    for id in tasks {
        if let Some(task) = session.state.tasks.get_mut(&id) {
            (task.waits, task.at) = (Waits::Nothing, 0);
        }
        run(session, &id);
    }
}

/// Moves the tasks whose time has come.
pub(super) fn pass_time(session: &mut Session<'_>) {
    let due = |id: &&String| {
        let deadline = session.state.tasks.get(*id).and_then(|task| task.deadline.as_ref());
        deadline.is_none_or(|(at, _)| *at <= session.now)
    };
    let due: Vec<_> = session.state.timers.iter().filter(due).cloned().collect();
    for id in due {
        session.state.timers.remove(&id);
        let deadline = session.state.tasks.get_mut(&id).and_then(|task| task.deadline.take());
        if let Some((_, node)) = deadline {
            enter(session, &id, &node);
            run(session, &id);
        }
    }
}

/// Lets a task that has waited go on behind the rule by which it did.
pub(super) fn go_on(session: &mut Session<'_>, id: &str) {
    if let Some(task) = session.state.tasks.get_mut(id) {
        (task.waits, task.at) = (Waits::Nothing, task.at + 1);
        run(session, id);
    }
}

/// Moves a task as far as it goes. How far all tasks together go in one request is limited: processes may go in circles.
pub(super) fn run(session: &mut Session<'_>, id: &str) {
    if session.depth >= DEEPEST {
        return wait(session, id, Waits::Way);
    }
    session.depth += 1;
    while session.steps_left > 0 && advance(session, id) {
        session.steps_left = session.steps_left.saturating_sub(1);
    }
    session.depth -= 1;
    let tired = session.steps_left == 0;
    if tired && session.state.tasks.get(id).is_some_and(|task| task.waits == Waits::Nothing) {
        wait(session, id, Waits::Way);
    }
}

/// Where a task would go from here.
pub(super) fn next(here: Option<&Node>, data: &Map<String, Value>) -> Option<String> {
    let here = here?;
    let taken = here.logics().iter().find(|logic| {
        logic["type"] == "go" || (logic["type"] == "go_if_const" && all_hold(logic, &Scope::of(data)))
    });
    let next = taken.and_then(|logic| logic["to_node_id"].as_str()).or_else(|| here.next());
    next.or_else(|| here.semaphors().first()?["to_node_id"].as_str()).map(str::to_owned)
}

/// One step, or one rule of a node. Whether there may be another.
fn advance(session: &mut Session<'_>, id: &str) -> bool {
    let Some(task) = session.state.tasks.get(id) else { return false };
    if task.waits != Waits::Nothing {
        return false;
    }
    let Some(node) = &task.node else {
        let start = session.state.start_of(task.conv).map(|node| node.id.clone());
        return match start {
            Some(start) => enter(session, id, &start),
            None => false,
        };
    };
    let Some(node) = session.state.nodes.get(node) else { return false };
    if node.obj_type == FINAL {
        finish(session, id);
        return false;
    }
    // A pause keeps new tasks out, and leaves those alone that are in.
    let runs = |conv| matches!(conv::status(conv), "active" | "paused");
    let runs = session.state.conv(task.conv).is_some_and(runs);
    if !runs {
        wait(session, id, Waits::Way);
        return false;
    }
    match node.logics().get(task.at).cloned() {
        Some(logic) => obey(session, id, &logic),
        None => {
            wait(session, id, Waits::Way);
            false
        }
    }
}

/// Follows a rule.
fn obey(session: &mut Session<'_>, id: &str, logic: &Value) -> bool {
    let Some(task) = session.state.tasks.get(id) else { return false };
    let scope = Scope::of_task(task);
    match logic["type"].as_str().unwrap_or_default() {
        "go" => go_to(session, id, logic),
        "go_if_const" if all_hold(logic, &scope) => go_to(session, id, logic),
        "set_param" => {
            let set = converted(&scope, &logic["extra"], &logic["extra_type"]);
            add(session, id, set);
            skip(session, id)
        }
        "api" => {
            let call = call::of(session, id, logic);
            wait(session, id, Waits::Answer);
            session.effects.extend(call.map(|call| Effect::Call(Box::new(call))));
            false
        }
        "api_callback" => {
            wait(session, id, Waits::Callback);
            false
        }
        "api_queue" => {
            wait(session, id, Waits::Hand);
            false
        }
        "api_copy" => copy(session, id, logic),
        "api_rpc" => ask(session, id, logic),
        "api_rpc_reply" => reply(session, id, logic),
        _ => skip(session, id),
    }
}

fn all_hold(logic: &Value, scope: &Scope<'_>) -> bool {
    match logic["conditions"].as_array() {
        Some(conditions) => conditions.iter().all(|condition| holds(scope, condition)),
        // Before there were several, the one condition stood in the rule itself.
        None => holds(scope, logic),
    }
}

/// The next rule of the node.
fn skip(session: &mut Session<'_>, id: &str) -> bool {
    if let Some(task) = session.state.tasks.get_mut(id) {
        task.at += 1;
    }
    true
}

fn go_to(session: &mut Session<'_>, id: &str, logic: &Value) -> bool {
    let target = logic["to_node_id"].as_str().filter(|node| session.state.nodes.contains_key(*node));
    match target {
        Some(node) => enter(session, id, node),
        None => {
            wait(session, id, Waits::Way);
            false
        }
    }
}

fn enter(session: &mut Session<'_>, id: &str, node: &str) -> bool {
    session.state.timers.remove(id);
    if let Some(task) = session.state.tasks.get_mut(id) {
        task.enter(node, session.now);
    }
    true
}

/// Leaves a task where it is; if its node has a time semaphor, not longer than that says.
fn wait(session: &mut Session<'_>, id: &str, waits: Waits) {
    let Some(task) = session.state.tasks.get_mut(id) else { return };
    task.waits = waits;
    let node = task.node.as_ref().and_then(|node| session.state.nodes.get(node));
    let timer = node.and_then(|node| node.semaphors().iter().find(|semaphor| semaphor["type"] == "time"));
    let Some(timer) = timer else { return };
    let Some(target) = timer["to_node_id"].as_str() else { return };
    let unit = match timer["dimension"].as_str() {
        Some("min") => 60,
        Some("hour") => 3_600,
        Some("day") => 86_400,
        _ => 1,
    };
    let value = timer["value"].as_i64().or_else(|| timer["value"].as_str()?.parse().ok()).unwrap_or(0);
    let at = session.now.saturating_add(value.saturating_mul(unit));
    if task.deadline.is_none() {
        task.deadline = Some((at, target.to_owned()));
        session.state.timers.insert(id.to_owned());
    }
}

fn add(session: &mut Session<'_>, id: &str, data: Map<String, Value>) {
    if let Some(task) = session.state.tasks.get_mut(id) {
        task.data.extend(data);
    }
}

/// A task is at its end. Where somebody waits for a reply to it and none came, that is its data. Ours: Corezoid goes on
/// waiting for a call to `__callback_url`.
fn finish(session: &mut Session<'_>, id: &str) {
    let Some(task) = session.state.tasks.get(id) else { return };
    let url = task.data.get("__callback_url").and_then(Value::as_str);
    let Some(request) = url.and_then(|url| url.rsplit('/').next()) else { return };
    let mut data = task.data.clone();
    data.remove("__callback_url");
    session.state.replies.entry(request.to_owned()).or_insert(Value::Object(data));
}

/// Goes where the rule says in case of an error, with the reason in the data; without such a node, on.
pub(super) fn fail(session: &mut Session<'_>, id: &str, to: Option<&str>, reason: Map<String, Value>) {
    add(session, id, reason);
    match to.filter(|node| session.state.nodes.contains_key(*node)) {
        Some(node) => {
            enter(session, id, node);
            run(session, id);
        }
        None => go_on(session, id),
    }
}

/// The process that a rule names, by number or alias.
fn target(session: &Session<'_>, scope: &Scope<'_>, logic: &Value) -> Result<u64, Refusal> {
    let mut named = logic.clone();
    named["conv_id"] = scope.render(&logic["conv_id"]);
    session.conv(super::op::Op::new(&named))
}

/// Copy Task: makes or modifies a task of another process.
fn copy(session: &mut Session<'_>, id: &str, logic: &Value) -> bool {
    let Some(task) = session.state.tasks.get(id) else { return false };
    let scope = Scope::of_task(task);
    let mut data = if logic["group"] == "all" || logic["send_parent_data"] == true {
        task.data.clone()
    } else {
        Map::new()
    };
    data.extend(converted(&scope, &logic["data"], &logic["data_type"]));
    let reference = scope.render(&logic["ref"]).as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let done = target(session, &scope, logic).and_then(|conv| match logic["mode"].as_str() {
        Some("modify") => {
            let found = reference.as_ref().and_then(|name| session.state.by_reference(conv, name));
            let found = found.map(|task| task.id.clone()).ok_or(Refusal::NotFound)?;
            task::change(session, &found, data)
        }
        _ => task::insert(session, conv, reference, data, None).map(drop),
    });
    match done {
        Ok(()) => skip(session, id),
        Err(refusal) => {
            fail(session, id, logic["err_node_id"].as_str(), refusal.reason("__conveyor_copy_task"));
            false
        }
    }
}

/// Call a Process: makes a task of another process, and waits for its reply.
fn ask(session: &mut Session<'_>, id: &str, logic: &Value) -> bool {
    let Some(task) = session.state.tasks.get(id) else { return false };
    let scope = Scope::of_task(task);
    let mut data = if logic["group"] == "all" { task.data.clone() } else { Map::new() };
    data.remove("__callback_url");
    data.extend(converted(&scope, &logic["extra"], &logic["extra_type"]));
    let conv = target(session, &scope, logic);
    wait(session, id, Waits::Reply);
    let made = conv.and_then(|conv| task::insert(session, conv, None, data, Some(id.to_owned())));
    if let Err(refusal) = made {
        fail(session, id, logic["err_node_id"].as_str(), refusal.reason("__conveyor_api_rpc"));
    }
    false
}

/// Reply to Process: adds data to the task that waits for it, and lets that go on.
fn reply(session: &mut Session<'_>, id: &str, logic: &Value) -> bool {
    let Some(task) = session.state.tasks.get(id) else { return false };
    let scope = Scope::of_task(task);
    let keyed = if logic["res_data"].is_null() { "extra" } else { "res_data" };
    let data = match &logic[keyed] {
        // The older form names what is handed over.
        Value::Array(keys) => {
            let picked = keys.iter().filter_map(Value::as_str);
            picked.filter_map(|key| Some((key.to_owned(), task.data.get(key)?.clone()))).collect()
        }
        map => converted(&scope, map, &logic[format!("{keyed}_type")]),
    };
    let asker = task.caller.clone();
    let asker =
        asker.filter(|asker| session.state.tasks.get(asker).is_some_and(|task| task.waits == Waits::Reply));
    if let Some(asker) = asker {
        add(session, &asker, data);
        go_on(session, &asker);
    }
    skip(session, id)
}
