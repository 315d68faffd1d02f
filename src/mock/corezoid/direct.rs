//! Direct URLs: a process takes tasks from whoever knows the hash in its URL.

use super::{
    op::Op,
    refusal::Refusal,
    session::Session,
    state::{Kind, Object},
    task,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

/// Performs an operation on the hash of a process or an alias.
pub(super) fn callback_hash(session: &mut Session<'_>, op: Op<'_>) -> Result<Value, Refusal> {
    let id = match op.number("alias_id")? {
        Some(alias) => session.find(op, Kind::Alias, alias)?.map(|_| alias).ok_or(Refusal::NotFound)?,
        None => session.conv(op)?,
    };
    let hash = match op.action() {
        "create" | "modify" => session.state.hash(id),
        "get" | "show" => {
            session.state.objects.get(&id).map(|object| object.text("hash").to_owned()).unwrap_or_default()
        }
        "delete" => String::new(),
        _ => return Err(Refusal::Undefined),
    };
    if let Some(object) = session.state.objects.get_mut(&id) {
        object.members.insert("hash".to_owned(), hash.as_str().into());
    }
    match op.action() {
        "delete" => Ok(json!({ "conv_id": id })),
        _ => Ok(json!({ "conv_id": id, "callback_hash": hash })),
    }
}

/// Performs an operation on the password that a direct URL may ask for beside its hash.
pub(super) fn conv_auth(session: &mut Session<'_>, op: Op<'_>) -> Result<Value, Refusal> {
    let id = session.conv(op)?;
    let conv = session.state.objects.get_mut(&id).ok_or(Refusal::NotFound)?;
    match op.action() {
        "show" => Ok(json!({ "obj_type": "basic", "data": conv.members.get("basic") })),
        "modify" => {
            let basic = op.map("data")?;
            conv.members.insert("basic".to_owned(), basic.into());
            Ok(json!({}))
        }
        "delete" => {
            conv.members.remove("basic");
            Ok(json!({}))
        }
        _ => Err(Refusal::Undefined),
    }
}

/// Answers a request to a direct URL: a body in Corezoid's format makes the tasks it says, any other becomes the data of
/// one task.
pub(super) fn answer(
    session: &mut Session<'_>,
    conv: &str,
    hash: &str,
    authorization: Option<&str>,
    body: &[u8],
) -> Value {
    let admitted = admit(session, conv, hash, authorization);
    let package = serde_json::from_slice::<Value>(body).unwrap_or_else(|_| form(body));
    let ops = match (&admitted, &package["ops"]) {
        (Ok(conv), Value::Array(ops)) => {
            let mut answers = Vec::new();
            for op in ops {
                let made = insert(session, *conv, Op::new(op));
                answers.push(made.unwrap_or_else(|refusal| refusal.answer(Op::new(op))));
            }
            Value::Array(answers)
        }
        (Ok(conv), op @ Value::Object(_)) => {
            let made = insert(session, *conv, Op::new(op));
            made.unwrap_or_else(|refusal| refusal.answer(Op::new(op)))
        }
        (Ok(conv), _) => {
            let data = match &package {
                Value::Object(data) => data.clone(),
                other => Map::from_iter([("data".to_owned(), other.clone())]),
            };
            let op = json!({ "obj": "task", "data": data });
            let made = insert(session, *conv, Op::new(&op));
            made.unwrap_or_else(|refusal| refusal.answer(Op::new(&op)))
        }
        (Err(_), _) => json!({ "proc": "error", "description": "Access denied" }),
    };
    json!({ "request_proc": "ok", "ops": ops })
}

fn admit(session: &Session<'_>, conv: &str, hash: &str, authorization: Option<&str>) -> Result<u64, Refusal> {
    let opens = |object: &&Object| !object.deleted && !hash.is_empty() && object.text("hash") == hash;
    let id = conv.parse().map_err(|_| Refusal::AccessDenied)?;
    let object = session.state.objects.get(&id).filter(opens).ok_or(Refusal::AccessDenied)?;
    let id = match object.kind {
        Kind::Alias => u64::try_from(object.integer("obj_to_id")).unwrap_or(0),
        _ => id,
    };
    let conv = session.state.conv(id).ok_or(Refusal::AccessDenied)?;
    if let Some(basic) = conv.members.get("basic") {
        let text = |key: &str| basic[key].as_str().unwrap_or_default();
        let expected = STANDARD.encode(format!("{}:{}", text("user"), text("pass")));
        let presented = authorization.and_then(|header| header.strip_prefix("Basic "));
        if presented.is_none_or(|presented| presented != expected) {
            return Err(Refusal::AccessDenied);
        }
    }
    Ok(id)
}

fn insert(session: &mut Session<'_>, conv: u64, op: Op<'_>) -> Result<Value, Refusal> {
    let reference = op.identifier("ref")?;
    let data = op.map("data")?;
    let id = task::insert(session, conv, reference.clone(), data, None)?;
    Ok(json!({ "id": "", "proc": "ok", "obj": "task", "ref": reference, "obj_id": id }))
}

/// A form as a map.
fn form(body: &[u8]) -> Value {
    let pair = |pair: &[u8]| {
        let pair = String::from_utf8_lossy(pair).into_owned();
        let (name, value) = pair.split_once('=').map_or((pair.as_str(), ""), |pair| pair);
        (!name.is_empty()).then(|| (unescaped(name), Value::from(unescaped(value))))
    };
    Value::Object(body.split(|byte| *byte == b'&').filter_map(pair).collect())
}

fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let escaped = behind.get(..2).and_then(|digits| hex::decode(digits).ok());
        let (byte, taken) = match (first, escaped.as_deref()) {
            (b'%', Some([byte])) => (*byte, 2),
            (b'+', _) => (b' ', 0),
            _ => (*first, 0),
        };
        bytes.push(byte);
        rest = behind.get(taken..).unwrap_or_default();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
