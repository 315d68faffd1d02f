//! Nodes: the places in a process where tasks stand, and the rules by which they go on.

use super::{
    conv,
    op::{LONG_TEXT, Op, SHORT_TEXT},
    refusal::Refusal,
    session::{Session, new_id},
    task,
};
use serde_json::{Map, Value, json};

/// Where tasks begin.
pub(super) const START: i64 = 1;
/// Where they end.
pub(super) const FINAL: i64 = 2;

/// Members that are kept as they come, and whether each must be an array.
const CONTENT: [(&str, bool); 5] =
    [("extra", false), ("logics", true), ("options", false), ("position", true), ("semaphors", true)];
/// Longest content, in bytes. Ours.
const LONGEST_CONTENT: usize = 512_000;

/// The statement that selects nodes, for a condition.
macro_rules! select {
    ($condition:literal) => {
        concat!(
            "SELECT node.id, conv_id, workspace, node.title, node.description, obj_type, version, content, ",
            "(SELECT count(*) FROM ref_task WHERE node_id = node.id) AS tasks ",
            "FROM ref_node node JOIN ref_conv conv ON conv.id = conv_id ",
            $condition
        )
    };
}

/// A node.
#[derive(sqlx::FromRow)]
pub(super) struct Node {
    pub id: String,
    pub conv_id: i64,
    workspace: String,
    pub title: String,
    pub description: String,
    pub obj_type: i64,
    version: Option<i64>,
    content: String,
    tasks: i64,
}

/// Performs an operation on a node.
pub(super) async fn perform(session: &mut Session<'_>, op: &Op<'_>) -> Result<Value, Refusal> {
    match op.action() {
        "create" => create(session, op).await,
        "delete" => delete(session, op).await,
        "list" => list(session, op).await,
        "modify" => modify(session, op).await,
        "show" => show(session, op).await,
        _ => Err(Refusal::Undefined),
    }
}

/// Finds a node that the caller may touch.
pub(super) async fn find(session: &mut Session<'_>, id: &str) -> Result<Option<Node>, Refusal> {
    let found = sqlx::query_as::<_, Node>(select!("WHERE node.id = $1 AND deleted_at IS NULL"))
        .bind(id)
        .fetch_optional(&mut *session.db)
        .await?;
    if let Some(node) = &found {
        session.check_workspace(&node.workspace)?;
    }
    Ok(found)
}

/// The nodes of a process that was found before, in the order of their creation.
pub(super) async fn of_conv(session: &mut Session<'_>, conv_id: i64) -> Result<Vec<Node>, Refusal> {
    Ok(sqlx::query_as(select!("WHERE conv_id = $1 ORDER BY node.id"))
        .bind(conv_id)
        .fetch_all(&mut *session.db)
        .await?)
}

/// Gives a new process what most need: a start node that leads to a final one.
pub(super) async fn insert_start_and_final(session: &mut Session<'_>, conv_id: i64) -> Result<(), Refusal> {
    let (start, end) = (new_id(), new_id());
    let go = json!({ "logics": [{ "type": "go", "to_node_id": end }] });
    insert(session, &start, conv_id, ("Start", "", START, None), &go).await?;
    insert(session, &end, conv_id, ("Final", "", FINAL, None), &json!({})).await
}

/// The node that an operation names by `obj_id`. A process named beside it must be the node's.
async fn named(session: &mut Session<'_>, op: &Op<'_>) -> Result<Node, Refusal> {
    let id = op.required_identifier("obj_id")?;
    let conv_id = op.integer("conv_id")?;
    let found = find(session, &id).await?;
    found.filter(|node| conv_id.is_none_or(|id| id == node.conv_id)).ok_or(Refusal::ObjIdNotFound)
}

async fn create(session: &mut Session<'_>, op: &Op<'_>) -> Result<Value, Refusal> {
    let conv = conv::find(session, op.required_integer("conv_id")?).await?.ok_or(Refusal::NotFound)?;
    let title = op.text("title", SHORT_TEXT)?.unwrap_or_default();
    let description = op.text("description", LONG_TEXT)?.unwrap_or_default();
    let (obj_type, version) = (obj_type(op)?.unwrap_or(0), op.integer("version")?);
    let content = merged(Map::new(), op)?;
    let id = new_id();
    insert(session, &id, conv.id, (title, description, obj_type, version), &content).await?;
    Ok(json!({ "obj_id": id, "version": version }))
}

async fn insert(
    session: &mut Session<'_>,
    id: &str,
    conv_id: i64,
    (title, description, obj_type, version): (&str, &str, i64, Option<i64>),
    content: &Value,
) -> Result<(), Refusal> {
    const INSERT: &str = "INSERT INTO ref_node (id, conv_id, title, description, obj_type, version, content, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let insert = sqlx::query(INSERT).bind(id).bind(conv_id).bind(title).bind(description).bind(obj_type);
    let insert = insert.bind(version).bind(content.to_string()).bind(session.now);
    insert.execute(&mut *session.db).await?;
    Ok(())
}

async fn modify(session: &mut Session<'_>, op: &Op<'_>) -> Result<Value, Refusal> {
    const UPDATE: &str = "UPDATE ref_node SET title = coalesce($2, title), description = coalesce($3, description), \
                          obj_type = coalesce($4, obj_type), version = coalesce($5, version), content = $6 \
                          WHERE id = $1";
    let node = named(session, op).await?;
    let content = merged(node.content(), op)?;
    let update = sqlx::query(UPDATE).bind(&node.id).bind(op.text("title", SHORT_TEXT)?);
    let update = update.bind(op.text("description", LONG_TEXT)?).bind(obj_type(op)?);
    let update = update.bind(op.integer("version")?).bind(content.to_string());
    update.execute(&mut *session.db).await?;
    Ok(json!({ "obj_id": node.id, "version": op.integer("version")?.or(node.version) }))
}

async fn show(session: &mut Session<'_>, op: &Op<'_>) -> Result<Value, Refusal> {
    Ok(named(session, op).await?.entry())
}

/// The tasks in a node.
async fn list(session: &mut Session<'_>, op: &Op<'_>) -> Result<Value, Refusal> {
    let node = named(session, op).await?;
    let tasks = task::in_node(session, &node.id, op.page()?).await?;
    Ok(json!({ "obj_id": node.id, "count": node.tasks, "list": tasks }))
}

/// Tasks that stand in the node go with it; this is ours.
async fn delete(session: &mut Session<'_>, op: &Op<'_>) -> Result<Value, Refusal> {
    let node = named(session, op).await?;
    sqlx::query("DELETE FROM ref_node WHERE id = $1").bind(&node.id).execute(&mut *session.db).await?;
    // The documented answer names the process here, with the node's identifier.
    Ok(json!({ "obj": "conv", "obj_id": node.id }))
}

impl Node {
    /// The node as lists and answers show it.
    pub(super) fn entry(&self) -> Value {
        let mut entry = json!({
            "obj": "node",
            "obj_id": self.id,
            "title": self.title,
            "description": self.description,
            "obj_type": self.obj_type,
            "version": self.version,
            "count": self.tasks,
            "logics": [],
            "semaphors": [],
        });
        if let Value::Object(members) = &mut entry {
            members.extend(self.content());
        }
        entry
    }

    /// Logics, semaphors, position, extra and options.
    pub(super) fn content(&self) -> Map<String, Value> {
        serde_json::from_str(&self.content).unwrap_or_default()
    }

    /// The node that tasks go to from here: the target of the first unconditional rule.
    pub(super) fn next(&self) -> Option<String> {
        let content = self.content();
        let go = content.get("logics")?.as_array()?.iter().find(|logic| logic["type"] == "go")?;
        Some(go["to_node_id"].as_str()?.to_owned())
    }
}

/// Custom, start, final or escalation.
fn obj_type(op: &Op<'_>) -> Result<Option<i64>, Refusal> {
    match op.integer("obj_type")? {
        Some(other) if !(0..=3).contains(&other) => Err(Refusal::not_valid("obj_type", &other.into())),
        obj_type => Ok(obj_type),
    }
}

/// The content of a node with what the operation says about it.
fn merged(mut content: Map<String, Value>, op: &Op<'_>) -> Result<Value, Refusal> {
    for (key, is_array) in CONTENT {
        let Some(value) = op.get(key) else { continue };
        if is_array && !value.is_array() {
            return Err(Refusal::not_valid(key, value));
        }
        content.insert(key.to_owned(), value.clone());
    }
    let content = Value::Object(content);
    match content.to_string().len() > LONGEST_CONTENT {
        true => Err(Refusal::too_long("logics", LONGEST_CONTENT)),
        false => Ok(content),
    }
}
