//! Reads from a SQLite database what has changed in it, soon after it has.

use super::in_time;
use crate::{
    metrics,
    store::{Changes, SqliteKeyStore, StoreError},
};
use sqlx::{ConnectOptions as _, SqliteConnection};
use std::{convert::Infallible, time::Duration};
use tokio::time::{MissedTickBehavior, interval};

/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(250);

/// Reads what changes until something goes wrong.
pub(in crate::store) async fn poll(
    store: &SqliteKeyStore,
    changes: &Changes,
) -> Result<Infallible, StoreError> {
    let options = store.pool().connect_options();
    let opened = async { options.connect().await.map_err(StoreError::new) };
    let mut connection = in_time(opened).await?;
    let mut version = data_version(&mut connection).await?;
    let mut last = newest(&mut connection).await?;
    changes.begin(last);
    changes.confirm();
    let mut looks = interval(INTERVAL);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = metrics::Watch::start();
    loop {
        looks.tick().await;
        let look = metrics::Watch::start();
        let seen = data_version(&mut connection).await?;
        if seen != version {
            last = in_time(read(&mut connection, last, changes)).await?;
            version = seen;
            // At the look before, it was not committed yet.
            metrics::invalidation(before);
        }
        before = look;
    }
}

/// A number that is another one once another connection has committed something.
async fn data_version(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    let asked = sqlx::query_scalar("PRAGMA data_version").fetch_one(connection);
    in_time(async { asked.await.map_err(StoreError::new) }).await
}

async fn newest(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    let asked = sqlx::query_scalar("SELECT coalesce(max(seq), 0) FROM changes").fetch_one(connection);
    in_time(async { asked.await.map_err(StoreError::new) }).await
}

/// Tells what was written down after `last`, and answers with the number of the last of it.
async fn read(connection: &mut SqliteConnection, last: i64, changes: &Changes) -> Result<i64, StoreError> {
    let rows: Vec<(i64, String)> =
        sqlx::query_as("SELECT seq, what FROM changes WHERE seq > $1 ORDER BY seq")
            .bind(last)
            .fetch_all(&mut *connection)
            .await
            .map_err(StoreError::new)?;
    // A backup that was copied back has fewer.
    if rows.is_empty() && newest(connection).await? < last {
        let last = newest(connection).await?;
        changes.begin(last);
        return Ok(last);
    }
    let mut expected = last + 1;
    for (seq, what) in rows {
        if seq != expected {
            changes.forget_all();
        }
        match &*what {
            "barrier" => changes.reach(seq),
            what => changes.tell(what),
        }
        expected = seq + 1;
    }
    Ok(expected - 1)
}
