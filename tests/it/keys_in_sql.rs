//! What `docs/keys-in-sql.md` shows is run from the first line to the last, on both engines.
//!
//! * `sh` is run by `sh -eu` in a folder of its own, with `countersign` on the path.
//! * `sql` is executed; every statement must find at least one row to change or to show.
//! * `sql,refused` is executed, and every statement must fail.
//! * `text` is only shown.

use crate::support::{markdown::blocks, postgres::Database, server::built};
use sqlx::{AnyPool, AssertSqlSafe, any};
use std::{env, path::Path, process::Command};

const PAGE: &str = include_str!("../../docs/keys-in-sql.md");

#[tokio::test]
async fn the_page_holds_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("data/countersign.db").display());
    run_page(folder.path(), &url).await;
}

#[tokio::test]
async fn the_page_holds_on_postgres() {
    let database = Database::empty().await;
    run_page(tempfile::tempdir().unwrap().path(), database.url()).await;
}

async fn run_page(folder: &Path, url: &str) {
    any::install_default_drivers();
    let mut database = None;
    let (mut executed, mut refused) = (0, 0);
    for (language, block) in blocks(PAGE) {
        match language {
            "sh" => run(folder, url, &block),
            "sql" => {
                let pool = database.get_or_insert(AnyPool::connect(url).await.unwrap());
                for statement in statements(&block) {
                    let rows = execute(pool, statement).await;
                    assert!(rows.unwrap_or_else(|error| panic!("{statement}: {error}")) > 0, "{statement}");
                    executed += 1;
                }
            }
            "sql,refused" => {
                let pool = database.as_ref().unwrap();
                for statement in statements(&block) {
                    assert!(execute(pool, statement).await.is_err(), "{statement}");
                    refused += 1;
                }
            }
            "text" => {}
            other => panic!("nobody knows how to run a block of `{other}`"),
        }
    }
    assert!(executed > 10 && refused > 5, "the page lost its statements: {executed}, {refused}");
}

/// The statements of a block, each of which ends a line.
fn statements(block: &str) -> impl Iterator<Item = &str> {
    block.split_terminator(";\n").map(|statement| statement.trim_end_matches(';'))
}

/// The number of rows that a statement changed or found.
async fn execute(pool: &AnyPool, statement: &str) -> Result<u64, sqlx::Error> {
    let query = sqlx::query(AssertSqlSafe(statement.to_owned()));
    if statement.starts_with("SELECT") {
        return query.fetch_all(pool).await.map(|rows| rows.len() as u64);
    }
    query.execute(pool).await.map(|done| done.rows_affected())
}

fn run(folder: &Path, url: &str, script: &str) {
    let program = built("countersign");
    let mut path = vec![program.parent().unwrap().to_owned()];
    path.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    let ran = Command::new("sh")
        .args(["-euc", script])
        .current_dir(folder)
        .env("PATH", env::join_paths(path).unwrap())
        .env("DATABASE_URL", url)
        .env_remove("COUNTERSIGN_KEYRING_FILE")
        .output()
        .unwrap();
    assert!(ran.status.success(), "{script}\n{}", String::from_utf8_lossy(&ran.stderr));
}
