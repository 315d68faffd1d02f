//! The example's own tables: made once, filled once, and counted beside the key store's.

use super::*;

#[tokio::test]
async fn migrating_and_seeding_twice_changes_nothing() {
    let database = Database::new().await;
    db::migrate(&database.pool).await.unwrap();
    db::seed(&database.pool, "acme", UNIX_EPOCH).await.unwrap();
    let count = |sql: &'static str| sqlx::query_scalar::<_, i64>(sql).fetch_one(&database.pool);
    assert_eq!(count("SELECT count(*) FROM ref_title WHERE organization = 'acme'").await.unwrap(), 3);
    assert_eq!(count("SELECT count(*) FROM ref_item WHERE organization = 'acme'").await.unwrap(), 2);
    assert_eq!(count("SELECT count(*) FROM ref_migrations").await.unwrap(), 3);
    // The key store's own bookkeeping may stand in the same database.
    assert!(count("SELECT count(*) FROM _sqlx_migrations").await.is_err());
}
