//! A connection of a store's own, beside those of its pool: what is asked for behind a cache does not wait for what an
//! application does with the pool, and there is one question at a time.

use super::in_time;
use crate::store::StoreError;
use sqlx::Connection;
use std::fmt;
use tokio::sync::{Mutex, MutexGuard};

/// The place of the connection.
pub(in crate::store) struct Line<C>(Mutex<Option<C>>);

/// The connection, while it is used. It is gone unless it is [handed back](Self::keep): one that has failed, or that
/// somebody no longer waits for, may be in the middle of an answer.
pub(in crate::store) struct Held<'a, C> {
    place: MutexGuard<'a, Option<C>>,
    pub(in crate::store) connection: C,
    /// Whether it was made just now. If not, it may have been dead without a sign of it.
    pub(in crate::store) is_new: bool,
}

impl<C> Line<C> {
    pub(in crate::store) fn new() -> Self {
        Self(Mutex::new(None))
    }
}

impl<C: Connection> Line<C> {
    pub(in crate::store) async fn take(
        &self,
        options: &<C as Connection>::Options,
    ) -> Result<Held<'_, C>, StoreError> {
        let mut place = self.0.lock().await;
        if let Some(connection) = place.take() {
            return Ok(Held { place, connection, is_new: false });
        }
        let made = async { C::connect_with(options).await.map_err(StoreError::new) };
        Ok(Held { connection: in_time(made).await?, place, is_new: true })
    }
}

impl<C> Held<'_, C> {
    pub(in crate::store) fn keep(self) {
        let Self { mut place, connection, .. } = self;
        *place = Some(connection);
    }
}

impl<C> fmt::Debug for Line<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Line(..)")
    }
}

/// Asks on a store's own connection, and on a new one if an old one fails.
macro_rules! on_line {
    ($store:expr, |$connection:ident| $ask:expr) => {
        loop {
            let mut held = $store.line.take($store.pool.connect_options().as_ref()).await?;
            let $connection = &mut held.connection;
            let asked = async { $ask.await.map_err(StoreError::new) };
            match in_time(asked).await {
                Ok(answer) => {
                    held.keep();
                    break Ok::<_, StoreError>(answer);
                }
                Err(error) if held.is_new => break Err(error),
                Err(_) => {}
            }
        }
    };
}

pub(in crate::store) use on_line;
