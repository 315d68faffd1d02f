//! A Postgres database for each test: from `TEST_DATABASE_URL`, or else from a server of the test program's own.
//!
//! There is no way to leave these tests out: where there is no Postgres they fail, and say what to install.

pub(crate) mod cluster;

use cluster::Cluster;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use std::{
    env,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};
use tokio::{runtime, sync::OnceCell};
use url::Url;

/// A database of its own for one test, dropped with this.
pub(crate) struct Database {
    name: String,
    url: String,
}

impl Database {
    /// A database without a table.
    pub(crate) async fn empty() -> Self {
        Self::create("template0").await
    }

    /// A database with the tables of the key store.
    pub(crate) async fn migrated() -> Self {
        static TEMPLATE: OnceCell<String> = OnceCell::const_new();
        Self::create(TEMPLATE.get_or_init(template).await).await
    }

    async fn create(template: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let run = run().await;
        let name = format!("{}_{}", run.prefix, COUNT.fetch_add(1, Ordering::Relaxed));
        // Before version 15 there was no other way than this, and no word for it.
        let strategy = if run.version >= 150_000 { "STRATEGY file_copy" } else { "" };
        execute(&format!("CREATE DATABASE {name} TEMPLATE {template} {strategy}")).await;
        Self { url: url(&name), name }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // A runtime cannot be entered from within the test's.
        let dropped = thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(execute(&statement));
        });
        dropped.join().unwrap();
    }
}

/// This run of the test program, as the server sees it.
struct Run {
    version: i32,
    /// How the names of its databases begin.
    prefix: String,
}

async fn run() -> &'static Run {
    static RUN: OnceCell<Run> = OnceCell::const_new();
    RUN.get_or_init(|| async {
        let mut server = connect().await;
        sweep(&mut server).await;
        let ask = "SELECT current_setting('server_version_num')::int, \
                          format('countersign_test_%s_%s', extract(epoch FROM now())::bigint, pg_backend_pid())";
        let (version, prefix) = sqlx::query_as(ask).fetch_one(&mut server).await.unwrap();
        server.close().await.unwrap();
        Run { version, prefix }
    })
    .await
}

/// Drops what a run left behind that was killed an hour ago or more, on a server that outlives the runs.
async fn sweep(server: &mut PgConnection) {
    let ask = "SELECT datname FROM pg_database WHERE datname ~ '^countersign_test_[0-9]+_' \
               AND split_part(datname, '_', 3)::bigint < extract(epoch FROM now()) - 3600";
    for name in sqlx::query_scalar::<_, String>(ask).fetch_all(&mut *server).await.unwrap() {
        let statement = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        server.execute(AssertSqlSafe(statement)).await.unwrap();
    }
}

/// The database that others are copied from. It is named after the schema, so that runs can share it; and it gets that
/// name when it is done, so that nobody copies a half of it.
async fn template() -> String {
    let mut schema = sqlx::migrate!("migrations/postgres");
    schema.dangerous_set_table_name("_countersign_migrations");
    let mut hasher = DefaultHasher::new();
    schema.iter().for_each(|step| step.checksum.hash(&mut hasher));
    let name = format!("countersign_template_{:016x}", hasher.finish());
    let mut server = connect().await;
    server.execute("SELECT pg_advisory_lock(20250101)").await.unwrap();
    let ask = "SELECT count(*) FROM pg_database WHERE datname = $1";
    if sqlx::query_scalar::<_, i64>(ask).bind(&name).fetch_one(&mut server).await.unwrap() == 0 {
        execute("DROP DATABASE IF EXISTS countersign_unfinished WITH (FORCE)").await;
        execute("CREATE DATABASE countersign_unfinished TEMPLATE template0").await;
        let mut database = PgConnection::connect(&url("countersign_unfinished")).await.unwrap();
        schema.run(&mut database).await.unwrap();
        database.close().await.unwrap();
        execute(&format!("ALTER DATABASE countersign_unfinished RENAME TO {name}")).await;
    }
    server.close().await.unwrap();
    name
}

/// Executes a statement about databases.
async fn execute(statement: &str) {
    let mut server = connect().await;
    server.execute(AssertSqlSafe(statement.to_owned())).await.unwrap();
    server.close().await.unwrap();
}

async fn connect() -> PgConnection {
    PgConnection::connect(server()).await.unwrap()
}

/// The URL of another database of the server.
fn url(database: &str) -> String {
    let mut url = Url::parse(server()).unwrap();
    url.set_path(database);
    url.into()
}

/// The URL of the server's own database.
fn server() -> &'static str {
    static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
    let server = SERVER.get_or_init(|| match env::var("TEST_DATABASE_URL") {
        Ok(url) => Ok(Server { url, _cluster: None }),
        Err(_) => Cluster::start().map(|cluster| Server { url: cluster.url(), _cluster: Some(cluster) }),
    });
    // Every test says so, and not the first one only.
    server.as_ref().map_or_else(|reason| panic!("{reason}"), |server| &server.url)
}

struct Server {
    url: String,
    _cluster: Option<Cluster>,
}
