//! A connection that must begin to speak in time.
//!
//! hyper gives a request's head a time limit as soon as it knows the version of HTTP, and waits for the bytes that tell
//! the version without one: a stranger who sends none, or a part of HTTP/2's preface, would keep a connection for ever.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// What an HTTP/2 connection begins with (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A stream whose reads fail when its first bytes are late.
pub struct Prompt<S> {
    stream: S,
    /// `None` once what was read tells the version.
    patience: Option<Pin<Box<Sleep>>>,
    /// How much of the preface was read.
    matched: usize,
}

impl<S> Prompt<S> {
    /// Gives a stream this much time to say by which version of HTTP it speaks.
    pub fn new(stream: S, patience: Duration) -> Self {
        Self { stream, patience: Some(Box::pin(sleep(patience))), matched: 0 }
    }

    fn hear(&mut self, bytes: &[u8]) {
        let rest = &PREFACE[self.matched..];
        self.matched += bytes.len().min(rest.len());
        if bytes.is_empty() || !rest.starts_with(bytes) || self.matched == PREFACE.len() {
            self.patience = None;
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Prompt<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let known = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let Some(patience) = &mut self.patience else { return read };
        if read.is_pending() {
            ready!(patience.as_mut().poll(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        self.hear(&buffer.filled()[known..]);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Prompt<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _, duplex},
        time::timeout,
    };

    /// Whether a connection that sent these pieces and then nothing is given up.
    async fn given_up(pieces: &[&[u8]]) -> bool {
        let (mut client, server) = duplex(1024);
        let mut server = Prompt::new(server, Duration::from_secs(10));
        for piece in pieces {
            client.write_all(piece).await.unwrap();
            let mut heard = vec![0; piece.len()];
            server.read_exact(&mut heard).await.unwrap();
            assert_eq!(heard, *piece);
        }
        let more = timeout(Duration::from_secs(60), server.read_u8()).await;
        more.is_ok_and(|read| read.is_err_and(|error| error.kind() == io::ErrorKind::TimedOut))
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_say_what_it_speaks_is_given_up() {
        assert!(given_up(&[]).await);
        assert!(given_up(&[b"P"]).await);
        assert!(given_up(&[b"PRI * ", b"HTTP/2.0\r\n"]).await);
        // From here on hyper has limits of its own.
        assert!(!given_up(&[b"G"]).await);
        assert!(!given_up(&[b"P", b"OST / HT"]).await);
        assert!(!given_up(&[&PREFACE[..9], &PREFACE[9..]]).await);
        assert!(!given_up(&[PREFACE, b"more"]).await);
    }
}
