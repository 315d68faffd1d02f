//! The example's own tables: they lie beside the keys, in the same database, and are migrated on their own.

use sqlx::{
    SqliteConnection, SqlitePool,
    migrate::{MigrateError, Migrator},
};
use std::time::{SystemTime, UNIX_EPOCH};

/// Migrates the tables. Safe to call at every start, by several processes.
pub(crate) async fn migrate(pool: &SqlitePool) -> Result<(), MigrateError> {
    // The key store counts its migrations in sqlx's default table. The same numbers stand for other files here, so they
    // are counted in a table of their own; it has had this name from the first migration on.
    let mut migrator: Migrator = sqlx::migrate!("examples/server/migrations/sqlite");
    migrator.dangerous_set_table_name("ref_migrations");
    migrator.run(pool).await
}

/// Gives an organization a few titles and items, unless it has some: the first query shall show something.
pub(crate) async fn seed(pool: &SqlitePool, organization: &str, now: SystemTime) -> sqlx::Result<()> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    seed_titles(&mut transaction, organization, milliseconds(now)).await?;
    seed_items(&mut transaction, organization).await?;
    transaction.commit().await
}

/// Milliseconds since the Unix epoch.
pub(crate) fn milliseconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

async fn seed_titles(db: &mut SqliteConnection, organization: &str, now: i64) -> sqlx::Result<()> {
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

async fn seed_items(db: &mut SqliteConnection, organization: &str) -> sqlx::Result<()> {
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
