//! The routes: the token endpoint, and the API behind its tokens.

use super::{
    AyyekaMock,
    fleet::{Fleet, Of},
    request_id, seconds,
};
use crate::{
    clock::Clock as _,
    jwt::Profile,
    middleware::{MessageErrors, VerifyLayer},
    mock::{
        provider::{Kit, lock},
        received::Denied,
    },
    oauth2::{JwksEndpoint, TokenEndpoint},
    verify::BearerVerifier,
};
use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{FromRequestParts, RawPathParams, Request, State},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::{Method, StatusCode, Uri, request::Parts};
use serde_json::{Value, json};
use std::{collections::HashMap, sync::Arc};

/// Samples in an answer that names no range, as documented.
const LONGEST_LIST: usize = 100;
/// The earliest date that is documented, in Unix seconds.
const FIRST_DATE: i64 = 946_688_461;

pub(super) fn routes(mock: &Arc<AyyekaMock>, kit: &Kit) -> Router {
    let tokens = TokenEndpoint::new(kit.keys(), profile()).with_clock(kit.clock());
    let tokens = Router::new()
        .route_service("/auth/token", tokens)
        .route_service("/.well-known/jwks.json", JwksEndpoint::new(kit.keys()).with_clock(kit.clock()))
        .route_layer(from_fn(say_why_denied))
        .route_layer(from_fn_with_state(Arc::clone(mock), with_signing_key));
    let health =
        Router::new().route("/health", get(|| async { "OK" })).route("/v2.0/health", get(|| async { "OK" }));
    let verifier = BearerVerifier::new(kit.keys(), profile()).with_clock(kit.clock()).goa_style();
    let layer = VerifyLayer::new(verifier).with_rejection(MessageErrors::default());
    kit.guard::<AyyekaMock>(api(mock), layer)
        .merge(kit.open::<AyyekaMock>(tokens.merge(health)))
        .fallback(|method: Method, uri: Uri| async move { Failure::NoRoute(method, uri).into_response() })
}

fn profile() -> Profile {
    Profile::new("Cloud", "2091")
}

fn api(mock: &Arc<AyyekaMock>) -> Router {
    Router::new()
        .route("/v2.0/site", get(sites))
        .route("/v2.0/site/{id}", get(site))
        .route("/v2.0/site/{id}/streams", get(streams_of_site))
        .route("/v2.0/site/{id}/sample", get(samples_of_site))
        .route("/v2.0/site/{id}/sample/batch", get(batch_of_site))
        .route("/v2.0/stream", get(streams))
        .route("/v2.0/stream/{id}", get(stream))
        .route("/v2.0/stream/{id}/sample", get(samples_of_stream))
        .route("/v2.0/stream/{id}/sample/last", get(last_sample))
        .route("/v2.0/stream/{id}/sample/range", get(samples_of_range))
        .route("/v2.0/stream/{id}/sample/batch", get(batch_of_stream))
        .route("/v2.0/sample/batch", get(new_samples))
        .route("/v2.0/sample/batch/status", get(last_delivered))
        .route("/v2.0/sample/batch/ack", post(acknowledge))
        .route("/v2.0/sample/batch/backfill", post(backfill))
        .method_not_allowed_fallback(|method: Method, uri: Uri| async move { Failure::NoRoute(method, uri) })
        .with_state(Arc::clone(mock))
}

/// Before the token endpoint: there is a key to sign with. If not, the endpoint says that it cannot be done now.
async fn with_signing_key(State(mock): State<Arc<AyyekaMock>>, request: Request, next: Next) -> Response {
    if let Err(error) = mock.make_signing_key().await {
        tracing::error!(%error, "the mock has no key to sign tokens with");
    }
    next.run(request).await
}

/// Behind the token endpoint: what it refuses is told to the test.
async fn say_why_denied(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    if response.status() == StatusCode::OK {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
    let why = format!("{}: {}", text("error"), text("error_description"));
    head.extensions.insert(Denied(format!("{why} Take key and secret from this mock's credential")));
    Response::from_parts(head, Body::from(body))
}

type Answer = Result<Json<Value>, Failure>;

async fn sites(ask: Ask) -> Answer {
    ask.answer(|fleet| Ok(fleet.sites().iter().map(|site| site.show()).collect()))
}

async fn site(ask: Ask) -> Answer {
    let id = ask.id()?;
    ask.answer(|fleet| fleet.site(id).map(|site| site.show()).ok_or(Failure::NotFound("Site")))
}

async fn streams_of_site(ask: Ask) -> Answer {
    let id = ask.id()?;
    ask.answer(|fleet| {
        fleet.site(id).ok_or(Failure::NotFound("Stream"))?;
        Ok(fleet.streams(Some(id)).map(|stream| stream.show()).collect())
    })
}

async fn streams(ask: Ask) -> Answer {
    ask.answer(|fleet| Ok(fleet.streams(None).map(|stream| stream.show()).collect()))
}

async fn stream(ask: Ask) -> Answer {
    let id = ask.id()?;
    ask.answer(|fleet| fleet.stream(id).map(|stream| stream.show()).ok_or(Failure::NotFound("Stream")))
}

async fn samples_of_site(ask: Ask) -> Answer {
    let of = Of::Site(ask.id()?);
    recent(&ask, of)
}

async fn samples_of_stream(ask: Ask) -> Answer {
    let of = Of::Stream(ask.id()?);
    recent(&ask, of)
}

/// The newest samples, or those from one on, the named one included; oldest first. The order is ours. `fromDate` is not
/// in the description, but a public client sends it.
fn recent(ask: &Ask, of: Of) -> Answer {
    let since = ask.integer("lastSampleId", 1)?;
    let from = ask.integer("fromDate", 0)?;
    ask.answer(|fleet| {
        exists(fleet, of)?;
        let wanted = fleet.samples(of).filter(|sample| from.is_none_or(|from| sample.at >= from));
        let found: Vec<_> = match since {
            Some(id) => wanted.filter(|sample| sample.id >= id).take(LONGEST_LIST).collect(),
            None => {
                let mut newest: Vec<_> = wanted.rev().take(LONGEST_LIST).collect();
                newest.reverse();
                newest
            }
        };
        Ok(found.into_iter().map(|sample| sample.show()).collect())
    })
}

async fn last_sample(ask: Ask) -> Answer {
    let id = ask.id()?;
    ask.answer(|fleet| {
        let last = fleet.samples(Of::Stream(id)).max_by_key(|sample| (sample.at, sample.id));
        last.map(|sample| sample.show()).ok_or(Failure::NotFound("Sample"))
    })
}

/// Both dates belong to the range; that they do is ours. An offset counts from 1, as documented, and 0 is the first too.
async fn samples_of_range(ask: Ask) -> Answer {
    let id = ask.id()?;
    let range = ask.required("fromDate")?..=ask.required("toDate")?;
    if range.is_empty() {
        return Err(Failure::BadRequest("fromDate is after toDate".to_owned()));
    }
    let limit = size(ask.integer("limit", 1)?.unwrap_or(i64::MAX));
    let skipped = size(ask.integer("offset", 0)?.unwrap_or(1).max(1) - 1);
    ask.answer(|fleet| {
        exists(fleet, Of::Stream(id))?;
        let found = fleet.samples(Of::Stream(id)).filter(|sample| range.contains(&sample.at)).skip(skipped);
        Ok(fleet.batch(found, limit).show())
    })
}

async fn batch_of_site(ask: Ask) -> Answer {
    let of = Of::Site(ask.id()?);
    batch(&ask, of)
}

async fn batch_of_stream(ask: Ask) -> Answer {
    let of = Of::Stream(ask.id()?);
    batch(&ask, of)
}

fn batch(ask: &Ask, of: Of) -> Answer {
    let from = ask.required("sampleDate")?;
    ask.answer(|fleet| {
        exists(fleet, of)?;
        Ok(fleet.batch(fleet.samples(of).filter(|sample| sample.at >= from), usize::MAX).show())
    })
}

/// What a client has not received yet. Unless it says that it will acknowledge (the default), it is taken to have
/// received what this answer holds.
async fn new_samples(ask: Ask) -> Answer {
    let will_acknowledge = ask.flag("enableAck")?.unwrap_or(true);
    let after = ask.integer("sampleID", 0)?;
    let hours = ask.integer("backfillHours", 0)?;
    let from = hours.map(|hours| ask.now().saturating_sub(hours.saturating_mul(3600)));
    ask.answer(|fleet| {
        // A date says where to begin anew, whatever was received.
        let after = after.unwrap_or_else(|| if from.is_some() { 0 } else { fleet.acknowledged() });
        let new = fleet.samples(Of::All).filter(|sample| sample.id > after);
        let batch = fleet.batch(new.filter(|sample| from.is_none_or(|from| sample.at >= from)), usize::MAX);
        if let Some(last) = batch.samples.last().filter(|_| !will_acknowledge) {
            fleet.acknowledge(last.id);
        }
        Ok(batch.show())
    })
}

async fn last_delivered(ask: Ask) -> Answer {
    ask.answer(|fleet| {
        let last = fleet.acknowledged();
        let found = fleet.samples(Of::All).find(|sample| sample.id == last);
        found.map(|sample| sample.show()).ok_or(Failure::NotFound("Sample"))
    })
}

async fn acknowledge(ask: Ask) -> Result<StatusCode, Failure> {
    let sample = ask.integer("sampleId", 0)?.ok_or_else(|| missing("sampleId"))?;
    lock(&ask.mock.fleet).acknowledge(sample);
    Ok(StatusCode::NO_CONTENT)
}

/// The next batch begins at this date.
async fn backfill(ask: Ask) -> Result<StatusCode, Failure> {
    let from = ask.required("sampleDate")?;
    let mut fleet = lock(&ask.mock.fleet);
    let before = fleet.samples(Of::All).filter(|sample| sample.at < from).map(|sample| sample.id).max();
    fleet.acknowledge(before.unwrap_or(0));
    Ok(StatusCode::NO_CONTENT)
}

fn exists(fleet: &Fleet, of: Of) -> Result<(), Failure> {
    let found = match of {
        Of::Site(id) => fleet.site(id).is_some(),
        Of::Stream(id) => fleet.stream(id).is_some(),
        Of::All => true,
    };
    if found { Ok(()) } else { Err(Failure::NotFound("Sample")) }
}

fn size(number: i64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn missing(name: &str) -> Failure {
    Failure::BadRequest(format!("{name} is missing"))
}

/// A request as a handler needs it.
struct Ask {
    mock: Arc<AyyekaMock>,
    id: Option<String>,
    query: HashMap<String, String>,
}

impl FromRequestParts<Arc<AyyekaMock>> for Ask {
    type Rejection = Failure;

    async fn from_request_parts(head: &mut Parts, mock: &Arc<AyyekaMock>) -> Result<Self, Failure> {
        let path = RawPathParams::from_request_parts(head, mock).await;
        let path = path.map_err(|error| Failure::BadRequest(error.body_text()))?;
        let id = path.iter().find(|(name, _)| *name == "id").map(|(_, value)| value.to_owned());
        // Names and numbers: nothing here is ever escaped.
        let pairs = head.uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
        let query = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok(Self { mock: Arc::clone(mock), id, query })
    }
}

impl Ask {
    fn answer(&self, look: impl FnOnce(&mut Fleet) -> Result<Value, Failure>) -> Answer {
        look(&mut lock(&self.mock.fleet)).map(Json)
    }

    fn now(&self) -> i64 {
        seconds(self.mock.clock.now())
    }

    /// The number in the path.
    fn id(&self) -> Result<i64, Failure> {
        number("the id in the path", self.id.as_deref().unwrap_or_default(), 1)
    }

    /// A whole number that is not below `least`.
    fn integer(&self, name: &str, least: i64) -> Result<Option<i64>, Failure> {
        self.query.get(name).map(|value| number(name, value, least)).transpose()
    }

    /// A date that must be there, in Unix seconds.
    fn required(&self, name: &str) -> Result<i64, Failure> {
        self.integer(name, FIRST_DATE)?.ok_or_else(|| missing(name))
    }

    /// True or false; Python writes them with a capital.
    fn flag(&self, name: &str) -> Result<Option<bool>, Failure> {
        let value = self.query.get(name).map(|value| value.to_ascii_lowercase());
        match value.as_deref() {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(_) => Err(Failure::BadRequest(format!("{name} must be true or false"))),
        }
    }
}

fn number(name: &str, value: &str, least: i64) -> Result<i64, Failure> {
    let number = value.parse::<i64>().ok().filter(|number| *number >= least);
    number.ok_or_else(|| Failure::BadRequest(format!("{name} must be a whole number of {least} or more")))
}

/// What is answered when there is nothing to show, in the documented words and shape.
#[derive(Debug)]
enum Failure {
    BadRequest(String),
    NotFound(&'static str),
    NoRoute(Method, Uri),
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, message) = match self {
            Self::BadRequest(why) => (StatusCode::BAD_REQUEST, format!("Bad request: {why}")),
            Self::NotFound(what) => (StatusCode::NOT_FOUND, format!("{what} not found")),
            Self::NoRoute(method, uri) => {
                (StatusCode::NOT_FOUND, format!("{method} {} not found", uri.path()))
            }
        };
        (status, Json(json!({ "message": message, "request_id": request_id() }))).into_response()
    }
}
