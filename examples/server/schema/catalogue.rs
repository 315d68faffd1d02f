//! A small media catalogue: titles, as a client of Ateliere Connect would list, create and change them.

use super::{DEFAULT_ITEMS, Milliseconds, internal, list_cost, now, tenant};
use async_graphql::{Context, Error, ID, InputObject, Object, Result};
use uuid::Uuid;

const COLUMNS_OF_ONE: &str = "SELECT id, name, synopsis, release_year, updated_at FROM ref_title \
                              WHERE organization = $1 AND id = $2";
const COLUMNS_OF_MANY: &str = "SELECT id, name, synopsis, release_year, updated_at FROM ref_title \
                               WHERE organization = $1 ORDER BY name, id LIMIT $2 OFFSET $3";

#[derive(sqlx::FromRow)]
struct Title {
    id: String,
    name: String,
    synopsis: String,
    release_year: Option<i32>,
    updated_at: i64,
}

/// A film or a programme.
#[Object]
impl Title {
    async fn id(&self) -> ID {
        ID::from(&self.id)
    }

    async fn name(&self) -> &str {
        &self.name
    }

    async fn synopsis(&self) -> &str {
        &self.synopsis
    }

    async fn release_year(&self) -> Option<i32> {
        self.release_year
    }

    /// When it was created or last changed.
    async fn updated_at(&self) -> Milliseconds {
        Milliseconds(self.updated_at)
    }
}

/// A title to be created.
#[derive(InputObject)]
struct NewTitle {
    #[graphql(validator(min_length = 1, max_length = 200))]
    name: String,
    #[graphql(default, validator(max_length = 4000))]
    synopsis: String,
    release_year: Option<i32>,
}

/// What to change about a title; what is left out or null stays.
#[derive(InputObject)]
struct TitleChanges {
    #[graphql(validator(min_length = 1, max_length = 200))]
    name: Option<String>,
    #[graphql(validator(max_length = 4000))]
    synopsis: Option<String>,
    release_year: Option<i32>,
}

#[derive(Default)]
pub(super) struct CatalogueQuery;

#[Object]
impl CatalogueQuery {
    /// The titles of the caller's organization, in the order of their names.
    #[graphql(complexity = "list_cost(child_complexity)")]
    async fn titles(
        &self,
        context: &Context<'_>,
        #[graphql(validator(minimum = 1, maximum = 100))] limit: Option<i32>,
        #[graphql(validator(minimum = 0))] offset: Option<i32>,
    ) -> Result<Vec<Title>> {
        let (pool, organization) = tenant(context, "titles:read")?;
        let select = sqlx::query_as(COLUMNS_OF_MANY)
            .bind(organization)
            .bind(limit.unwrap_or(DEFAULT_ITEMS))
            .bind(offset.unwrap_or_default());
        select.fetch_all(pool).await.map_err(internal)
    }

    /// One title; null if the caller's organization has none of this identifier.
    async fn title(&self, context: &Context<'_>, id: ID) -> Result<Option<Title>> {
        find(context, &id).await
    }
}

#[derive(Default)]
pub(super) struct CatalogueMutation;

#[Object]
impl CatalogueMutation {
    /// Creates a title.
    async fn create_title(&self, context: &Context<'_>, title: NewTitle) -> Result<Title> {
        const INSERT: &str = "INSERT INTO ref_title (organization, id, name, synopsis, release_year, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6) RETURNING id, name, synopsis, release_year, updated_at";
        let (pool, organization) = tenant(context, "titles:write")?;
        let insert = sqlx::query_as(INSERT).bind(organization).bind(Uuid::new_v4().to_string());
        let insert = insert.bind(title.name).bind(title.synopsis).bind(title.release_year);
        insert.bind(now(context)?.0).fetch_one(pool).await.map_err(internal)
    }

    /// Changes a title.
    async fn update_title(&self, context: &Context<'_>, id: ID, changes: TitleChanges) -> Result<Title> {
        const UPDATE: &str = "UPDATE ref_title SET name = coalesce($3, name), synopsis = coalesce($4, synopsis), \
             release_year = coalesce($5, release_year), updated_at = $6 \
             WHERE organization = $1 AND id = $2 RETURNING id, name, synopsis, release_year, updated_at";
        let (pool, organization) = tenant(context, "titles:write")?;
        let update = sqlx::query_as(UPDATE).bind(organization).bind(id.as_str());
        let update = update.bind(changes.name).bind(changes.synopsis).bind(changes.release_year);
        let updated = update.bind(now(context)?.0).fetch_optional(pool).await.map_err(internal)?;
        updated.ok_or_else(|| Error::new("there is no such title"))
    }

    /// Deletes a title; false if there was none.
    async fn delete_title(&self, context: &Context<'_>, id: ID) -> Result<bool> {
        const DELETE: &str = "DELETE FROM ref_title WHERE organization = $1 AND id = $2";
        let (pool, organization) = tenant(context, "titles:write")?;
        let delete = sqlx::query(DELETE).bind(organization).bind(id.as_str());
        Ok(delete.execute(pool).await.map_err(internal)?.rows_affected() > 0)
    }
}

async fn find(context: &Context<'_>, id: &ID) -> Result<Option<Title>> {
    let (pool, organization) = tenant(context, "titles:read")?;
    let select = sqlx::query_as(COLUMNS_OF_ONE).bind(organization).bind(id.as_str());
    select.fetch_optional(pool).await.map_err(internal)
}
