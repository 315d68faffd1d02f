//! Uploads: schemes and tables of tasks, as parts of a form.

use super::{op::Op, refusal::Refusal, scheme, session::Session, state::State, task};
use crate::mock::provider::Operation;
use serde_json::{Map, Value, json};

/// Answers an upload: one operation, whose members are the parts of the form.
pub(super) fn answer(session: &mut Session<'_>, body: &[u8]) -> Value {
    let Some(parts) = parts(body) else {
        return json!({ "request_proc": "error", "ops": [{ "proc": "error", "description": "Incorrect body" }] });
    };
    let op = Value::Object(parts);
    let op = Op::new(&op);
    let answer = match perform(session, op) {
        Ok(answer) => op.answer("ok", answer),
        Err(refusal) => refusal.answer(op),
    };
    json!({ "request_proc": "ok", "ops": [answer] })
}

fn perform(session: &mut Session<'_>, op: Op<'_>) -> Result<Value, Refusal> {
    session.check_rights(op)?;
    session.check_company(op)?;
    match (op.object(), op.action()) {
        ("obj_scheme", "validate") => objects(op).map(|_| json!({})),
        ("obj_scheme", "create") => {
            let objects = objects(op)?;
            let to = match op.number("obj_to_id")? {
                Some(to) => to,
                None => op.number("folder_id")?.unwrap_or(0),
            };
            let folder = session.state.objects.get(&to).filter(|object| object.kind.holds());
            match folder {
                Some(folder) => session.check_owner(op, folder)?,
                None if to == 0 => {}
                None => return Err(Refusal::NotFound),
            }
            let read = scheme::read(session, op, &objects, to)?;
            Ok(scheme::finished(session, op, json!({ "scheme": read })))
        }
        ("task", "create") => tasks(session, op),
        ("obj_scheme" | "task", _) => Err(Refusal::Undefined),
        _ => Err(Refusal::BadObject),
    }
}

/// The objects in the part `scheme`: JSON, of one object or several. Archives are not read here.
fn objects(op: Op<'_>) -> Result<Vec<Value>, Refusal> {
    let text = op.text("scheme", usize::MAX)?.unwrap_or_default();
    match serde_json::from_str(text) {
        Ok(Value::Array(objects)) if objects.iter().all(Value::is_object) => Ok(objects),
        Ok(object @ Value::Object(_)) => Ok(vec![object]),
        _ => Err(Refusal::not_valid("scheme", &Value::Null)),
    }
}

/// A table of tasks, a line each.
fn tasks(session: &mut Session<'_>, op: Op<'_>) -> Result<Value, Refusal> {
    let conv = session.conv(op)?;
    let divider = op.text("divider", 8)?.filter(|divider| !divider.is_empty()).unwrap_or(",");
    let table = op.text("from_file", usize::MAX)?.unwrap_or_default();
    let mut lines = table.lines().filter(|line| !line.trim().is_empty()).peekable();
    let width = lines.peek().map_or(0, |line| line.split(divider).count());
    let names: Vec<_> = match op.get("names_in_first_row").is_none_or(|named| named == "true") {
        true => lines.next().into_iter().flat_map(|line| line.split(divider)).map(str::to_owned).collect(),
        false => (1..=width).map(|column| format!("param{column}")).collect(),
    };
    let reference = op.text("reference_col_name", 255)?.filter(|name| !name.is_empty());
    let (mut made, mut all) = (0, 0);
    for line in lines {
        let values = line.split(divider).map(|value| Value::from(value.trim_matches('"')));
        let data: Map<_, _> = names.iter().cloned().zip(values).collect();
        let named = reference.and_then(|column| data.get(column)?.as_str().map(str::to_owned));
        made += usize::from(task::insert(session, conv, named, data, None).is_ok());
        all += 1;
    }
    let counted = json!({ "obj": "csv_upload", "ok_count": made, "err_count": all - made, "all_count": all });
    Ok(match scheme::finished(session, op, counted.clone()) {
        later if later.get("hash").is_some() => json!({ "obj": "csv_upload", "hash": later["hash"] }),
        _ => counted,
    })
}

/// What an upload asks for.
pub(super) fn operation(body: &[u8]) -> Operation {
    let parts = parts(body).unwrap_or_default();
    let part = |name: &str| parts.get(name).and_then(Value::as_str).unwrap_or_default();
    Operation::named([&format!("{} {}", part("type"), part("obj")), part("obj"), "upload"])
}

/// What a long operation came to.
pub(super) fn info(state: &State, hash: &str) -> Value {
    let op = match state.finished.get(hash) {
        Some(result) => {
            let mut op = json!({ "proc": "ok", "status": "success" });
            if let (Value::Object(op), Value::Object(result)) = (&mut op, result) {
                op.extend(result.clone());
            }
            op
        }
        None => json!({ "proc": "error", "description": "object not found" }),
    };
    json!({ "request_proc": "ok", "ops": [op] })
}

/// The parts of a form (RFC 7578), by name. The boundary is taken from the first line of the body: the documents' own
/// command gives the form a content type without it.
fn parts(body: &[u8]) -> Option<Map<String, Value>> {
    let end = position(body, b"\r\n")?;
    let boundary = body.get(..end)?.strip_prefix(b"--")?;
    let delimiter = [b"\r\n--", boundary].concat();
    let mut rest = body.get(end..)?;
    let mut parts = Map::new();
    while let Some(part) = rest.strip_prefix(b"\r\n") {
        let head_end = position(part, b"\r\n\r\n")?;
        let head = std::str::from_utf8(part.get(..head_end)?).ok()?;
        let content = part.get(head_end + 4..)?;
        // An empty part may end where its head does.
        let (end, skipped) = match content.starts_with(delimiter.get(2..)?) {
            true => (0, delimiter.len() - 2),
            false => position(content, &delimiter).map(|end| (end, end + delimiter.len()))?,
        };
        let text = String::from_utf8_lossy(content.get(..end)?);
        parts.insert(name(head)?.to_owned(), text.into_owned().into());
        rest = content.get(skipped..)?;
    }
    Some(parts)
}

fn name(head: &str) -> Option<&str> {
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"))?;
    line.split(';').find_map(|part| part.trim().strip_prefix("name="))?.trim_matches('"').into()
}

fn position(bytes: &[u8], of: &[u8]) -> Option<usize> {
    bytes.windows(of.len()).position(|window| window == of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_by_its_first_line() {
        let body = b"--x9\r\nContent-Disposition: form-data; name=\"scheme\"; filename=\"s.json\"\r\n\
            Content-Type: application/json\r\n\r\n[{}]\r\n--x9\r\ncontent-disposition: form-data; name=\"empty\"\r\n\r\n\
            \r\n--x9\r\nContent-Disposition: form-data; name=\"type\"\r\n\r\ncreate\r\n--x9--\r\n";
        let parts = parts(body).unwrap();
        assert_eq!(Value::Object(parts), json!({ "scheme": "[{}]", "empty": "", "type": "create" }));
        for broken in
            [&b""[..], b"{}", b"--x\r\n", b"--x\r\n\r\n", b"--x\r\nContent-Disposition: a\r\n\r\nb\r\n--x--"]
        {
            assert!(super::parts(broken).is_none_or(|parts| parts.is_empty()), "{broken:?}");
        }
    }
}
