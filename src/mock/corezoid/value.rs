//! Values in the rules of nodes: `{{parameter}}` in a text stands for a task's data, and says what it is converted to.

use super::state::Task;
use serde_json::{Map, Value, json};

/// What `{{…}}` may name: the members of a task's data, by a path of dots, and `root` for the task itself.
pub(super) struct Scope<'t> {
    data: &'t Map<String, Value>,
    root: Value,
}

impl<'t> Scope<'t> {
    /// The data alone.
    pub(super) const fn of(data: &'t Map<String, Value>) -> Self {
        Self { data, root: Value::Null }
    }

    /// A task.
    pub(super) fn of_task(task: &'t Task) -> Self {
        let root = json!({
            "task_id": task.id,
            "ref": task.reference,
            "conv_id": task.conv,
            "node_id": task.node,
            "create_time": task.create_time,
            "change_time": task.change_time,
        });
        Self { data: &task.data, root }
    }

    fn find(&self, path: &str) -> Option<&Value> {
        let mut parts = path.trim().split('.');
        let first = parts.next()?;
        let start = self.data.get(first).or_else(|| (first == "root").then_some(&self.root))?;
        parts.try_fold(start, |value, part| match value {
            Value::Array(list) => list.get(part.parse::<usize>().ok()?),
            value => value.get(part),
        })
    }

    /// A value with its parameters filled in. A text that is nothing but one keeps the parameter's type.
    pub(super) fn render(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.text(text),
            Value::Array(list) => list.iter().map(|value| self.render(value)).collect(),
            Value::Object(map) => {
                Value::Object(map.iter().map(|(key, value)| (key.clone(), self.render(value))).collect())
            }
            other => other.clone(),
        }
    }

    fn text(&self, text: &str) -> Value {
        let whole = text.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
        if let Some(path) = whole.filter(|path| !path.contains("{{")) {
            return self.find(path).cloned().unwrap_or_else(|| "".into());
        }
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, inside)) = rest.split_once("{{") {
            filled.push_str(before);
            let Some((path, behind)) = inside.split_once("}}") else {
                filled.push_str("{{");
                rest = inside;
                break;
            };
            filled.push_str(&plain(self.find(path).unwrap_or(&Value::Null)));
            rest = behind;
        }
        filled.push_str(rest);
        filled.into()
    }
}

/// A value as it stands inside a text.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A map of values, each filled in and converted to the type that a second map names.
pub(super) fn converted(scope: &Scope<'_>, values: &Value, types: &Value) -> Map<String, Value> {
    let values = values.as_object().into_iter().flatten();
    values.map(|(key, value)| (key.clone(), cast(scope.render(value), types[key].as_str()))).collect()
}

/// What cannot be converted stays as it is.
fn cast(value: Value, to: Option<&str>) -> Value {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).ok();
    match (to, &value) {
        (Some("string"), Value::String(_)) => value,
        (Some("string"), _) => plain(&value).into(),
        (Some("number"), Value::String(text)) => parsed(text).filter(Value::is_number).unwrap_or(value),
        (Some("boolean"), Value::String(text)) => parsed(text).filter(Value::is_boolean).unwrap_or(value),
        (Some("array"), Value::String(text)) => parsed(text).filter(Value::is_array).unwrap_or(value),
        (Some("object"), Value::String(text)) => parsed(text).filter(Value::is_object).unwrap_or(value),
        _ => value,
    }
}

/// Whether a condition holds. Patterns (`regexp`) never do: there is no engine for them here.
pub(super) fn holds(scope: &Scope<'_>, condition: &Value) -> bool {
    let name = condition["param"].as_str().unwrap_or_default();
    let found = scope.find(name.trim_start_matches("{{").trim_end_matches("}}")).unwrap_or(&Value::Null);
    let constant = scope.render(&condition["const"]);
    let is_number = condition["cast"] == "number";
    let number = |value: &Value| value.as_f64().or_else(|| plain(value).trim().parse().ok());
    let numbers = number(found).zip(number(&constant));
    let order = match is_number {
        true => numbers.and_then(|(found, constant)| found.partial_cmp(&constant)),
        false => Some(plain(found).cmp(&plain(&constant))),
    };
    match condition["fun"].as_str() {
        Some("not_eq") => order.is_none_or(std::cmp::Ordering::is_ne),
        Some("less") => order.is_some_and(std::cmp::Ordering::is_lt),
        Some("less_or_eq") => order.is_some_and(std::cmp::Ordering::is_le),
        Some("more") => order.is_some_and(std::cmp::Ordering::is_gt),
        Some("more_or_eq") => order.is_some_and(std::cmp::Ordering::is_ge),
        Some("eq") | None => order.is_some_and(std::cmp::Ordering::is_eq),
        _ => false,
    }
}
