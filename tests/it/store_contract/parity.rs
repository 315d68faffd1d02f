//! The schemas of the two engines are one: the same steps, tables and columns, of the same meaning.

use crate::support::postgres::Database;
use sqlx::{Connection as _, PgConnection, SqliteConnection};
use std::{collections::BTreeSet, fs, path::Path};

/// Table, column, type, whether it may be NULL, and its place in the primary key.
type Column = (String, String, String, bool, Option<i64>);

#[tokio::test]
async fn both_engines_have_the_same_columns() {
    let database = Database::migrated().await;
    let of_postgres: BTreeSet<_> = of_postgres(database.url()).await;
    let of_sqlite: BTreeSet<_> = of_sqlite().await;
    assert!(of_sqlite.len() > 30, "{of_sqlite:#?}");
    let only = |one: &BTreeSet<Column>, other| one.difference(other).cloned().collect::<Vec<_>>();
    let differences = (only(&of_sqlite, &of_postgres), only(&of_postgres, &of_sqlite));
    assert_eq!(differences, (Vec::new(), Vec::new()), "(only in SQLite, only in Postgres)");
}

#[test]
fn both_engines_have_the_same_steps() {
    let files = |engine: &str| -> BTreeSet<_> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(engine);
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    };
    assert!(!files("sqlite").is_empty());
    assert_eq!(files("sqlite"), files("postgres"));
}

async fn of_sqlite() -> BTreeSet<Column> {
    let mut database = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    sqlx::migrate!("migrations/sqlite").run(&mut database).await.unwrap();
    let ask = r#"SELECT t.name, c.name, c.type, NOT c."notnull", NULLIF(c.pk, 0)
                 FROM sqlite_schema t, pragma_table_info(t.name) c
                 WHERE t.type = 'table' AND t.name NOT LIKE '\_%' ESCAPE '\' AND t.name NOT LIKE 'sqlite%' AND t.name <> 'changes'"#;
    let columns: Vec<Column> = sqlx::query_as(ask).fetch_all(&mut database).await.unwrap();
    columns.into_iter().collect()
}

async fn of_postgres(url: &str) -> BTreeSet<Column> {
    let mut database = PgConnection::connect(url).await.unwrap();
    let ask = r"SELECT c.table_name::text, c.column_name::text,
                       CASE c.data_type WHEN 'bytea' THEN 'BLOB' WHEN 'text' THEN 'TEXT'
                                        WHEN 'bigint' THEN 'INTEGER' WHEN 'boolean' THEN 'INTEGER'
                                        ELSE c.data_type END,
                       c.is_nullable = 'YES', k.ordinal_position::bigint
                FROM information_schema.columns c
                LEFT JOIN information_schema.table_constraints p
                       ON p.table_schema = c.table_schema AND p.table_name = c.table_name
                      AND p.constraint_type = 'PRIMARY KEY'
                LEFT JOIN information_schema.key_column_usage k
                       ON k.constraint_schema = p.constraint_schema AND k.constraint_name = p.constraint_name
                      AND k.table_name = c.table_name AND k.column_name = c.column_name
                WHERE c.table_schema = 'public' AND c.table_name NOT LIKE '\_%'";
    let columns: Vec<Column> = sqlx::query_as(ask).fetch_all(&mut database).await.unwrap();
    columns.into_iter().collect()
}
