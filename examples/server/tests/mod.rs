//! The handlers without HTTP and without signatures: what they do for a caller who is already verified.

mod graphql;
mod ops;
mod routes;

use crate::{
    caller::Caller,
    db,
    schema::apps::{AppOrganization, Apps},
};
use async_trait::async_trait;
use countersign::store::AdminError;
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode},
};
use std::time::{Duration, UNIX_EPOCH};

/// The second at which the clock of a test stands still.
const NOW: u64 = 1_700_000_000;

/// A database file of its own for each test, gone with the test.
struct Database {
    pool: SqlitePool,
    _folder: tempfile::TempDir,
}

impl Database {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteConnectOptions::new()
            .filename(folder.path().join("test.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal);
        let pool = SqlitePool::connect_with(options).await.unwrap();
        db::migrate(&pool).await.unwrap();
        for organization in ["acme", "globex"] {
            db::seed(&pool, organization, UNIX_EPOCH + Duration::from_secs(NOW)).await.unwrap();
        }
        Self { pool, _folder: folder }
    }
}

fn caller(organization: Option<&str>) -> Caller {
    Caller {
        scheme: "salescloud".to_owned(),
        key_id: "app-1".to_owned(),
        principal: "ops-bot".to_owned(),
        organization: organization.map(str::to_owned),
    }
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

#[tokio::test]
async fn migrating_and_seeding_twice_changes_nothing() {
    let database = Database::new().await;
    db::migrate(&database.pool).await.unwrap();
    db::seed(&database.pool, "acme", UNIX_EPOCH).await.unwrap();
    let count = |sql: &'static str| sqlx::query_scalar::<_, i64>(sql).fetch_one(&database.pool);
    assert_eq!(count("SELECT count(*) FROM ref_title WHERE organization = 'acme'").await.unwrap(), 3);
    assert_eq!(count("SELECT count(*) FROM ref_item WHERE organization = 'acme'").await.unwrap(), 2);
    // The key store's own bookkeeping may stand in the same database.
    assert_eq!(count("SELECT count(*) FROM sqlite_master WHERE name = '_sqlx_migrations'").await.unwrap(), 0);
}
