//! The layer: a verifier, the limits, and the shape of refusals.

use super::{
    Problem, Rejection, RequestId, VerifiedBody, Verify, Witness, request_id::RequestIds, strip::Prefixes,
};
use crate::{
    error::{VerifyError, VerifyErrorKind},
    metrics::Verifications,
    verify::{Verified, Verifier, steps::Verification},
};
use http::{Extensions, HeaderValue, request::Parts};
use std::{
    marker::PhantomData,
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tower_layer::Layer;

/// Layer that lets only verified requests through, see the [module](super).
///
/// `B` is the type of body that the inner service takes, made from a [`VerifiedBody`]. Routers of axum take any.
#[derive(Debug)]
#[must_use]
pub struct VerifyLayer<B = VerifiedBody> {
    settings: Arc<Settings>,
    body: PhantomData<fn() -> B>,
}

/// What every request of a layer shares.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) verifier: Arc<dyn Verifier>,
    pub(super) challenges: Vec<HeaderValue>,
    pub(super) rejection: Arc<dyn Rejection>,
    pub(super) witnesses: Vec<Arc<dyn Witness>>,
    pub(super) identity: Prefixes,
    pub(super) body_limit: u64,
    pub(super) idle_timeout: Duration,
    pub(super) store_timeout: Duration,
    pub(super) held_limit: u64,
    /// Unverified bytes held at the moment by requests whose bodies have to be waited for.
    pub(super) held: Arc<AtomicU64>,
    /// No extensions, but room for the caller beside those that a router adds: a copy does not have to grow.
    room: Extensions,
    pub(super) metrics: Arc<Verifications>,
    pub(super) request_ids: Arc<RequestIds>,
}

impl Settings {
    /// Gives the request the caller that the verdict let pass, and takes away what else looks like one.
    pub(super) fn introduce<'h>(
        &self,
        head: &'h mut Parts,
        verification: Option<&Verification>,
    ) -> Result<&'h Verified, VerifyError> {
        let caller = verification.and_then(Verification::caller).ok_or(VerifyErrorKind::Internal)?;
        self.identity.strip(head);
        if head.extensions.is_empty() {
            head.extensions.clone_from(&self.room);
        }
        Ok(head.extensions.get_or_insert_with(|| caller))
    }
}

fn room() -> Extensions {
    let mut room = Extensions::new();
    room.insert([0_u8; 0]);
    room.insert([0_u8; 1]);
    room.insert([0_u8; 2]);
    room.insert([0_u8; 3]);
    room.clear();
    room
}

/// A request's hold on the settings, and its share of the unverified bytes.
#[derive(Debug)]
pub(super) struct Share {
    settings: Arc<Settings>,
    held: u64,
    /// What the server calls the request, where it has named it.
    name: Option<RequestId>,
}

impl Share {
    pub(super) fn new(settings: Arc<Settings>, head: &Parts) -> Self {
        Self { settings, held: 0, name: head.extensions.get().cloned() }
    }

    /// A name that ties what the caller sees to what the operator sees.
    pub(super) fn request_id(&self) -> RequestId {
        self.name.clone().unwrap_or_else(|| self.request_ids.next())
    }

    /// Counts nothing any more: the bytes are verified, or gone.
    pub(super) fn release(&mut self) {
        if self.held > 0 {
            self.settings.held.fetch_sub(self.held, Ordering::Relaxed);
            self.held = 0;
        }
    }

    /// Counts all bytes that the request holds by now. Only a request that wants more can be the one too many.
    pub(super) fn hold(&mut self, bytes: u64) -> Result<(), VerifyErrorKind> {
        let more = bytes.saturating_sub(self.held);
        if more > 0 {
            let room = |all: u64| all.checked_add(more).filter(|all| *all <= self.settings.held_limit);
            let counted = self.settings.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room);
            counted.map_err(|_| VerifyErrorKind::Overloaded)?;
            self.held = bytes;
        }
        Ok(())
    }
}

impl Deref for Share {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.release();
    }
}

impl VerifyLayer {
    /// Makes a layer: bodies of at most 2 MiB, that pause for at most 10 s; a key store that answers within 5 s; at most
    /// 256 MiB of unverified bytes held at a time by this layer and its clones; refusals as [`Problem`] details.
    pub fn new(verifier: impl Verifier) -> Self {
        let settings = Settings {
            challenges: verifier.challenges(),
            verifier: Arc::new(verifier),
            rejection: Arc::new(Problem::default()),
            witnesses: Vec::new(),
            identity: Prefixes::default(),
            body_limit: 2 << 20,
            idle_timeout: Duration::from_secs(10),
            store_timeout: Duration::from_secs(5),
            held_limit: 256 << 20,
            held: Arc::default(),
            room: room(),
            metrics: Arc::default(),
            request_ids: Arc::default(),
        };
        Self { settings: Arc::new(settings), body: PhantomData }
    }
}

impl<B> VerifyLayer<B> {
    /// Gives the inner service another type of body, for example `axum::body::Body`, which spares an allocation where
    /// the layer stands around a whole router.
    pub fn with_body<C: From<VerifiedBody>>(self) -> VerifyLayer<C> {
        VerifyLayer { settings: self.settings, body: PhantomData }
    }

    /// Sets the longest body, in bytes; longer ones are answered 413, before they are read if their length is given.
    ///
    /// # Security
    ///
    /// Until its end a body is unverified, and it is held in memory.
    pub fn with_body_limit(self, bytes: u64) -> Self {
        self.with(|settings| settings.body_limit = bytes)
    }

    /// Sets how long a body may pause before the request is answered 408.
    ///
    /// # Security
    ///
    /// A stranger can hold a connection for this long between any two bytes.
    pub fn with_idle_timeout(self, pause: Duration) -> Self {
        self.with(|settings| settings.idle_timeout = pause)
    }

    /// Sets how long the key store may take to answer before the request is answered 503.
    pub fn with_store_timeout(self, patience: Duration) -> Self {
        self.with(|settings| settings.store_timeout = patience)
    }

    /// Sets how many unverified bytes all requests together may hold before further ones are answered 503.
    pub fn with_held_limit(self, bytes: u64) -> Self {
        self.with(|settings| settings.held_limit = bytes)
    }

    /// Shapes refusals in another way.
    pub fn with_rejection(self, rejection: impl Rejection) -> Self {
        self.with(|settings| settings.rejection = Arc::new(rejection))
    }

    /// Adds a witness, which hears of refused requests and is shown those that it wants to see: of keys under debug, say,
    /// to find out why.
    ///
    /// # Security
    ///
    /// The witness gets credentials that may be valid; see [`Witness`].
    pub fn with_witness(self, witness: impl Witness) -> Self {
        self.with(|settings| settings.witnesses.push(Arc::new(witness)))
    }

    /// Removes from requests the headers whose names begin with one of these, instead of `x-countersign-`, `x-auth-`
    /// and `x-consumer-`.
    ///
    /// # Security
    ///
    /// A header that is not removed says what the caller wants it to say.
    pub fn with_stripped_headers<'p>(self, prefixes: impl IntoIterator<Item = &'p str>) -> Self {
        let prefixes = Prefixes::new(prefixes);
        self.with(|settings| settings.identity = prefixes)
    }

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.settings));
        self
    }
}

impl<B> Clone for VerifyLayer<B> {
    fn clone(&self) -> Self {
        Self { settings: Arc::clone(&self.settings), body: PhantomData }
    }
}

impl<S, B> Layer<S> for VerifyLayer<B> {
    type Service = Verify<S, B>;

    fn layer(&self, inner: S) -> Self::Service {
        Verify::new(inner, Arc::clone(&self.settings))
    }
}
