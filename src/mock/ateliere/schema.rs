//! The schema of the mock: a small catalogue of titles for each organization. Ours, since the real one is not public.

use crate::{
    clock::Clock as _,
    mock::{graphql::Caller, keys::MockClock, provider::lock},
};
use async_graphql::{
    Context, EmptySubscription, Error, ID, InputObject, Object, Result, Schema, SimpleObject,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::UNIX_EPOCH,
};

/// Items of a list, unless the query says otherwise.
const DEFAULT_ITEMS: i32 = 20;

/// All titles, and the number of the last that was made.
#[derive(Default, Deserialize, Serialize)]
pub(super) struct Catalogue {
    last: u64,
    titles: BTreeMap<String, Vec<Title>>,
}

/// A film or a programme.
#[derive(Clone, Deserialize, Serialize, SimpleObject)]
#[serde(rename_all = "camelCase")]
struct Title {
    id: ID,
    name: String,
    synopsis: String,
    release_year: Option<i32>,
    /// When it was created or last changed, in milliseconds since the Unix epoch.
    updated_at: f64,
}

/// A title to be created.
#[derive(InputObject)]
struct NewTitle {
    name: String,
    #[graphql(default)]
    synopsis: String,
    release_year: Option<i32>,
}

/// What to change about a title; what is left out or null stays.
#[derive(InputObject)]
struct TitleChanges {
    name: Option<String>,
    synopsis: Option<String>,
    release_year: Option<i32>,
}

type Shared = Arc<Mutex<Catalogue>>;

pub(super) fn build(catalogue: Shared, clock: MockClock) -> Schema<Query, Mutation, EmptySubscription> {
    Schema::build(Query, Mutation, EmptySubscription).data(catalogue).data(clock).finish()
}

pub(super) fn state(catalogue: &Shared) -> Value {
    serde_json::to_value(&*lock(catalogue)).unwrap_or_default()
}

pub(super) fn restore(catalogue: &Shared, state: Value) -> Result<(), serde_json::Error> {
    *lock(catalogue) = serde_json::from_value(state)?;
    Ok(())
}

/// Everything that can be read.
pub(super) struct Query;

#[Object]
impl Query {
    /// Who is calling, as the signature proved.
    async fn me(&self, context: &Context<'_>) -> Result<Me> {
        let caller = context.data::<Caller>()?.0.as_ref().ok_or("nobody calls")?;
        Ok(Me { key_id: caller.key_id().to_string(), organization: organization(context)? })
    }

    /// The titles of the caller's organization, in the order of their names.
    async fn titles(
        &self,
        context: &Context<'_>,
        #[graphql(validator(minimum = 1, maximum = 100))] limit: Option<i32>,
        #[graphql(validator(minimum = 0))] offset: Option<i32>,
    ) -> Result<Vec<Title>> {
        let mut titles = with_titles(context, |_, titles| titles.clone())?;
        titles.sort_by(|a, b| (&a.name, a.id.as_str()).cmp(&(&b.name, b.id.as_str())));
        let size = |number: i32| usize::try_from(number).unwrap_or_default();
        let limit = size(limit.unwrap_or(DEFAULT_ITEMS));
        Ok(titles.into_iter().skip(size(offset.unwrap_or_default())).take(limit).collect())
    }

    /// One title; null if the caller's organization has none of this identifier.
    async fn title(&self, context: &Context<'_>, id: ID) -> Result<Option<Title>> {
        with_titles(context, |_, titles| titles.iter().find(|title| title.id == id).cloned())
    }
}

#[derive(SimpleObject)]
struct Me {
    key_id: String,
    organization: String,
}

/// Everything that can be changed.
pub(super) struct Mutation;

#[Object]
impl Mutation {
    /// Creates a title.
    async fn create_title(&self, context: &Context<'_>, title: NewTitle) -> Result<Title> {
        let updated_at = now(context)?;
        with_titles(context, |last, titles| {
            *last += 1;
            let NewTitle { name, synopsis, release_year } = title;
            let title = Title { id: ID::from(*last), name, synopsis, release_year, updated_at };
            titles.push(title.clone());
            title
        })
    }

    /// Changes a title.
    async fn update_title(&self, context: &Context<'_>, id: ID, changes: TitleChanges) -> Result<Title> {
        let updated_at = now(context)?;
        let updated = with_titles(context, |_, titles| {
            let title = titles.iter_mut().find(|title| title.id == id)?;
            let TitleChanges { name, synopsis, release_year } = changes;
            let old = title.clone();
            *title = Title {
                id,
                name: name.unwrap_or(old.name),
                synopsis: synopsis.unwrap_or(old.synopsis),
                release_year: release_year.or(old.release_year),
                updated_at,
            };
            Some(title.clone())
        })?;
        updated.ok_or_else(|| Error::new("there is no such title"))
    }

    /// Deletes a title; false if there was none.
    async fn delete_title(&self, context: &Context<'_>, id: ID) -> Result<bool> {
        with_titles(context, |_, titles| {
            let before = titles.len();
            titles.retain(|title| title.id != id);
            titles.len() < before
        })
    }
}

fn organization(context: &Context<'_>) -> Result<String> {
    let caller = context.data::<Caller>()?.0.as_ref();
    let organization = caller.and_then(|caller| caller.organization());
    organization.map(ToString::to_string).ok_or_else(|| Error::new("the request is for no organization"))
}

fn now(context: &Context<'_>) -> Result<f64> {
    let now = context.data::<MockClock>()?.now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok((now.as_secs_f64() * 1000.0).floor())
}

/// The caller's titles, and the number of the last title of all.
fn with_titles<T>(context: &Context<'_>, look: impl FnOnce(&mut u64, &mut Vec<Title>) -> T) -> Result<T> {
    let organization = organization(context)?;
    let mut catalogue = lock(context.data::<Shared>()?);
    let Catalogue { last, titles } = &mut *catalogue;
    Ok(look(last, titles.entry(organization).or_default()))
}
