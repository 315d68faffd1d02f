//! All tests, over a database file.

#![expect(clippy::duplicate_mod, reason = "the same tests, over another engine")]

#[path = "../graphql.rs"]
mod graphql;
#[path = "../ops/mod.rs"]
mod ops;
#[path = "../routes.rs"]
mod routes;
#[path = "../sites.rs"]
mod sites;
#[path = "../tables.rs"]
mod tables;

use super::*;

type Database = super::Database<TempDir>;
