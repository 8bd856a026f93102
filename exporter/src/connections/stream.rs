//! The bytes of one connection.

use super::{Connection, Entry, STALL_LIMIT, Stage};
use crate::metrics::Given;
use std::{
    future::Future as _,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};
use tokio_util::sync::WaitForCancellationFutureOwned;

/// A connection that ends when it has to give way, and when its caller takes nothing for too long.
pub(crate) struct Watched {
    inner: TcpStream,
    entry: Entry,
    closing: Pin<Box<WaitForCancellationFutureOwned>>,
    /// While the caller takes nothing: what the connection waited for before, and for how long this may last.
    stalled: Option<(Stage, Pin<Box<Sleep>>)>,
}

impl Watched {
    pub(super) fn new(inner: TcpStream, entry: Entry) -> Self {
        let closing = entry.connection.closing.clone();
        Self {
            inner,
            entry,
            closing: Box::pin(closing.cancelled_owned()),
            stalled: None,
        }
    }

    /// What is known of this connection.
    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.entry.connection
    }

    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.connection().closing.is_cancelled() || self.closing.as_mut().poll(cx).is_ready() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }

    /// Passes on what a write came to, as long as something is taken in time.
    fn watch(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            if let Some((before, _)) = self.stalled.take() {
                self.connection().move_on(Stage::Stalled, before);
            }
            return written;
        }
        let connection = Arc::clone(self.connection());
        let (_, alarm) = self.stalled.get_or_insert_with(|| {
            let before = connection.enter(Stage::Stalled);
            (before, Box::pin(sleep(STALL_LIMIT)))
        });
        ready!(alarm.as_mut().poll(cx));
        self.entry.all.metrics.count(Given::Stalled);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.watch(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
