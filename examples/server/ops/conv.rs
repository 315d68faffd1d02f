//! Processes, which the API calls `conv`.

use super::{
    folder, node,
    op::{LONG_TEXT, Op, SHORT_TEXT},
    refusal::Refusal,
    session::Session,
    trash,
};
use serde_json::{Value, json};

/// The documents spell these states in two ways; both are understood, and the newer one is answered.
const STATUSES: [(&str, &str); 6] = [
    ("active", "active"),
    ("actived", "active"),
    ("blocked", "blocked"),
    ("debug", "debug"),
    ("debugged", "debug"),
    ("paused", "paused"),
];
const KINDS: [(&str, &str); 2] = [("process", "process"), ("state", "state")];

/// A process.
#[derive(sqlx::FromRow)]
pub(super) struct Conv {
    pub id: i64,
    workspace: String,
    pub folder_id: i64,
    pub title: String,
    pub description: String,
    pub conv_type: String,
    pub status: String,
    owner: String,
    created_at: i64,
    changed_at: i64,
}

/// Performs an operation on a process.
pub(super) async fn perform(session: &mut Session<'_>, op: &Op<'_>) -> Result<Value, Refusal> {
    match op.action() {
        "create" => create(session, op).await,
        "delete" | "destroy" | "restore" => trash::CONV.perform(session, op).await,
        "list" => list(session, op).await,
        "modify" => modify(session, op).await,
        "show" => show(session, op).await,
        _ => Err(Refusal::Undefined),
    }
}

/// Finds a process that the caller may touch.
pub(super) async fn find(session: &mut Session<'_>, id: i64) -> Result<Option<Conv>, Refusal> {
    const SELECT: &str = "SELECT id, workspace, coalesce(folder_id, 0) AS folder_id, title, description, conv_type, \
                          status, owner, created_at, changed_at FROM ref_conv WHERE id = $1 AND deleted_at IS NULL";
    let found = sqlx::query_as::<_, Conv>(SELECT).bind(id).fetch_optional(&mut *session.db).await?;
    if let Some(conv) = &found {
        session.check_workspace(&conv.workspace)?;
    }
    Ok(found)
}

/// The process that an operation names by `obj_id`.
async fn named(session: &mut Session<'_>, op: &Op<'_>) -> Result<Conv, Refusal> {
    find(session, op.required_integer("obj_id")?).await?.ok_or(Refusal::ObjIdNotFound)
}

/// The shortest documented call names nothing but the object, so everything has a default; the title's is ours.
async fn create(session: &mut Session<'_>, op: &Op<'_>) -> Result<Value, Refusal> {
    const INSERT: &str = "INSERT INTO ref_conv (workspace, folder_id, title, description, conv_type, status, hash, \
                          owner, created_at, changed_at) \
                          VALUES ($1, nullif($2, 0), $3, $4, $5, $6, $7, $8, $9, $9) RETURNING id";
    let folder_id = folder::parent(session, op).await?;
    let mut hash = [0; 20];
    session.clock.fill(&mut hash);
    let hash = hex::encode(hash);
    let insert = sqlx::query_scalar::<_, i64>(INSERT).bind(&session.workspace).bind(folder_id);
    let insert = insert.bind(op.text("title", SHORT_TEXT)?.unwrap_or("New process"));
    let insert = insert.bind(op.text("description", LONG_TEXT)?.unwrap_or_default());
    let insert = insert.bind(op.word("conv_type", &KINDS)?.unwrap_or("process"));
    let insert = insert.bind(op.word("status", &STATUSES)?.unwrap_or("active"));
    let insert = insert.bind(&hash).bind(&session.caller.principal).bind(session.now);
    let id = insert.fetch_one(&mut *session.db).await?;
    if op.get("create_mode").is_none_or(|mode| mode != "without_nodes") {
        node::insert_start_and_final(session, id).await?;
    }
    // The document's example shows the number as text; the vendor's own client and OpenAPI description want a number.
    Ok(json!({ "obj_id": id, "folder_id": folder_id, "hash": hash }))
}

async fn modify(session: &mut Session<'_>, op: &Op<'_>) -> Result<Value, Refusal> {
    const UPDATE: &str = "UPDATE ref_conv SET title = coalesce($2, title), description = coalesce($3, description), \
                          status = coalesce($4, status), changed_at = $5 WHERE id = $1";
    let conv = named(session, op).await?;
    let (title, description) = (op.text("title", SHORT_TEXT)?, op.text("description", LONG_TEXT)?);
    let status = op.word("status", &STATUSES)?;
    let new = |new: Option<&str>, old: &str| new.is_some_and(|new| new != old);
    let changed = new(title, &conv.title) || new(description, &conv.description) || new(status, &conv.status);
    if changed {
        let update = sqlx::query(UPDATE).bind(conv.id).bind(title).bind(description).bind(status);
        update.bind(session.now).execute(&mut *session.db).await?;
    }
    // Corezoid answers numbers for the states. Only that 1 stands for active is public, so words are answered here.
    let new_status = status.unwrap_or(&conv.status);
    let statuses = json!({ "new_status": new_status, "old_status": conv.status, "is_changed": changed });
    Ok(with_id(conv.id, statuses))
}

async fn show(session: &mut Session<'_>, op: &Op<'_>) -> Result<Value, Refusal> {
    const COUNT: &str = "SELECT count(*) FROM ref_task WHERE conv_id = $1";
    let conv = named(session, op).await?;
    let tasks = sqlx::query_scalar::<_, i64>(COUNT).bind(conv.id).fetch_one(&mut *session.db).await?;
    let shown = json!({
        "title": conv.title,
        "description": conv.description,
        "conv_type": conv.conv_type,
        "status": conv.status,
        "size": tasks,
        "owner_login": conv.owner,
        "create_time": conv.created_at,
        "change_time": conv.changed_at,
        "company_id": session.caller.organization,
        "parent_obj_id": conv.folder_id,
        "parent_obj_type": "folder",
    });
    Ok(with_id(conv.id, shown))
}

/// The nodes of a process.
async fn list(session: &mut Session<'_>, op: &Op<'_>) -> Result<Value, Refusal> {
    let conv = named(session, op).await?;
    let nodes = node::of_conv(session, conv.id).await?;
    let listed = json!({
        "title": conv.title,
        "description": conv.description,
        "conv_type": conv.conv_type,
        "status": conv.status,
        "owner_login": conv.owner,
        "list": nodes.iter().map(node::Node::entry).collect::<Vec<_>>(),
    });
    Ok(with_id(conv.id, listed))
}

fn with_id(id: i64, mut answer: Value) -> Value {
    answer["obj_id"] = id.into();
    answer
}
