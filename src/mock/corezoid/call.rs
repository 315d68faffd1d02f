//! API Calls: what a process sends to somebody else, and what it makes of the answer.

use super::{
    flow,
    session::{Call, Session},
    state::{Task, Waits},
    value::{Scope, converted, plain},
};
use serde_json::{Map, Value, json};

/// Longest answer that a task takes in, in bytes, as documented.
const LONGEST_ANSWER: usize = 128_000;

/// What came of a call.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// A status and a body.
    Of(u16, Vec<u8>),
    /// None came.
    None,
}

/// The call that a rule makes for a task.
pub(super) fn of(session: &Session<'_>, id: &str, logic: &Value) -> Option<Call> {
    let task = session.state.tasks.get(id)?;
    let scope = Scope::of_task(task);
    let text = |value: &Value| plain(&scope.render(value));
    let method = logic["method"].as_str().unwrap_or("POST").to_uppercase();
    let extra = converted(&scope, &logic["extra"], &logic["extra_type"]);
    let secret = [&logic["api_secret_outer"], &logic["api_secret"]].map(text).into_iter();
    let headers = logic["extra_headers"].as_object().into_iter().flatten();
    let mut url = text(&logic["url"]);
    let body = match (method.as_str(), logic["format"].as_str()) {
        ("GET" | "HEAD", _) => {
            extra.iter().for_each(|(key, value)| add_to_query(&mut url, key, &plain(value)));
            Vec::new()
        }
        (_, Some("raw")) => text(&logic["raw_body"]).into_bytes(),
        (_, Some("corezoid" | "conveyor")) => package(task, &extra).into_bytes(),
        _ => parameters(task, extra, logic["send_sys"] != false).into_bytes(),
    };
    Some(Call {
        task: task.id.clone(),
        conv: task.conv,
        on_error: logic["err_node_id"].as_str().map(str::to_owned),
        method,
        url,
        body,
        headers: headers.map(|(name, value)| (name.clone(), text(value))).collect(),
        secret: secret.into_iter().find(|secret| !secret.is_empty()),
    })
}

/// The body in Corezoid's own format.
fn package(task: &Task, extra: &Map<String, Value>) -> String {
    let op = json!({
        "ref": task.reference,
        "type": "data",
        "obj": "task",
        "obj_id": task.id,
        "conv_id": task.conv.to_string(),
        "node_id": task.node,
        "data": task.data,
        "extra": extra,
    });
    json!({ "ops": [op] }).to_string()
}

/// The body as a map of parameters.
fn parameters(task: &Task, mut extra: Map<String, Value>, with_system: bool) -> String {
    if with_system {
        let system = json!({
            "ref": task.reference, "obj_id": task.id, "conv_id": task.conv, "node_id": task.node,
        });
        extra.insert("sys".to_owned(), system);
    }
    Value::Object(extra).to_string()
}

/// Appends a parameter to a URL, with all but letters, digits and `-._~` escaped.
fn add_to_query(url: &mut String, name: &str, value: &str) {
    url.push(if url.contains('?') { '&' } else { '?' });
    for (part, text) in [name, value].into_iter().enumerate() {
        if part == 1 {
            url.push('=');
        }
        for byte in text.bytes() {
            match byte {
                b'-' | b'.' | b'_' | b'~' => url.push(char::from(byte)),
                _ if byte.is_ascii_alphanumeric() => url.push(char::from(byte)),
                _ => url.push_str(&format!("%{byte:02X}")),
            }
        }
    }
}

/// Gives a task the answer to its call, and lets it go on: to the next rule, or to the node for errors.
pub(super) fn resume(session: &mut Session<'_>, call: &Call, answer: &Answer) {
    let waits = session.state.tasks.get(&call.task).is_some_and(|task| task.waits == Waits::Answer);
    if !waits {
        // The task was moved on by hand or by its timer.
        return;
    }
    match taken(answer) {
        Ok(data) => {
            if let Some(task) = session.state.tasks.get_mut(&call.task) {
                task.data.extend(data);
            }
            flow::go_on(session, &call.task);
        }
        Err((tag, description)) => {
            let reason = json!({
                "__conveyor_api_return_type_error__": "software",
                "__conveyor_api_return_type_tag__": tag,
                "__conveyor_api_return_description__": description,
            });
            let reason = reason.as_object().cloned().unwrap_or_default();
            flow::fail(session, &call.task, call.on_error.as_deref(), reason);
        }
    }
}

/// What an answer adds to the data of the task, or the documented tag and description of an error.
fn taken(answer: &Answer) -> Result<Map<String, Value>, (&'static str, String)> {
    let Answer::Of(status, body) = answer else {
        return Err(("api_bad_answer", "timeout or failed_connect".to_owned()));
    };
    if body.len() > LONGEST_ANSWER {
        let size = body.len();
        let text = format!("Your task size: {size} bytes, Max available task size: {LONGEST_ANSWER} bytes");
        return Err(("api_task_size_overflow_limit", text));
    }
    if !matches!(status, 200..=202) {
        return Err(("api_bad_answer", format!("{status}")));
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(answer)) if answer.contains_key("ops") => results(&answer),
        Ok(Value::Object(answer)) => Ok(answer),
        Ok(Value::Array(list)) => {
            Ok(Map::from_iter([("__conveyor_api_array__".to_owned(), Value::Array(list))]))
        }
        _ => Err(("api_no_valid_json", "Please check".to_owned())),
    }
}

/// What an answer in Corezoid's own format holds.
fn results(answer: &Map<String, Value>) -> Result<Map<String, Value>, (&'static str, String)> {
    if answer.get("request_proc").is_none_or(|proc| proc != "ok") {
        return Err(("api_no_request_proc", "Bad request_proc tag".to_owned()));
    }
    let op = answer.get("ops").map(|ops| if ops.is_array() { &ops[0] } else { ops });
    let Some(op) = op.filter(|op| op.is_object()) else {
        return Err(("api_no_ops", "No ops. Please check documentation".to_owned()));
    };
    let data = op["res_data"].as_object().cloned().unwrap_or_default();
    match op["proc"] == "ok" {
        true => Ok(data),
        false => Err(("api_bad_answer", data.get("error").map(plain).unwrap_or_default())),
    }
}
