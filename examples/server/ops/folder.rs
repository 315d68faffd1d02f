//! Folders. The root has the number 0 and no row.

use super::{
    op::{LONG_TEXT, Op, SHORT_TEXT},
    refusal::Refusal,
    session::Session,
    trash,
};
use serde_json::{Value, json};

#[derive(sqlx::FromRow)]
struct Folder {
    id: i64,
    workspace: String,
    parent_id: i64,
    title: String,
    description: String,
}

/// A folder or process in a list.
#[derive(sqlx::FromRow)]
struct Entry {
    obj: String,
    id: i64,
    title: String,
    description: String,
    conv_type: Option<String>,
    status: Option<String>,
    created_at: i64,
    changed_at: i64,
}

/// Performs an operation on a folder.
pub(super) async fn perform(session: &mut Session<'_>, op: &Op<'_>) -> Result<Value, Refusal> {
    match op.action() {
        "create" => create(session, op).await,
        "delete" | "destroy" | "restore" => trash::FOLDER.perform(session, op).await,
        "list" => list(session, op).await,
        "modify" => modify(session, op).await,
        "show" => show(session, op).await,
        _ => Err(Refusal::Undefined),
    }
}

/// The folder that a new object goes into: `folder_id`, or the root.
pub(super) async fn parent(session: &mut Session<'_>, op: &Op<'_>) -> Result<i64, Refusal> {
    let id = op.integer("folder_id")?.unwrap_or(0);
    find(session, id).await?.map(|folder| folder.id).ok_or(Refusal::NotFound)
}

async fn find(session: &mut Session<'_>, id: i64) -> Result<Option<Folder>, Refusal> {
    const SELECT: &str = "SELECT id, workspace, coalesce(parent_id, 0) AS parent_id, title, description \
                          FROM ref_folder WHERE id = $1 AND deleted_at IS NULL";
    if id == 0 {
        let (title, description) = ("Root folder".to_owned(), String::new());
        let workspace = session.workspace.clone();
        return Ok(Some(Folder { id, workspace, parent_id: 0, title, description }));
    }
    let found = sqlx::query_as::<_, Folder>(SELECT).bind(id).fetch_optional(&mut *session.db).await?;
    if let Some(folder) = &found {
        session.check_workspace(&folder.workspace)?;
    }
    Ok(found)
}

/// The folder that an operation names by `obj_id`.
async fn named(session: &mut Session<'_>, op: &Op<'_>) -> Result<Folder, Refusal> {
    find(session, op.required_integer("obj_id")?).await?.ok_or(Refusal::ObjIdNotFound)
}

async fn create(session: &mut Session<'_>, op: &Op<'_>) -> Result<Value, Refusal> {
    const INSERT: &str = "INSERT INTO ref_folder (workspace, parent_id, title, description, created_at, changed_at) \
         VALUES ($1, nullif($2, 0), $3, $4, $5, $5) RETURNING id";
    let parent_id = parent(session, op).await?;
    let insert = sqlx::query_scalar::<_, i64>(INSERT).bind(&session.workspace).bind(parent_id);
    let insert = insert.bind(op.text("title", SHORT_TEXT)?.unwrap_or("New folder"));
    let insert = insert.bind(op.text("description", LONG_TEXT)?.unwrap_or_default()).bind(session.now);
    let id = insert.fetch_one(&mut *session.db).await?;
    Ok(json!({ "obj_id": id, "folder_id": parent_id }))
}

async fn modify(session: &mut Session<'_>, op: &Op<'_>) -> Result<Value, Refusal> {
    const UPDATE: &str = "UPDATE ref_folder SET title = coalesce($2, title), \
                          description = coalesce($3, description), changed_at = $4 WHERE id = $1";
    let folder = named(session, op).await?;
    if folder.id == 0 {
        return Err(Refusal::WrongState("the root folder cannot be modified"));
    }
    let update = sqlx::query(UPDATE).bind(folder.id).bind(op.text("title", SHORT_TEXT)?);
    let update = update.bind(op.text("description", LONG_TEXT)?).bind(session.now);
    update.execute(&mut *session.db).await?;
    Ok(json!({ "obj_id": folder.id }))
}

async fn show(session: &mut Session<'_>, op: &Op<'_>) -> Result<Value, Refusal> {
    let folder = named(session, op).await?;
    Ok(json!({
        "obj_id": folder.id,
        "title": folder.title,
        "description": folder.description,
        "obj_type": 0,
        "parent_obj_id": folder.parent_id,
        "parent_obj_type": "folder",
    }))
}

/// The folders and processes in a folder, folders first.
async fn list(session: &mut Session<'_>, op: &Op<'_>) -> Result<Value, Refusal> {
    const SELECT: &str = "\
        SELECT 'folder' AS obj, id, title, description, NULL AS conv_type, NULL AS status, created_at, changed_at \
        FROM ref_folder WHERE workspace = $1 AND coalesce(parent_id, 0) = $2 AND deleted_at IS NULL \
        UNION ALL \
        SELECT 'conv' AS obj, id, title, description, conv_type, status, created_at, changed_at \
        FROM ref_conv WHERE workspace = $1 AND coalesce(folder_id, 0) = $2 AND deleted_at IS NULL \
        ORDER BY obj DESC, id LIMIT $3 OFFSET $4";
    let folder = named(session, op).await?;
    let parent = find(session, folder.parent_id).await?;
    let (limit, offset) = op.page()?;
    let select = sqlx::query_as::<_, Entry>(SELECT).bind(&session.workspace).bind(folder.id);
    let entries = select.bind(limit).bind(offset).fetch_all(&mut *session.db).await?;
    let company = session.caller.organization.as_deref();
    Ok(json!({
        "obj_id": folder.id,
        "title": folder.title,
        "parent_folder_id": folder.parent_id,
        "parent_folder_title": parent.map(|parent| parent.title),
        "list": entries.iter().map(|entry| entry.shown(folder.id, company)).collect::<Vec<_>>(),
    }))
}

impl Entry {
    fn shown(&self, parent: i64, company: Option<&str>) -> Value {
        let mut shown = json!({
            "obj": self.obj,
            "obj_type": self.obj,
            "obj_id": self.id,
            "title": self.title,
            "description": self.description,
            "create_time": self.created_at,
            "change_time": self.changed_at,
            "company_id": company,
            "parent_id": parent,
        });
        if let (Some(conv_type), Some(status)) = (&self.conv_type, &self.status) {
            shown["conv_type"] = conv_type.as_str().into();
            shown["status"] = status.as_str().into();
        }
        shown
    }
}
