//! The handlers without HTTP and without signatures: what they do for a caller who is already verified. All of it over
//! both engines.

mod on_postgres;
mod on_sqlite;
#[expect(dead_code, reason = "the tests of the key store use more of it")]
#[path = "../../../tests/it/support/postgres/mod.rs"]
mod postgres;

use crate::{
    caller::Caller,
    db,
    graphql_endpoint::GraphqlEndpoint,
    schema::apps::{AppOrganization, Apps},
};
use async_trait::async_trait;
use countersign::{
    clock::ManualClock,
    credential::{Access, Permissions},
    store::AdminError,
};
use sqlx::AnyPool;
use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};
use tempfile::TempDir;

/// The second at which the clock of a test stands still.
const NOW: u64 = 1_700_000_000;

/// A database of its own for each test, gone with the test.
struct Database<P> {
    pool: AnyPool,
    _place: P,
}

impl<P> Database<P> {
    async fn at(place: P, url: &str) -> Self {
        let pool = db::open(url).await.unwrap();
        db::migrate(&pool).await.unwrap();
        for organization in ["acme", "globex"] {
            db::seed(&pool, organization, UNIX_EPOCH + Duration::from_secs(NOW)).await.unwrap();
        }
        Self { pool, _place: place }
    }
}

impl Database<TempDir> {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("test.db").display());
        Self::at(folder, &url).await
    }
}

impl Database<postgres::Database> {
    async fn new() -> Self {
        let database = postgres::Database::empty().await;
        let url = database.url().to_owned();
        Self::at(database, &url).await
    }
}

fn caller(organization: Option<&str>) -> Caller {
    Caller {
        scheme: "salescloud".to_owned(),
        key_id: "app-1".to_owned(),
        principal: "ops-bot".to_owned(),
        organization: organization.map(str::to_owned),
        permissions: Permissions::all(),
        access: Access::Write,
        client: None,
    }
}

/// The endpoint over a database, at [`NOW`].
fn graphql_endpoint(pool: &AnyPool) -> GraphqlEndpoint {
    GraphqlEndpoint::new(pool.clone(), Arc::new(Installed), Arc::new(ManualClock::at(NOW)))
}

/// The apps of a test: `app-1` is installed in `acme`.
struct Installed;

#[async_trait]
impl Apps for Installed {
    async fn organizations(&self, scheme: &str, app: &str) -> Result<Vec<AppOrganization>, AdminError> {
        let acme = AppOrganization { uuid: "acme".to_owned(), label: "Acme Studios".to_owned() };
        Ok(if (scheme, app) == ("salescloud", "app-1") { vec![acme] } else { Vec::new() })
    }
}
