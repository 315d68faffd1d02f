//! Where a request was sent to.

use http::{Uri, request::Parts};

/// The target as it stood in the request line, also where a router has cut a prefix off since.
pub(super) fn original_target(head: &Parts) -> &Uri {
    #[cfg(feature = "axum")]
    if let Some(original) = head.extensions.get::<axum::extract::OriginalUri>() {
        return &original.0;
    }
    &head.uri
}
