//! The sites API: measuring sites, their streams and the samples of those, as Ayyeka's clients ask for them.
//!
//! Shapes, parameters and error texts are those of the vendor's API description. Where it leaves something open, the
//! choice is this example's and a comment says so. Whose sites a caller sees is decided by who it is; those of others
//! are not found.

mod date;
mod failure;
mod parameters;
mod rows;

use self::{
    failure::Failure,
    parameters::Parameters,
    rows::{Batch, Sample, Site, Stream},
};
use crate::caller::Caller;
use axum::{
    Json, Router,
    extract::{FromRequestParts, RawPathParams},
    http::request::Parts,
    middleware,
    routing::get,
};
use countersign::{Verified, middleware::RequirePermissionLayer};
use sqlx::AnyPool;

pub(crate) use self::rows::seed;

/// Samples in one answer, as documented; whoever asks for more gets so many, and `hasMore`.
const LONGEST_BATCH: i64 = 10_000;
/// Samples in an answer that names no range, as documented.
const LONGEST_LIST: i64 = 100;
/// The earliest date that is documented, in Unix seconds.
const FIRST_DATE: i64 = 946_688_461;

/// The routes of the API, to be put behind a [`VerifyLayer`](countersign::VerifyLayer).
pub(crate) fn sites_routes(pool: AnyPool) -> Router {
    Router::new()
        .route("/v2.0/site", get(all_sites))
        .route("/v2.0/site/{id}", get(site))
        .route("/v2.0/site/{id}/streams", get(streams_of_site))
        .route("/v2.0/stream", get(all_streams))
        .route("/v2.0/stream/{id}", get(stream))
        .route("/v2.0/stream/{id}/sample", get(recent_samples))
        .route("/v2.0/stream/{id}/sample/last", get(last_sample))
        .route("/v2.0/stream/{id}/sample/range", get(samples_of_range))
        .route_layer(middleware::from_fn(failure::shape))
        .route_layer(RequirePermissionLayer::new("sites:read"))
        .with_state(pool)
}

type Answer<T> = Result<Json<T>, Failure>;

async fn all_sites(ask: Ask) -> Answer<Vec<Site>> {
    ask.parameters(&[])?;
    Ok(Json(rows::sites(&ask.pool, &ask.workspace).await?))
}

async fn site(ask: Ask) -> Answer<Site> {
    ask.parameters(&[])?;
    let found = rows::site(&ask.pool, &ask.workspace, ask.id()?).await?;
    found.map(Json).ok_or(Failure::NotFound("Site"))
}

async fn streams_of_site(ask: Ask) -> Answer<Vec<Stream>> {
    ask.parameters(&[])?;
    let id = ask.id()?;
    rows::site(&ask.pool, &ask.workspace, id).await?.ok_or(Failure::NotFound("Stream"))?;
    Ok(Json(rows::streams(&ask.pool, &ask.workspace, Some(id)).await?))
}

async fn all_streams(ask: Ask) -> Answer<Vec<Stream>> {
    ask.parameters(&[])?;
    Ok(Json(rows::streams(&ask.pool, &ask.workspace, None).await?))
}

async fn stream(ask: Ask) -> Answer<Stream> {
    ask.parameters(&[])?;
    ask.stream("Stream").await.map(Json)
}

/// The newest samples, or those from one on, the named one included; oldest first. The order is ours.
async fn recent_samples(ask: Ask) -> Answer<Vec<Sample>> {
    let since = ask.parameters(&["lastSampleId"])?.integer("lastSampleId", 1)?;
    let stream = ask.stream("Sample").await?;
    let found = match since {
        Some(id) => rows::samples_from(&ask.pool, stream.id, id, LONGEST_LIST).await?,
        None => rows::newest_samples(&ask.pool, stream.id, LONGEST_LIST).await?,
    };
    Ok(Json(found))
}

async fn last_sample(ask: Ask) -> Answer<Sample> {
    ask.parameters(&[])?;
    let stream = ask.stream("Sample").await?;
    let found = rows::newest_samples(&ask.pool, stream.id, 1).await?;
    found.into_iter().next().map(Json).ok_or(Failure::NotFound("Sample"))
}

/// Both dates belong to the range; that they do is ours. An offset counts from 1, as documented, and 0 is the first too.
async fn samples_of_range(ask: Ask) -> Answer<Batch> {
    let parameters = ask.parameters(&["fromDate", "toDate", "limit", "offset"])?;
    let from = parameters.required("fromDate", FIRST_DATE)?;
    let to = parameters.required("toDate", FIRST_DATE)?;
    let limit = parameters.integer("limit", 1)?.unwrap_or(LONGEST_BATCH).min(LONGEST_BATCH);
    let skipped = parameters.integer("offset", 0)?.unwrap_or(1).max(1) - 1;
    if from > to {
        return Err(Failure::BadRequest("fromDate is after toDate".to_owned()));
    }
    let stream = ask.stream("Sample").await?;
    Ok(Json(rows::samples_between(&ask.pool, stream.id, from..=to, limit, skipped).await?))
}

/// A request as a handler needs it.
struct Ask {
    pool: AnyPool,
    workspace: String,
    id: Option<String>,
    query: String,
}

impl Ask {
    /// The parameters of the query, of which only these may be there.
    fn parameters(&self, known: &'static [&'static str]) -> Result<Parameters, Failure> {
        Parameters::read(&self.query, known)
    }

    /// The number in the path.
    fn id(&self) -> Result<i64, Failure> {
        parameters::integer("the id in the path", self.id.as_deref().unwrap_or_default(), 1)
    }

    /// The stream in the path. What is said not to be found otherwise differs by route.
    async fn stream(&self, what: &'static str) -> Result<Stream, Failure> {
        let found = rows::stream(&self.pool, &self.workspace, self.id()?).await?;
        found.ok_or(Failure::NotFound(what))
    }
}

impl FromRequestParts<AnyPool> for Ask {
    type Rejection = Failure;

    async fn from_request_parts(head: &mut Parts, pool: &AnyPool) -> Result<Self, Failure> {
        let verified = Verified::from_request_parts(head, pool).await.map_err(|_| Failure::NotGuarded)?;
        let path = RawPathParams::from_request_parts(head, pool).await;
        let path = path.map_err(|error| Failure::BadRequest(error.body_text()))?;
        let id = path.iter().find(|(name, _)| *name == "id").map(|(_, value)| value.to_owned());
        let query = head.uri.query().unwrap_or_default().to_owned();
        Ok(Self { pool: pool.clone(), workspace: Caller::from(&verified).workspace(), id, query })
    }
}
