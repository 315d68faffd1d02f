//! Tasks: data that moves through the nodes of a process.
//!
//! A new task stands in the start node. Corezoid then moves it by the rules of the nodes; here it moves when it is told
//! to, with `step_next`, `step_prev` and `step_goto`, and is processed as soon as it reaches a final node.

use super::{
    conv, node,
    op::{Op, SHORT_TEXT},
    refusal::Refusal,
    session::{Session, new_id},
};
use serde_json::{Map, Value, json};

/// Longest data, in bytes: the provider's default.
const LONGEST_DATA: usize = 512_000;

/// The statement that selects tasks, for a condition.
macro_rules! select {
    ($condition:literal) => {
        concat!(
            "SELECT task.*, workspace FROM ref_task task JOIN ref_conv conv ON conv.id = conv_id ",
            $condition
        )
    };
}

#[derive(sqlx::FromRow)]
struct Task {
    id: String,
    conv_id: i64,
    workspace: String,
    #[sqlx(rename = "ref")]
    reference: Option<String>,
    node_id: String,
    node_prev_id: Option<String>,
    status: String,
    data: String,
    owner: String,
    created_at: i64,
    changed_at: i64,
}

/// Performs an operation on a task.
pub(super) async fn perform(session: &mut Session<'_>, op: &Op<'_>) -> Result<Value, Refusal> {
    match op.action() {
        "create" => create(session, op).await,
        "delete" => delete(session, op).await,
        "list" => list(session, op).await,
        "modify" => modify(session, op).await,
        "show" => Ok(named(session, op).await?.entry()),
        "step_goto" | "step_next" | "step_prev" => step(session, op).await,
        _ => Err(Refusal::Undefined),
    }
}

/// The tasks in a node that was found before, oldest first.
pub(super) async fn in_node(
    session: &mut Session<'_>,
    node_id: &str,
    (limit, offset): (i64, i64),
) -> Result<Vec<Value>, Refusal> {
    const SELECT: &str = select!("WHERE node_id = $1 ORDER BY task.id LIMIT $2 OFFSET $3");
    let select = sqlx::query_as::<_, Task>(SELECT).bind(node_id).bind(limit).bind(offset);
    Ok(select.fetch_all(&mut *session.db).await?.iter().map(Task::entry).collect())
}

/// The process that an operation names by `conv_id`.
async fn conv_of(session: &mut Session<'_>, op: &Op<'_>) -> Result<conv::Conv, Refusal> {
    conv::find(session, op.required_integer("conv_id")?).await?.ok_or(Refusal::NotFound)
}

/// The task that an operation names: by `obj_id`, or by `conv_id` and `ref`.
async fn named(session: &mut Session<'_>, op: &Op<'_>) -> Result<Task, Refusal> {
    const BY_ID: &str = select!("WHERE task.id = $1 AND deleted_at IS NULL");
    const BY_REF: &str = select!("WHERE conv_id = $1 AND ref = $2 AND deleted_at IS NULL");
    if let Some(id) = op.identifier("obj_id")? {
        let found = sqlx::query_as::<_, Task>(BY_ID).bind(id).fetch_optional(&mut *session.db).await?;
        let task = found.ok_or(Refusal::ObjIdNotFound)?;
        session.check_workspace(&task.workspace)?;
        return match op.integer("conv_id")? {
            Some(conv_id) if conv_id != task.conv_id => Err(Refusal::ObjIdNotFound),
            _ => Ok(task),
        };
    }
    let reference = op.required_identifier("ref")?;
    let conv = conv_of(session, op).await?;
    let select = sqlx::query_as(BY_REF).bind(conv.id).bind(reference);
    select.fetch_optional(&mut *session.db).await?.ok_or(Refusal::NotFound)
}

async fn create(session: &mut Session<'_>, op: &Op<'_>) -> Result<Value, Refusal> {
    const INSERT: &str = "INSERT INTO ref_task (id, conv_id, ref, node_id, status, data, owner, created_at, changed_at) \
         VALUES ($1, $2, $3, $4, 'active', $5, $6, $7, $7) ON CONFLICT (conv_id, ref) DO NOTHING";
    const START: &str = "SELECT id FROM ref_node WHERE conv_id = $1 AND obj_type = $2 ORDER BY id LIMIT 1";
    let conv = conv_of(session, op).await?;
    let reference = reference(op)?;
    let data = data(Map::new(), op)?;
    let start = sqlx::query_scalar::<_, String>(START).bind(conv.id).bind(node::START);
    let start = start.fetch_optional(&mut *session.db).await?;
    let start = start.ok_or(Refusal::WrongState("the process has no start node"))?;
    let id = new_id();
    let insert = sqlx::query(INSERT).bind(&id).bind(conv.id).bind(&reference).bind(start);
    let insert = insert.bind(data).bind(&session.caller.principal).bind(session.now);
    if insert.execute(&mut *session.db).await?.rows_affected() == 0 {
        // References are unique in a process; how Corezoid words this is not public.
        return Err(Refusal::WrongState("the process already has a task of this ref"));
    }
    Ok(json!({ "ref": reference, "obj_id": id }))
}

/// Adds the data of the operation to the task's, member by member.
async fn modify(session: &mut Session<'_>, op: &Op<'_>) -> Result<Value, Refusal> {
    const UPDATE: &str = "UPDATE ref_task SET data = $2, changed_at = $3 WHERE id = $1";
    let task = named(session, op).await?;
    let data = data(task.data(), op)?;
    sqlx::query(UPDATE).bind(&task.id).bind(data).bind(session.now).execute(&mut *session.db).await?;
    Ok(json!({ "ref": task.reference, "obj_id": task.id }))
}

/// The tasks of a process, in whatever node they stand. Ours: documented clients list them node by node.
async fn list(session: &mut Session<'_>, op: &Op<'_>) -> Result<Value, Refusal> {
    const SELECT: &str = select!("WHERE conv_id = $1 ORDER BY task.id LIMIT $2 OFFSET $3");
    let conv = conv_of(session, op).await?;
    let (limit, offset) = op.page()?;
    let select = sqlx::query_as::<_, Task>(SELECT).bind(conv.id).bind(limit).bind(offset);
    let tasks: Vec<_> = select.fetch_all(&mut *session.db).await?.iter().map(Task::entry).collect();
    Ok(json!({ "conv_id": conv.id, "list": tasks }))
}

/// A node named beside the task must be the one it stands in.
async fn delete(session: &mut Session<'_>, op: &Op<'_>) -> Result<Value, Refusal> {
    let task = named(session, op).await?;
    if op.identifier("node_id")?.is_some_and(|node_id| node_id != task.node_id) {
        return Err(Refusal::ObjIdNotFound);
    }
    sqlx::query("DELETE FROM ref_task WHERE id = $1").bind(&task.id).execute(&mut *session.db).await?;
    Ok(json!({ "obj_id": task.id }))
}

/// Moves a task to another node of its process.
async fn step(session: &mut Session<'_>, op: &Op<'_>) -> Result<Value, Refusal> {
    const UPDATE: &str = "UPDATE ref_task SET node_id = $2, node_prev_id = $3, status = $4, data = $5, \
                          changed_at = $6 WHERE id = $1";
    let task = named(session, op).await?;
    let from = node::find(session, &task.node_id).await?.ok_or(Refusal::NotFound)?;
    let target = match op.action() {
        "step_goto" => op.identifier("node_id")?,
        "step_prev" => task.node_prev_id.clone(),
        _ => from.next(),
    };
    let target = target.ok_or(Refusal::WrongState("the task has no node to go to"))?;
    let to = node::find(session, &target).await?.filter(|to| to.conv_id == task.conv_id);
    let to = to.ok_or(Refusal::NotFound)?;
    let status = if to.obj_type == node::FINAL { "processed" } else { "active" };
    let data = data(task.data(), op)?;
    let update = sqlx::query(UPDATE).bind(&task.id).bind(&to.id).bind(&from.id).bind(status).bind(&data);
    update.bind(session.now).execute(&mut *session.db).await?;
    Ok(json!({
        "obj_id": task.id,
        "conv_id": task.conv_id,
        "prev_node_id": from.id,
        "prev_node_name": from.title,
        "node_id": to.id,
        "node_name": to.title,
        "status": status,
        "data": serde_json::from_str::<Value>(&data).unwrap_or_default(),
    }))
}

impl Task {
    fn entry(&self) -> Value {
        json!({
            "obj": "task",
            "obj_id": self.id,
            "task_id": self.id,
            "conv_id": self.conv_id,
            "ref": self.reference,
            "status": self.status,
            "user_login": self.owner,
            "create_time": self.created_at,
            "change_time": self.changed_at,
            "node_id": self.node_id,
            "node_prev_id": self.node_prev_id,
            "data": self.data(),
        })
    }

    fn data(&self) -> Map<String, Value> {
        serde_json::from_str(&self.data).unwrap_or_default()
    }
}

/// The documented length of a reference is 1 to 255.
fn reference(op: &Op<'_>) -> Result<Option<String>, Refusal> {
    match op.identifier("ref")? {
        Some(reference) if reference.is_empty() => Err(Refusal::not_valid("ref", &reference.into())),
        Some(reference) if reference.len() > SHORT_TEXT => Err(Refusal::too_long("ref", SHORT_TEXT)),
        reference => Ok(reference),
    }
}

/// The data of a task with what the operation adds to it, as text.
fn data(mut data: Map<String, Value>, op: &Op<'_>) -> Result<String, Refusal> {
    match op.get("data") {
        Some(Value::Object(added)) => data.extend(added.clone()),
        Some(other) => return Err(Refusal::not_valid("data", other)),
        None => {}
    }
    let data = Value::Object(data).to_string();
    if data.len() > LONGEST_DATA { Err(Refusal::too_long("data", LONGEST_DATA)) } else { Ok(data) }
}
