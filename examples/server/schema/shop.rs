//! Items for sale, in the shape that a public client of SalesCloud asks for.

use super::{MAX_ITEMS, internal, list_cost, tenant};
use async_graphql::{Context, Error, ID, Object, Result, SimpleObject};

/// An item for sale.
#[derive(SimpleObject)]
struct Item {
    id: ID,
    title: String,
    images: Vec<Image>,
}

#[derive(SimpleObject)]
struct Image {
    file: File,
}

#[derive(SimpleObject)]
struct File {
    sources: Sources,
}

/// Where to get the file, by rendition.
#[derive(SimpleObject)]
struct Sources {
    original: String,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    title: String,
    original: Option<String>,
}

#[derive(Default)]
pub(super) struct ShopQuery;

#[Object]
impl ShopQuery {
    /// The items of an organization, which can only be the caller's.
    ///
    /// SalesCloud answers this query to anyone, for any organization; this server answers no request without
    /// credentials, and keeps organizations apart.
    #[graphql(complexity = "list_cost(child_complexity)")]
    async fn items_list(&self, context: &Context<'_>, organization: Option<ID>) -> Result<Vec<Item>> {
        const SELECT: &str = "SELECT item.id, item.title, image.original \
                              FROM (SELECT * FROM ref_item WHERE organization = $1 ORDER BY title, id LIMIT $2) item \
                              LEFT JOIN ref_item_image image \
                              ON image.organization = item.organization AND image.item = item.id \
                              ORDER BY item.title, item.id, image.position";
        let (pool, own) = tenant(context, "items:read")?;
        if organization.is_some_and(|named| named.as_str() != own) {
            return Err(Error::new("the request does not act for this organization"));
        }
        let select = sqlx::query_as::<_, Row>(SELECT).bind(own).bind(i64::from(MAX_ITEMS));
        Ok(gather(select.fetch_all(pool).await.map_err(internal)?))
    }
}

/// Rows are ordered by item, one for each image.
fn gather(rows: Vec<Row>) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    for Row { id, title, original } in rows {
        let image = original.map(|original| Image { file: File { sources: Sources { original } } });
        match items.last_mut() {
            Some(item) if item.id.as_str() == id => item.images.extend(image),
            _ => items.push(Item { id: ID(id), title, images: image.into_iter().collect() }),
        }
    }
    items
}
