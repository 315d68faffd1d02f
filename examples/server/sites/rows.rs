//! The tables behind the API, and how their rows are answered. Numbers are text where the API has them as text.

use super::date::rfc3339;
use crate::db::begin_change;
use serde::{Serialize, Serializer};
use sqlx::{AnyConnection, AnyPool};
use std::ops::RangeInclusive;

/// A place where something is measured.
#[derive(Debug, Serialize, sqlx::FromRow)]
pub(super) struct Site {
    id: i64,
    #[serde(serialize_with = "date")]
    creation_date: i64,
    display_name: String,
    status: String,
    longitude: String,
    latitude: String,
    #[serde(serialize_with = "organization", skip_serializing_if = "is_no_number")]
    account_organization_id: String,
}

/// One quantity that is measured at a site.
#[derive(Debug, Serialize, sqlx::FromRow)]
pub(super) struct Stream {
    pub id: i64,
    site_id: i64,
    #[serde(serialize_with = "date")]
    creation_date: i64,
    display_name: String,
    status_id: i64,
    type_id: i64,
    type_display_name: String,
    units: String,
    value_scale: String,
}

/// What was measured at one moment.
#[derive(Debug, Serialize, sqlx::FromRow)]
pub(super) struct Sample {
    id: i64,
    stream_id: i64,
    #[serde(serialize_with = "date")]
    sample_date: i64,
    value: String,
}

/// Samples, and whether there are more of them.
#[derive(Debug, Serialize)]
pub(super) struct Batch {
    #[serde(rename = "hasMore")]
    has_more: bool,
    samples: Vec<Sample>,
}

fn date<S: Serializer>(seconds: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*seconds))
}

/// The API's organizations have numbers; ours have one if it is their name.
fn number(workspace: &str) -> Option<u32> {
    workspace.strip_prefix("organization/")?.parse().ok()
}

fn organization<S: Serializer>(workspace: &str, serializer: S) -> Result<S::Ok, S::Error> {
    number(workspace).serialize(serializer)
}

fn is_no_number(workspace: &str) -> bool {
    number(workspace).is_none()
}

macro_rules! select_site {
    ($rest:literal) => {
        concat!(
            "SELECT id, created_at AS creation_date, name AS display_name, status, longitude, latitude, \
             workspace AS account_organization_id FROM ref_site WHERE workspace = $1",
            $rest
        )
    };
}

macro_rules! select_stream {
    ($rest:literal) => {
        concat!(
            "SELECT ref_stream.id, site_id, ref_stream.created_at AS creation_date, \
             ref_stream.name AS display_name, status_id, type_id, type_name AS type_display_name, units, value_scale \
             FROM ref_stream JOIN ref_site ON ref_site.id = site_id WHERE workspace = $1",
            $rest
        )
    };
}

macro_rules! select_sample {
    ($rest:literal) => {
        concat!(
            "SELECT id, stream_id, sampled_at AS sample_date, value FROM ref_sample WHERE stream_id = $1",
            $rest
        )
    };
}

pub(super) async fn sites(pool: &AnyPool, workspace: &str) -> sqlx::Result<Vec<Site>> {
    sqlx::query_as(select_site!(" ORDER BY id")).bind(workspace).fetch_all(pool).await
}

pub(super) async fn site(pool: &AnyPool, workspace: &str, id: i64) -> sqlx::Result<Option<Site>> {
    sqlx::query_as(select_site!(" AND id = $2")).bind(workspace).bind(id).fetch_optional(pool).await
}

/// The streams of one site, or of all.
pub(super) async fn streams(pool: &AnyPool, workspace: &str, site: Option<i64>) -> sqlx::Result<Vec<Stream>> {
    const SELECT: &str = select_stream!(" AND (site_id = $2 OR $2 = 0) ORDER BY ref_stream.id");
    // Identifiers begin at 1.
    sqlx::query_as(SELECT).bind(workspace).bind(site.unwrap_or(0)).fetch_all(pool).await
}

pub(super) async fn stream(pool: &AnyPool, workspace: &str, id: i64) -> sqlx::Result<Option<Stream>> {
    const SELECT: &str = select_stream!(" AND ref_stream.id = $2");
    sqlx::query_as(SELECT).bind(workspace).bind(id).fetch_optional(pool).await
}

/// The samples from an identifier on.
pub(super) async fn samples_from(
    pool: &AnyPool,
    stream: i64,
    id: i64,
    limit: i64,
) -> sqlx::Result<Vec<Sample>> {
    const SELECT: &str = select_sample!(" AND id >= $2 ORDER BY id LIMIT $3");
    sqlx::query_as(SELECT).bind(stream).bind(id).bind(limit).fetch_all(pool).await
}

/// The samples of the latest dates, oldest first.
pub(super) async fn newest_samples(pool: &AnyPool, stream: i64, limit: i64) -> sqlx::Result<Vec<Sample>> {
    const SELECT: &str = select_sample!(" ORDER BY sampled_at DESC, id DESC LIMIT $2");
    let mut found: Vec<Sample> = sqlx::query_as(SELECT).bind(stream).bind(limit).fetch_all(pool).await?;
    found.reverse();
    Ok(found)
}

/// The samples of a range of dates, oldest first.
pub(super) async fn samples_between(
    pool: &AnyPool,
    stream: i64,
    dates: RangeInclusive<i64>,
    limit: i64,
    skipped: i64,
) -> sqlx::Result<Batch> {
    const SELECT: &str =
        select_sample!(" AND sampled_at BETWEEN $2 AND $3 ORDER BY sampled_at, id LIMIT $4 OFFSET $5");
    let select = sqlx::query_as(SELECT).bind(stream).bind(*dates.start()).bind(*dates.end());
    // The one that is too many tells that there are more.
    let mut samples: Vec<Sample> = select.bind(limit + 1).bind(skipped).fetch_all(pool).await?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = samples.len() > limit;
    samples.truncate(limit);
    Ok(Batch { has_more, samples })
}

/// Gives a workspace a few sites with the samples of a day, unless it has some: the first query shall show something.
pub(crate) async fn seed(pool: &AnyPool, workspace: &str, now: i64) -> sqlx::Result<()> {
    const COUNT: &str = "SELECT count(*) FROM ref_site WHERE workspace = $1";
    let mut db = begin_change(pool).await?;
    if sqlx::query_scalar::<_, i64>(COUNT).bind(workspace).fetch_one(&mut *db).await? == 0 {
        for (name, latitude, longitude) in
            [("Northern reservoir", "60.2055", "24.6559"), ("Harbour pumping station", "60.1587", "24.9214")]
        {
            seed_site(&mut db, workspace, name, [latitude, longitude], now).await?;
        }
    }
    db.commit().await
}

async fn seed_site(
    db: &mut AnyConnection,
    workspace: &str,
    name: &str,
    [latitude, longitude]: [&str; 2],
    now: i64,
) -> sqlx::Result<()> {
    const SITE: &str = "INSERT INTO ref_site (workspace, name, status, latitude, longitude, created_at) \
                        VALUES ($1, $2, 'Active', $3, $4, $5) RETURNING id";
    const STREAM: &str = "INSERT INTO ref_stream \
                          (site_id, name, status_id, type_id, type_name, units, value_scale, created_at) \
                          VALUES ($1, $2, 1, $3, $4, $5, '4', $6) RETURNING id";
    const SAMPLE: &str = "INSERT INTO ref_sample (stream_id, sampled_at, value) VALUES ($1, $2, $3)";
    let site = sqlx::query_scalar::<_, i64>(SITE).bind(workspace).bind(name).bind(latitude);
    let site = site.bind(longitude).bind(now).fetch_one(&mut *db).await?;
    for (kind, (type_name, units)) in (13_i64..).zip([("Pressure", "bar"), ("Flow", "m³/h")]) {
        let stream = sqlx::query_scalar::<_, i64>(STREAM).bind(site).bind(format!("{type_name} measurement"));
        let stream = stream.bind(kind).bind(type_name).bind(units).bind(now);
        let stream = stream.fetch_one(&mut *db).await?;
        for quarter in 0..96_i64 {
            let value = format!("{}.{:04}", 3 + quarter % 7, quarter * 97 % 10_000);
            let sample = sqlx::query(SAMPLE).bind(stream).bind(now - (95 - quarter) * 900).bind(value);
            sample.execute(&mut *db).await?;
        }
    }
    Ok(())
}
