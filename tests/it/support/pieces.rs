//! A body that arrives in pieces, as a connection would deliver it.

use bytes::Bytes;
use http_body::{Body, Frame};
use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

/// A body cut at given places.
#[derive(Debug)]
pub(crate) struct Pieces {
    left: VecDeque<Bytes>,
    /// Whether the body has to be waited for before each piece, and whether the next one was.
    pauses: bool,
    waited: bool,
}

impl Pieces {
    /// Cuts a body into pieces of these lengths, empty ones included, and a rest.
    pub(crate) fn new(body: &[u8], lengths: &[usize], pauses: bool) -> Self {
        let mut rest = Bytes::copy_from_slice(body);
        let mut left: VecDeque<_> =
            lengths.iter().map(|length| rest.split_to(rest.len().min(*length))).collect();
        left.push_back(rest);
        Self { left, pauses, waited: false }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.pauses && !self.waited {
            self.waited = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.waited = false;
        Poll::Ready(self.left.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}
