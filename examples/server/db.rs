//! The example's own tables: they lie beside the keys, in the same database, and are migrated on their own.

use sqlx::{
    Any, AnyConnection, AnyPool, Executor as _, Transaction,
    any::{self, AnyPoolOptions},
    migrate::{MigrateError, Migrator},
};
use std::time::{SystemTime, UNIX_EPOCH};

/// What the example's writers on Postgres wait for. The number means nothing.
const TURN: &str = "SELECT pg_advisory_xact_lock(7463225)";

/// Opens the database. The example's statements are the same for every engine, and its values text and numbers, so that
/// the driver which does not care for the engine will do.
pub(crate) async fn open(url: &str) -> sqlx::Result<AnyPool> {
    any::install_default_drivers();
    let options = AnyPoolOptions::new().after_connect(|connection, _| {
        Box::pin(async move {
            if connection.backend_name() == "SQLite" {
                // Writers wait for each other without an order: on a busy machine, one can have bad luck for long.
                connection.execute("PRAGMA busy_timeout = 30000").await?;
            }
            Ok(())
        })
    });
    options.connect(url).await
}

/// Migrates the tables. Safe to call at every start, by several processes.
pub(crate) async fn migrate(pool: &AnyPool) -> Result<(), MigrateError> {
    let mut migrator: Migrator = if embedded(pool) {
        sqlx::migrate!("examples/server/migrations/sqlite")
    } else {
        sqlx::migrate!("examples/server/migrations/postgres")
    };
    // Counted in a table of their own, as the key store counts its own; it has had this name from the first migration on.
    migrator.dangerous_set_table_name("ref_migrations");
    // One has its turn already, and only until it commits.
    migrator.set_locking(false);
    let mut transaction = begin_change(pool).await?;
    migrator.run(&mut *transaction).await?;
    Ok(transaction.commit().await?)
}

/// Begins a transaction that changes something. One at a time has its turn, so that what it read stays true.
pub(crate) async fn begin_change(pool: &AnyPool) -> sqlx::Result<Transaction<'static, Any>> {
    if embedded(pool) {
        // If writers first read and then asked for SQLite's lock, two of them could wait for each other.
        return pool.begin_with("BEGIN IMMEDIATE").await;
    }
    let mut transaction = pool.begin().await?;
    sqlx::query(TURN).execute(&mut *transaction).await?;
    Ok(transaction)
}

fn embedded(pool: &AnyPool) -> bool {
    pool.connect_options().database_url.scheme() == "sqlite"
}

/// Gives an organization a few titles and items, unless it has some: the first query shall show something.
pub(crate) async fn seed(pool: &AnyPool, organization: &str, now: SystemTime) -> sqlx::Result<()> {
    let mut transaction = begin_change(pool).await?;
    seed_titles(&mut transaction, organization, milliseconds(now)).await?;
    seed_items(&mut transaction, organization).await?;
    transaction.commit().await
}

/// Milliseconds since the Unix epoch.
pub(crate) fn milliseconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

async fn seed_titles(db: &mut AnyConnection, organization: &str, now: i64) -> sqlx::Result<()> {
    const COUNT: &str = "SELECT count(*) FROM ref_title WHERE organization = $1";
    const INSERT: &str = "INSERT INTO ref_title (organization, id, name, synopsis, release_year, updated_at) \
                          VALUES ($1, $2, $3, $4, $5, $6)";
    let titles = [
        ("title-1", "The Lighthouse Keeper", "A storm brings a stranger and an old signal book.", 2019),
        ("title-2", "Salt and Granite", "Six walks along a coast that is being sold.", 2021),
        ("title-3", "Night Shift at the Observatory", "One dome, two astronomers, no clouds.", 2024),
    ];
    if sqlx::query_scalar::<_, i64>(COUNT).bind(organization).fetch_one(&mut *db).await? > 0 {
        return Ok(());
    }
    for (id, name, synopsis, year) in titles {
        let insert = sqlx::query(INSERT).bind(organization).bind(id).bind(name).bind(synopsis);
        insert.bind(year).bind(now).execute(&mut *db).await?;
    }
    Ok(())
}

async fn seed_items(db: &mut AnyConnection, organization: &str) -> sqlx::Result<()> {
    const COUNT: &str = "SELECT count(*) FROM ref_item WHERE organization = $1";
    const ITEM: &str = "INSERT INTO ref_item (organization, id, title) VALUES ($1, $2, $3)";
    const IMAGE: &str =
        "INSERT INTO ref_item_image (organization, item, position, original) VALUES ($1, $2, 0, $3)";
    let items = [
        ("item-1", "Wool blanket", "https://images.example.com/wool-blanket.jpg"),
        ("item-2", "Enamel mug", "https://images.example.com/enamel-mug.jpg"),
    ];
    if sqlx::query_scalar::<_, i64>(COUNT).bind(organization).fetch_one(&mut *db).await? > 0 {
        return Ok(());
    }
    for (id, title, image) in items {
        sqlx::query(ITEM).bind(organization).bind(id).bind(title).execute(&mut *db).await?;
        sqlx::query(IMAGE).bind(organization).bind(id).bind(image).execute(&mut *db).await?;
    }
    Ok(())
}
