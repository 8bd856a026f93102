//! Connections of the server: bounded in number, and given up when nothing moves on them.
//!
//! Whoever opens connections and sends nothing, or a byte now and then, must neither keep others out nor take the
//! file descriptors that journal and models need. Where all places are taken, the connection that has waited longest
//! for the rest of a request gives way to the new one.

mod stream;
mod track;

pub(crate) use stream::Watched;
pub(crate) use track::{TrackingAcceptor, track};

use crate::metrics::{ConnectionMetrics, Given};
use axum_server::{AddrListener, Address};
use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    net::TcpListener,
    sync::Notify,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

/// Time for the head of a request, and for the next one on a connection that is kept open.
pub(crate) const HEAD_LIMIT: Duration = Duration::from_secs(30);

/// Time in which a caller has to take something of its answer.
const STALL_LIMIT: Duration = Duration::from_secs(20);

/// Time without progress after which an answer may give way to a new connection.
const SLOW: Duration = Duration::from_secs(3);

/// Time that a connection which gives way needs to close.
const CLOSING: Duration = Duration::from_secs(1);

/// The most connections of `wanted` that leave half of the program's file descriptors for all else.
pub(crate) fn affordable(wanted: usize) -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let half = limit.unwrap_or(u64::MAX).max(2) / 2;
    wanted.min(usize::try_from(half).unwrap_or(usize::MAX))
}

/// All open connections.
pub(crate) struct Connections {
    max: usize,
    open: Mutex<Open>,
    freed: Notify,
    metrics: ConnectionMetrics,
}

#[derive(Default)]
struct Open {
    by_number: BTreeMap<u64, Arc<Connection>>,
    next: u64,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Connection {
    peer: SocketAddr,
    stage: Mutex<(Stage, Instant)>,
    /// Cancelled when it has to give way.
    closing: CancellationToken,
}

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The caller: for a handshake, a head, a body, or the next request.
    Receiving,
    /// The program.
    Working,
    /// The caller, who takes nothing of an answer.
    Stalled,
}

impl Connections {
    /// Keeps at most `max` open.
    pub(crate) fn new(max: usize, metrics: ConnectionMetrics) -> Arc<Self> {
        Arc::new(Self {
            max: max.max(1),
            open: Mutex::default(),
            freed: Notify::new(),
            metrics,
        })
    }

    /// A place for a new connection; none where all others are being worked for.
    async fn admit(self: &Arc<Self>, peer: SocketAddr) -> Option<Entry> {
        let deadline = Instant::now() + CLOSING;
        loop {
            let freed = self.freed.notified();
            if let Some(entry) = self.enter(peer) {
                return Some(entry);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || !self.make_room() {
                self.metrics.count(Given::Refused);
                return None;
            }
            // Where it does not close in time, another is asked to.
            let _ = timeout(left, freed).await;
        }
    }

    fn enter(self: &Arc<Self>, peer: SocketAddr) -> Option<Entry> {
        let mut open = self.open();
        if open.by_number.len() >= self.max {
            return None;
        }
        let number = open.next;
        open.next += 1;
        let connection = Arc::new(Connection {
            peer,
            stage: Mutex::new((Stage::Receiving, Instant::now())),
            closing: CancellationToken::new(),
        });
        open.by_number.insert(number, Arc::clone(&connection));
        self.metrics.open.inc();
        Some(Entry {
            number,
            connection,
            all: Arc::clone(self),
        })
    }

    /// Has the connection closed that has waited longest for its caller; false where none waits.
    fn make_room(&self) -> bool {
        let open = self.open();
        let all = open.by_number.values();
        let waiting = all.filter(|one| !one.closing.is_cancelled());
        let waiting = waiting.filter_map(|one| Some((one.waiting_since()?, one)));
        let Some((_, longest)) = waiting.min_by_key(|(since, _)| *since) else {
            return false;
        };
        longest.closing.cancel();
        self.metrics.count(Given::MadeRoom);
        true
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// Who is at the other end.
    pub(crate) fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Since when nothing but the caller is waited for; none where that is not so, or not for long.
    fn waiting_since(&self) -> Option<Instant> {
        let (stage, since) = *self.lock();
        match stage {
            Stage::Receiving => Some(since),
            Stage::Working => None,
            Stage::Stalled => (since.elapsed() >= SLOW).then_some(since),
        }
    }

    /// Moves on, and returns the stage before.
    fn enter(&self, stage: Stage) -> Stage {
        std::mem::replace(&mut *self.lock(), (stage, Instant::now())).0
    }

    /// Moves on from a stage; from another, nothing changes.
    fn move_on(&self, from: Stage, to: Stage) {
        let mut current = self.lock();
        if current.0 == from {
            *current = (to, Instant::now());
        }
    }

    fn lock(&self) -> MutexGuard<'_, (Stage, Instant)> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a connection among those that are open.
struct Entry {
    number: u64,
    connection: Arc<Connection>,
    all: Arc<Connections>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.all.open().by_number.remove(&self.number);
        self.all.metrics.open.dec();
        self.all.freed.notify_one();
    }
}

/// Takes connections as long as there is room.
pub(crate) struct Listener {
    inner: TcpListener,
    connections: Arc<Connections>,
}

impl Listener {
    /// Takes over a socket that listens.
    pub(crate) fn new(
        inner: std::net::TcpListener,
        connections: Arc<Connections>,
    ) -> io::Result<Self> {
        Ok(Self {
            inner: TcpListener::from_std(inner)?,
            connections,
        })
    }
}

/// Callers of this server, whose connections are watched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer;

impl Address for Peer {
    type Stream = Watched;
    type Listener = Listener;
}

impl AddrListener<Watched, Peer> for Listener {
    async fn bind_to(_: Peer) -> io::Result<Self> {
        // The socket listens before there is anything to serve.
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn accept_stream(&self) -> io::Result<(Watched, Peer)> {
        loop {
            let (stream, peer) = self.inner.accept().await?;
            if let Some(entry) = self.connections.admit(peer).await {
                return Ok((Watched::new(stream, entry), Peer));
            }
        }
    }

    fn get_local_addr(&self) -> io::Result<Peer> {
        self.inner.local_addr().map(|_| Peer)
    }
}

#[cfg(test)]
mod tests;
