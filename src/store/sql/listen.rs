//! Hears over a Postgres connection of its own what changes, for as long as it can be sure to.
//!
//! The connection is dropped at the first doubt, and not used again: sqlx would make it anew by itself, and what was told
//! in between would be missing without a sign.

use super::in_time;
use crate::{
    metrics,
    store::{Changes, PostgresKeyStore, StoreError},
};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use std::{collections::VecDeque, convert::Infallible, error::Error, fmt, time::Duration};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

/// Between two messages to oneself …
const HEARTBEAT: Duration = Duration::from_secs(1);
/// … and how long none of them may arrive.
const LONGEST_SILENCE: Duration = Duration::from_secs(3);

/// Hears what changes until something goes wrong; `options` say where.
pub(in crate::store) async fn listen(
    store: &PostgresKeyStore,
    options: &PgConnectOptions,
    changes: &Changes,
) -> Result<Infallible, StoreError> {
    let channel = store.channel().await?;
    let mut listener = in_time(attach(options, &channel)).await?;
    let myself = format!("heartbeat\u{1f}{}", store.random_name());
    let (mut heard, mut begun) = (Instant::now(), false);
    let mut sent = VecDeque::new();
    let mut beats = interval(HEARTBEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            received = listener.try_recv() => {
                let received = received.map_err(StoreError::new)?;
                let message = received.ok_or_else(|| StoreError::new(Doubt::Lost))?;
                match message.payload() {
                    mine if mine == myself => {
                        if !begun {
                            // Whoever takes a number from here on is heard; whoever took one before has changed what
                            // is forgotten now.
                            changes.begin(store.newest_barrier().await?);
                            begun = true;
                        }
                        heard = Instant::now();
                        changes.confirm();
                        // It has taken the way that changes take.
                        if let Some(sent) = sent.pop_front() {
                            metrics::invalidation(sent);
                        }
                    }
                    others if others.starts_with("heartbeat") => {}
                    what => changes.tell(what),
                }
            }
            _ = beats.tick() => {
                if heard.elapsed() > LONGEST_SILENCE {
                    return Err(StoreError::new(Doubt::Silence));
                }
                // Over the way that changes take to the database: a listener that hears nothing of it is of no use.
                sent.push_back(metrics::Watch::start());
                in_time(store.notify(&channel, &myself)).await?;
            }
        }
    }
}

/// Sends itself one message, and waits for it.
pub(in crate::store) async fn hear_oneself(
    store: &PostgresKeyStore,
    options: &PgConnectOptions,
) -> Result<(), StoreError> {
    let channel = store.channel().await?;
    let mut listener = in_time(attach(options, &channel)).await?;
    let myself = format!("heartbeat\u{1f}{}", store.random_name());
    in_time(store.notify(&channel, &myself)).await?;
    let heard = async {
        while listener.recv().await.map_err(StoreError::new)?.payload() != myself {}
        Ok(())
    };
    timeout(LONGEST_SILENCE, heard).await.map_err(|_| StoreError::new(Doubt::Silence))?
}

/// Makes the connection, in a pool of one: a listener takes no other.
async fn attach(options: &PgConnectOptions, channel: &str) -> Result<PgListener, StoreError> {
    let pool: PgPool = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_with(options.clone())
        .await
        .map_err(StoreError::new)?;
    let mut listener = PgListener::connect_with(&pool).await.map_err(StoreError::new)?;
    listener.listen(channel).await.map_err(StoreError::new)?;
    Ok(listener)
}

/// Why a listener is no longer relied on.
#[derive(Debug)]
enum Doubt {
    Lost,
    Silence,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lost => "the listening connection was lost",
            Self::Silence => {
                "nothing is heard on the listening connection: if there is a pooler, name the server itself for \
                 listening"
            }
        })
    }
}

impl Error for Doubt {}
