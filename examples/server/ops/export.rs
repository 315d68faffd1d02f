//! Exports: a process written to a file, to be downloaded by a request of its own.

use super::{conv, node, op::Op, refusal::Refusal, session::Session};
use serde_json::{Value, json};
use sqlx::AnyPool;

/// Files that are kept of each process; the oldest goes first. Ours.
const FILES_KEPT: i64 = 10;

/// Performs an operation on a scheme, which is what the API calls the content of an export.
pub(super) async fn perform(
    session: &mut Session<'_>,
    op: &Op<'_>,
    public_url: &str,
) -> Result<Value, Refusal> {
    match op.action() {
        "create" => create(session, op, public_url).await,
        _ => Err(Refusal::Undefined),
    }
}

/// Reads a file of the workspace.
pub(super) async fn read(pool: &AnyPool, workspace: &str, file: &str) -> sqlx::Result<Option<String>> {
    const SELECT: &str = "SELECT content FROM ref_export WHERE id = $1 AND conv_id = $2 AND workspace = $3";
    let Some((conv_id, id)) = numbers(file) else { return Ok(None) };
    sqlx::query_scalar(SELECT).bind(id).bind(conv_id).bind(workspace).fetch_optional(pool).await
}

async fn create(session: &mut Session<'_>, op: &Op<'_>, public_url: &str) -> Result<Value, Refusal> {
    const INSERT: &str = "INSERT INTO ref_export (conv_id, workspace, content, created_at) \
                          VALUES ($1, $2, $3, $4) RETURNING id";
    const PRUNE: &str = "DELETE FROM ref_export WHERE conv_id = $1 AND id NOT IN \
                         (SELECT id FROM ref_export WHERE conv_id = $1 ORDER BY id DESC LIMIT $2)";
    // Corezoid also exports folders, and archives of both.
    op.word("obj_type", &[("conv", "conv")])?;
    op.word("format", &[("json", "json")])?;
    let id = op.required_integer("obj_id")?;
    let conv = conv::find(session, id).await?.ok_or(Refusal::ObjIdNotFound)?;
    let content = scheme(session, &conv).await?.to_string();
    let insert = sqlx::query_scalar::<_, i64>(INSERT).bind(conv.id).bind(&session.workspace).bind(content);
    let number = insert.bind(session.now).fetch_one(&mut *session.db).await?;
    sqlx::query(PRUNE).bind(conv.id).bind(FILES_KEPT).execute(&mut *session.db).await?;
    let file = format!("conv_{}_{number}.json", conv.id);
    Ok(json!({ "download_url": format!("{public_url}/user_downloads/{file}"), "statistics_id": file }))
}

/// A process as the vendor's client reads it from a file.
async fn scheme(session: &mut Session<'_>, conv: &conv::Conv) -> Result<Value, Refusal> {
    let nodes = node::of_conv(session, conv.id).await?;
    Ok(json!([{
        "obj_type": 1,
        "obj_id": conv.id,
        "parent_id": conv.folder_id,
        "title": conv.title,
        "description": conv.description,
        "status": conv.status,
        "conv_type": conv.conv_type,
        "params": [],
        "scheme": { "nodes": nodes.iter().map(exported).collect::<Vec<_>>() },
    }]))
}

fn exported(node: &node::Node) -> Value {
    let mut content = node.content();
    let mut take = |key: &str, default: Value| content.remove(key).unwrap_or(default);
    let (logics, semaphors) = (take("logics", json!([])), take("semaphors", json!([])));
    let position = take("position", json!([]));
    json!({
        "id": node.id,
        "obj_type": node.obj_type,
        "title": node.title,
        "description": node.description,
        "condition": { "logics": logics, "semaphors": semaphors },
        "x": position[0],
        "y": position[1],
        "extra": take("extra", Value::Null),
        "options": take("options", Value::Null),
    })
}

/// The process and the number that a file's name holds: `conv_12_7.json`.
fn numbers(file: &str) -> Option<(i64, i64)> {
    let (conv_id, number) = file.strip_prefix("conv_")?.strip_suffix(".json")?.split_once('_')?;
    Some((conv_id.parse().ok()?, number.parse().ok()?))
}
