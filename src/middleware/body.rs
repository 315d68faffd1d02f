//! The body that the inner service reads: the verified bytes, frame by frame as they arrived, never joined.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use smallvec::SmallVec;
use std::{
    convert::Infallible,
    fmt, mem,
    pin::Pin,
    task::{Context, Poll},
};

/// A frame shorter than this, behind the first, is copied instead of kept. However short, a frame keeps alive the whole
/// buffer that it was read into, and hyper's have at least this size.
const SMALL: usize = 8 << 10;
/// Copies are gathered up to this length, in a buffer that doubles as it grows: what that wastes stays below it.
const GATHERED: usize = 16 << 10;

/// Room for frames, once there is more than the one that most bodies have: eight bring a body of 1 MiB.
const ROOM: usize = 8;

/// The frames of a body while it is being verified.
#[derive(Default)]
pub(super) struct Frames {
    kept: SmallVec<[Bytes; 1]>,
    /// Small frames that came after each other, gathered.
    tail: Vec<u8>,
    len: u64,
}

impl Frames {
    /// Keeps a frame, which is not empty.
    pub(super) fn push(&mut self, frame: Bytes) {
        // The first shares its buffer with the head of the request, which is kept anyway.
        let whole = frame.len() >= SMALL || self.len == 0;
        if whole || self.tail.len() + frame.len() > GATHERED {
            self.flush();
        }
        self.len += frame.len() as u64;
        if whole {
            self.keep(frame);
        } else {
            self.tail.extend_from_slice(&frame);
        }
    }

    /// Bytes kept so far.
    pub(super) const fn len(&self) -> u64 {
        self.len
    }

    /// The frame at `index`, once all have arrived.
    pub(super) fn at(&mut self, index: usize) -> Option<&Bytes> {
        self.flush();
        self.kept.get(index)
    }

    fn flush(&mut self) {
        if !self.tail.is_empty() {
            let tail = mem::take(&mut self.tail).into_boxed_slice();
            self.keep(tail.into());
        }
    }

    fn keep(&mut self, frame: Bytes) {
        if self.kept.len() == 1 {
            self.kept.reserve_exact(ROOM - 1);
        }
        self.kept.push(frame);
    }

    /// All frames, not joined.
    pub(super) fn all(&mut self) -> Vec<Bytes> {
        self.flush();
        self.kept.to_vec()
    }

    /// The body for the inner service.
    pub(super) fn into_body(mut self) -> VerifiedBody {
        self.flush();
        VerifiedBody { left: self.len, frames: self.kept.into_iter() }
    }
}

/// The body of a verified request: exactly the bytes that were verified. It never fails and has no trailers.
pub struct VerifiedBody {
    frames: smallvec::IntoIter<[Bytes; 1]>,
    left: u64,
}

impl fmt::Debug for VerifiedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifiedBody({} bytes)", self.left)
    }
}

impl Default for VerifiedBody {
    fn default() -> Self {
        Frames::default().into_body()
    }
}

impl VerifiedBody {
    /// All bytes, if the body is empty or came in one frame; otherwise the body back.
    ///
    /// # Errors
    ///
    /// The body itself, if it has several frames.
    pub fn into_single(mut self) -> Result<Bytes, Self> {
        match self.frames.as_slice() {
            [] => Ok(Bytes::new()),
            [_] => self.frames.next().ok_or_else(Self::default),
            _ => Err(self),
        }
    }
}

impl Body for VerifiedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = self.frames.next();
        self.left -= frame.as_ref().map_or(0, |frame| frame.len() as u64);
        Poll::Ready(frame.map(|frame| Ok(Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(lens: &[usize]) -> Vec<usize> {
        let mut frames = Frames::default();
        lens.iter().for_each(|len| frames.push(Bytes::from(vec![7; *len])));
        let mut body = frames.into_body();
        assert_eq!(body.size_hint().exact(), Some(lens.iter().sum::<usize>() as u64));
        let mut out = Vec::new();
        let mut cx = Context::from_waker(std::task::Waker::noop());
        while let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut cx) {
            out.push(frame.into_data().unwrap().len());
        }
        assert!(body.is_end_stream());
        out
    }

    #[test]
    fn large_frames_stay_apart_and_small_ones_are_gathered() {
        assert_eq!(frames(&[]), [0; 0]);
        assert_eq!(frames(&[5]), [5]);
        assert_eq!(frames(&[9000, 8192, 16384]), [9000, 8192, 16384]);
        assert_eq!(frames(&[1; 3000]), [1, 2999]);
        assert_eq!(frames(&[9, 9, 9, 8192, 9, 9]), [9, 18, 8192, 18]);
        assert_eq!(frames(&[1; 40_000]), [1, 16384, 16384, 7231]);
        assert_eq!(frames(&[1, 8191, 8191, 8191]), [1, 16382, 8191]);
    }

    #[test]
    fn small_frames_cost_their_own_bytes_however_large_the_buffers_they_were_cut_from() {
        let mut frames = Frames::default();
        let mut cut = Vec::new();
        for _ in 0..64 {
            let buffer = Bytes::from(vec![7; 64 << 10]);
            cut.push(buffer.clone());
            frames.push(buffer.slice(..1024));
        }
        let kept = cut.into_iter().filter(|buffer| !buffer.is_unique()).count();
        assert_eq!(kept, 1, "only the first frame is kept where it lies");
    }

    #[test]
    fn a_body_in_one_frame_comes_out_whole() {
        let mut one = Frames::default();
        one.push(Bytes::from_static(b"abc"));
        assert_eq!(one.into_body().into_single().unwrap(), "abc");
        assert_eq!(Frames::default().into_body().into_single().unwrap(), "");
        let mut two = Frames::default();
        two.push(Bytes::from_static(b"abc"));
        two.push(Bytes::from(vec![1; SMALL]));
        assert!(two.into_body().into_single().is_err());
    }
}
