//! Deleting in two steps: into the trash, from which an object can be restored, and for good.

use super::{op::Op, refusal::Refusal, session::Session};
use serde_json::{Value, json};

/// The statements for one table.
pub(super) struct Trash {
    /// Finds the workspace, the folder, and since when the object is in the trash.
    pub find: &'static str,
    /// Puts it into the trash or takes it out.
    pub mark: &'static str,
    /// Removes it and everything in it.
    pub destroy: &'static str,
}

/// For folders.
pub(super) const FOLDER: Trash = Trash {
    find: "SELECT workspace, coalesce(parent_id, 0), deleted_at FROM ref_folder WHERE id = $1",
    mark: "UPDATE ref_folder SET deleted_at = $2 WHERE id = $1",
    destroy: "DELETE FROM ref_folder WHERE id = $1",
};

/// For processes.
pub(super) const CONV: Trash = Trash {
    find: "SELECT workspace, coalesce(folder_id, 0), deleted_at FROM ref_conv WHERE id = $1",
    mark: "UPDATE ref_conv SET deleted_at = $2 WHERE id = $1",
    destroy: "DELETE FROM ref_conv WHERE id = $1",
};

impl Trash {
    /// Performs `delete`, `restore` or `destroy`. Only what is in the trash can be restored; only that can be destroyed.
    pub(super) async fn perform(&self, session: &mut Session<'_>, op: &Op<'_>) -> Result<Value, Refusal> {
        let id = op.required_integer("obj_id")?;
        let find = sqlx::query_as::<_, (String, i64, Option<i64>)>(self.find).bind(id);
        let found = find.fetch_optional(&mut *session.db).await?;
        let (workspace, folder, deleted_at) = found.ok_or(Refusal::ObjIdNotFound)?;
        session.check_workspace(&workspace)?;
        match (op.action(), deleted_at) {
            ("delete", None) => {
                sqlx::query(self.mark).bind(id).bind(session.now).execute(&mut *session.db).await?;
                Ok(json!({ "obj_id": id }))
            }
            ("restore", Some(_)) => {
                sqlx::query(self.mark).bind(id).bind(None::<i64>).execute(&mut *session.db).await?;
                Ok(json!({ "obj_id": id, "parent_folder_id": folder }))
            }
            ("destroy", Some(_)) => {
                sqlx::query(self.destroy).bind(id).execute(&mut *session.db).await?;
                Ok(json!({ "obj_id": id }))
            }
            _ => Err(Refusal::ObjIdNotFound),
        }
    }
}
