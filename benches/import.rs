//! How long `keys import --from` takes for many keys, beside a bulk COPY of the same rows into the same tables.
//!
//! `IMPORT` is their number (1,000,000). Postgres runs as in the tests, on this machine. `./x soak import` runs it.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up shall stop")]

#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../tests/it/support/postgres/cluster.rs"]
mod cluster;

use cluster::Cluster;
use countersign::{
    clock::{Clock as _, SystemClock},
    secret::Secret,
};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use std::{
    env,
    fs::{self, File, Permissions},
    io::{BufWriter, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

/// In an order in which their rows may be inserted.
const TABLES: [&str; 4] = ["keyring", "accounts", "credentials", "secret_versions"];
/// The time of the import over that of COPY.
const LIMIT: f64 = 3.0;

fn main() {
    let keys = env::var("IMPORT").map_or(1_000_000, |text| text.parse().unwrap());
    let cluster = Cluster::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    // The server's account writes here as well.
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    write(&folder.path().join("keys.jsonl"), keys);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(measure(&cluster, folder.path(), keys));
}

async fn measure(cluster: &Cluster, folder: &Path, keys: u32) {
    let imported = cluster.url();
    countersign(folder, &imported, &["migrate"]);
    let import =
        seconds(async || countersign(folder, &imported, &["keys", "import", "--from", "keys.jsonl"])).await;
    let mut database = PgConnection::connect(&imported).await.unwrap();
    let count = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM secret_versions");
    assert_eq!(count.fetch_one(&mut database).await.unwrap(), i64::from(keys));
    for table in TABLES {
        let out = format!("COPY {table} TO '{}'", folder.join(table).display());
        database.execute(AssertSqlSafe(out)).await.unwrap();
    }
    let copied = copy(&mut database, &imported, folder, "copied", "origin").await;
    let bare = copy(&mut database, &imported, folder, "bare", "replica").await;
    println!("{keys} keys                                            seconds   import / it");
    println!("keys import --from                              {import:>10.1}");
    println!("COPY of the rows that it makes                  {copied:>10.1}{:>14.2}", import / copied);
    println!("the same without triggers and foreign keys      {bare:>10.1}{:>14.2}", import / bare);
    let mark = if import <= LIMIT * copied { "met" } else { "missed" };
    println!("goal: the import takes at most {LIMIT} times as long as COPY: {mark}");
}

/// Copies the rows into a new database, and says how long the keys and secrets took. As a `replica`, the server fires
/// no trigger.
async fn copy(database: &mut PgConnection, url: &str, folder: &Path, name: &str, role: &str) -> f64 {
    database.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
    let url = url.replace("/postgres?", &format!("/{name}?"));
    countersign(folder, &url, &["migrate"]);
    let mut database = PgConnection::connect(&url).await.unwrap();
    database.execute("SET session_replication_role = replica; DELETE FROM keyring").await.unwrap();
    let copy = |table: &str| format!("COPY {table} FROM '{}'", folder.join(table).display());
    for table in &TABLES[..2] {
        database.execute(AssertSqlSafe(copy(table))).await.unwrap();
    }
    let role = format!("SET session_replication_role = {role}");
    database.execute(AssertSqlSafe(role)).await.unwrap();
    seconds(async || {
        for table in &TABLES[2..] {
            database.execute(AssertSqlSafe(copy(table))).await.unwrap();
        }
    })
    .await
}

async fn seconds(mut work: impl AsyncFnMut()) -> f64 {
    let start = Instant::now();
    work().await;
    start.elapsed().as_secs_f64()
}

/// Writes a file of so many keys, each with a secret of its own.
fn write(file: &Path, keys: u32) {
    let mut out = BufWriter::new(File::create(file).unwrap());
    let mut random = [0; 32];
    SystemClock.fill(&mut random);
    for number in 0..keys {
        random[..4].copy_from_slice(&number.to_le_bytes());
        let secret = Secret::from_random(random);
        let secret = std::str::from_utf8(secret.expose()).unwrap();
        let id = format!("5c2b6f9e-8f62-4a57-9bb1-{number:012}");
        writeln!(out, r#"{{"scheme":"corezoid","key_id":"{id}","secret":"{secret}","account":"ops"}}"#)
            .unwrap();
    }
    out.flush().unwrap();
}

fn countersign(folder: &Path, database_url: &str, arguments: &[&str]) {
    let ran = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(arguments)
        .current_dir(folder)
        .env("DATABASE_URL", database_url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(ran.success(), "{arguments:?}");
}
