//! Loads what is not asked for yet.

use super::{CachingKeyStore, Loaded, Shared, Source, Wanted};
use crate::{metrics, store::StoreError};
use std::sync::Arc;
use tokio::task::JoinHandle;

/// Credentials that are loaded in one page.
pub(super) const PAGE: u32 = 5_000;

/// A page on its way, and the flight that it is.
type Coming = (u64, JoinHandle<Result<Vec<(Wanted, Loaded)>, StoreError>>);

impl<S: Source> CachingKeyStore<S> {
    /// Loads the credentials before they are asked for, as many as [`CacheLimits::entries`](super::CacheLimits::entries)
    /// allows, and tells `progress` how many there are so far. A record that nobody uses is dropped at the end of its
    /// time like any other.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be asked.
    pub async fn preload(&self, mut progress: impl FnMut(usize)) -> Result<usize, StoreError> {
        let Shared { loader, entries, limits, .. } = &*self.shared;
        let mut count = 0;
        let mut coming = Some(self.begin_page(None));
        while let Some((flight, page)) = coming.take() {
            let page = page.await.map_err(StoreError::new).flatten();
            let (page, failed) = page.map_or_else(|error| (Vec::new(), Some(error)), |page| (page, None));
            // The next page is read while this one is taken in.
            coming = match page.last() {
                Some((last, _)) if count + page.len() < limits.entries => {
                    Some(self.begin_page(Some(last.clone())))
                }
                _ => None,
            };
            let empty = page.is_empty();
            count += loader.land_page(flight, page, entries);
            if let Some(error) = failed {
                return Err(error);
            }
            if !empty {
                progress(count);
            }
        }
        Ok(count)
    }

    fn begin_page(&self, after: Option<Wanted>) -> Coming {
        let flight = self.shared.loader.begin_page(&self.shared.trust, self.shared.clock.ticks());
        let source = Arc::clone(&self.source);
        let page = async move {
            let watch = metrics::Watch::start();
            let page = source.page(after.as_ref(), PAGE).await;
            metrics::store("page", watch);
            page
        };
        (flight, tokio::spawn(page))
    }
}
