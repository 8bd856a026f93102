//! Places for answers that hold memory while they are sent: few at once, and not all of them for one client.
//!
//! A client that asks and then reads nothing would keep its place for as long as its connection lasts. So an answer of
//! which nothing was taken for some seconds gives way as soon as somebody waits for a place.

use super::{Caller, failure};
use crate::connections::Connection;
use axum::{
    body::{Body, Bytes, HttpBody},
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
    response::Response,
};
use http_body::{Frame, SizeHint};
use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

/// Time without anything taken after which an answer gives way to one that waits.
const PATIENCE: Duration = Duration::from_secs(3);

/// Time for one answer when others wait, however steadily a little of it is taken.
const WHOLE: Duration = Duration::from_mins(1);

/// How often whoever waits looks for an answer that has come to a standstill.
const LOOK: Duration = Duration::from_millis(500);

/// Requests of one client that may wait for a place.
const MAX_WAITING: usize = 100;

/// Bytes of an answer that are handed over at once, so that it is seen when nothing is taken.
const PIECE: usize = 64 << 10;

/// Who asks, as far as it can be told: a user where there are some, else an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Client(String);

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let name = parts.extensions.get::<Caller>();
        let known = name.filter(|caller| caller.is_known);
        if let Some(caller) = known {
            return Ok(Self(caller.name.clone()));
        }
        let connection = parts.extensions.get::<Arc<Connection>>();
        let address = connection.map(|connection| connection.peer().ip().to_string());
        Ok(Self(address.unwrap_or_default()))
    }
}

/// All places of one kind.
pub(crate) struct Places {
    max: usize,
    max_of_client: usize,
    state: Mutex<State>,
    changed: Notify,
    closed: CancellationToken,
}

#[derive(Default)]
struct State {
    held: Vec<Arc<Holder>>,
    /// Clients whose requests wait.
    waiting: Vec<Client>,
}

/// A request with a place.
struct Holder {
    client: Client,
    since: Instant,
    /// When something was taken last; none while the client waits for us.
    taken: Mutex<Option<Instant>>,
    answer: Mutex<Weak<Mutex<Answer>>>,
}

enum Answer {
    /// Something is still to be taken.
    Unsent(Unsent),
    Sent,
    GivenUp,
}

/// The part of an answer that is still to be taken, and the place that it holds.
struct Unsent {
    body: Body,
    /// Of the piece at hand.
    rest: Bytes,
    _place: Place,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoPlace {
    Closed,
    TooMany,
}

impl Places {
    /// So many at once, a fifth of which no client alone can have.
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            max_of_client: (max * 4 / 5).max(1),
            state: Mutex::default(),
            changed: Notify::new(),
            closed: CancellationToken::new(),
        })
    }

    /// Lets nobody in any more.
    pub(crate) fn close(&self) {
        self.closed.cancel();
    }

    /// Waits for a place.
    pub(super) async fn enter(self: &Arc<Self>, client: Client) -> Result<Place, NoPlace> {
        let _waiting = Waiting::begin(self, &client)?;
        loop {
            if self.closed.is_cancelled() {
                return Err(NoPlace::Closed);
            }
            let changed = self.changed.notified();
            match self.try_enter(&client) {
                Ok(place) => return Ok(place),
                // Its place is free at once.
                Err(Some(slow)) => slow.give_up(),
                Err(None) => tokio::select! {
                    () = self.closed.cancelled() => {}
                    _ = timeout(LOOK, changed) => {}
                },
            }
        }
    }

    /// A place if there is one, else what stands still in the way.
    fn try_enter(self: &Arc<Self>, client: &Client) -> Result<Place, Option<Arc<Holder>>> {
        let mut state = self.state();
        let of_client = state.held.iter().filter(|held| held.client == *client);
        let is_free = state.held.len() < self.max;
        if is_free && of_client.count() < self.max_of_client {
            let holder = Arc::new(Holder {
                client: client.clone(),
                since: Instant::now(),
                taken: Mutex::default(),
                answer: Mutex::default(),
            });
            state.held.push(Arc::clone(&holder));
            return Ok(Place {
                holder,
                places: Arc::clone(self),
            });
        }
        let in_the_way = |held: &&Arc<Holder>| !is_free || held.client == *client;
        let mut all = state.held.iter().filter(in_the_way);
        Err(all.find(|held| held.is_slow()).cloned())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a request among those that wait.
struct Waiting<'a> {
    places: &'a Places,
    client: Client,
}

impl<'a> Waiting<'a> {
    fn begin(places: &'a Places, client: &Client) -> Result<Self, NoPlace> {
        let mut state = places.state();
        let of_client = state.waiting.iter().filter(|one| *one == client);
        if of_client.count() >= MAX_WAITING {
            return Err(NoPlace::TooMany);
        }
        state.waiting.push(client.clone());
        Ok(Self {
            places,
            client: client.clone(),
        })
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.places.state();
        if let Some(idx) = state.waiting.iter().position(|one| *one == self.client) {
            state.waiting.swap_remove(idx);
        }
    }
}

impl Holder {
    /// Whether little or nothing is taken of an answer that is there to be taken.
    fn is_slow(&self) -> bool {
        let is_too_long = self.since.elapsed() >= WHOLE;
        lock(&self.taken).is_some_and(|taken| is_too_long || taken.elapsed() >= PATIENCE)
    }

    /// Drops what was not taken, and with it the place.
    fn give_up(&self) {
        let answer = lock(&self.answer).upgrade();
        let unsent = answer.map(|answer| {
            let mut answer = lock(&answer);
            if matches!(*answer, Answer::Unsent(_)) {
                return std::mem::replace(&mut *answer, Answer::GivenUp);
            }
            Answer::Sent
        });
        drop(unsent);
    }

    fn note(&self, taken: Option<Instant>) {
        *lock(&self.taken) = taken;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl NoPlace {
    /// The answer where there is no place.
    pub(super) fn refuse(self) -> Response {
        let sentence = match self {
            Self::Closed => "the server is shutting down",
            Self::TooMany => "too many requests of this client wait already",
        };
        failure(StatusCode::SERVICE_UNAVAILABLE, sentence)
    }
}

/// A place, held until it is dropped.
pub(super) struct Place {
    holder: Arc<Holder>,
    places: Arc<Places>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.places.state();
        state.held.retain(|held| !Arc::ptr_eq(held, &self.holder));
        drop(state);
        self.places.changed.notify_waiters();
    }
}

impl Place {
    /// Holds the place until the answer is taken, or given up for others.
    pub(super) fn keep_for(self, response: Response) -> Response {
        response.map(|body| {
            let holder = Arc::clone(&self.holder);
            let answer = Arc::new(Mutex::new(Answer::Unsent(Unsent {
                body,
                rest: Bytes::new(),
                _place: self,
            })));
            *lock(&holder.answer) = Arc::downgrade(&answer);
            Body::new(Paced { answer, holder })
        })
    }
}

/// An answer in small pieces, of which it is known when they are taken.
struct Paced {
    answer: Arc<Mutex<Answer>>,
    holder: Arc<Holder>,
}

/// An answer was given up.
#[derive(Debug, thiserror::Error)]
#[error("too little of the answer was taken while others waited")]
struct GivenUp;

type Piece = Result<Frame<Bytes>, axum::Error>;

impl HttpBody for Paced {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Piece>> {
        let mut answer = lock(&self.answer);
        let unsent = match &mut *answer {
            Answer::Unsent(unsent) => unsent,
            Answer::Sent => return Poll::Ready(None),
            Answer::GivenUp => return Poll::Ready(Some(Err(axum::Error::new(GivenUp)))),
        };
        // Until there is a piece, the client waits for us.
        self.holder.note(None);
        let piece = ready!(unsent.next(cx));
        self.holder.note(Some(Instant::now()));
        if !matches!(piece, Some(Ok(_))) || unsent.is_over() {
            let sent = std::mem::replace(&mut *answer, Answer::Sent);
            // Its place goes with it, for which the lock must be free.
            drop(answer);
            drop(sent);
        }
        Poll::Ready(piece)
    }

    fn is_end_stream(&self) -> bool {
        matches!(*lock(&self.answer), Answer::Sent)
    }

    fn size_hint(&self) -> SizeHint {
        match &*lock(&self.answer) {
            Answer::Unsent(unsent) => unsent.size_hint(),
            Answer::Sent => SizeHint::with_exact(0),
            Answer::GivenUp => SizeHint::default(),
        }
    }
}

impl Unsent {
    /// The next piece, never a large one.
    fn next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Piece>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                other => return Poll::Ready(other),
            }
        }
        let n_bytes = self.rest.len().min(PIECE);
        let piece = self.rest.split_to(n_bytes);
        let is_part = !self.rest.is_empty();
        // A copy, so that a part does not hold the whole in memory.
        let piece = if is_part {
            Bytes::copy_from_slice(&piece)
        } else {
            piece
        };
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_over(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.body.size_hint();
        let rest = self.rest.len() as u64;
        if let Some(exact) = hint.exact() {
            return SizeHint::with_exact(exact + rest);
        }
        hint.set_lower(hint.lower() + rest);
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse as _;
    use futures::StreamExt as _;

    fn client(name: &str) -> Client {
        Client(name.to_owned())
    }

    fn body(n_bytes: usize) -> Response {
        vec![b'x'; n_bytes].into_response()
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_reads_gives_way_after_some_seconds() {
        let places = Places::new(10);
        let mut unread = Vec::new();
        for n in 0..10 {
            let place = places.enter(client(&n.to_string())).await.unwrap();
            let answer = place.keep_for(body(10 * PIECE)).into_body();
            let mut pieces = answer.into_data_stream();
            assert_eq!(pieces.next().await.unwrap().unwrap().len(), PIECE);
            unread.push(pieces);
        }
        let begun = Instant::now();
        assert!(places.enter(client("late")).await.is_ok());
        let waited = begun.elapsed();
        assert!(
            (PATIENCE..PATIENCE + 2 * LOOK).contains(&waited),
            "{waited:?}"
        );
        let mut given_up = 0;
        for pieces in &mut unread {
            given_up += usize::from(pieces.next().await.unwrap().is_err());
        }
        assert_eq!(given_up, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn one_client_does_not_have_all_places() {
        let places = Places::new(10);
        let mut held = Vec::new();
        for _ in 0..8 {
            held.push(places.enter(client("ann")).await.unwrap());
        }
        let more = timeout(WHOLE, places.enter(client("ann")));
        assert!(more.await.is_err(), "what is worked on gives no way");
        assert!(places.enter(client("bob")).await.is_ok());
        held.pop();
        assert!(places.enter(client("ann")).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_comes_whole_and_keeps_its_length() {
        let places = Places::new(1);
        let place = places.enter(client("ann")).await.unwrap();
        let answer = place.keep_for(body(3 * PIECE + 1)).into_body();
        assert_eq!(answer.size_hint().exact(), Some(3 * PIECE as u64 + 1));
        let bytes = axum::body::to_bytes(answer, usize::MAX).await.unwrap();
        assert_eq!(bytes.len(), 3 * PIECE + 1);
        assert!(
            places.enter(client("ann")).await.is_ok(),
            "the place is free"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_steadily_takes_keeps_its_place_for_a_minute() {
        let places = Places::new(1);
        let place = places.enter(client("ann")).await.unwrap();
        let answer = place.keep_for(body(1_000 * PIECE)).into_body();
        let mut pieces = answer.into_data_stream();
        let taking = async {
            while let Some(Ok(_)) = pieces.next().await {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        let begun = Instant::now();
        tokio::select! {
            () = taking => panic!("it was given up before"),
            place = places.enter(client("ann")) => assert!(place.is_ok()),
        }
        assert!(begun.elapsed() >= WHOLE);
    }

    #[tokio::test(start_paused = true)]
    async fn requests_that_wait_are_bounded_and_refused_at_the_end() {
        let places = Places::new(1);
        let _held = places.enter(client("bob")).await.unwrap();
        let waiting: Vec<_> = (0..MAX_WAITING)
            .map(|_| Box::pin(places.enter(client("ann"))))
            .collect();
        let mut waiting = futures::future::join_all(waiting);
        assert!(timeout(LOOK, &mut waiting).await.is_err());
        let more = places.enter(client("ann")).await;
        assert_eq!(more.err(), Some(NoPlace::TooMany));
        places.close();
        let ended = waiting.await;
        assert!(
            ended
                .into_iter()
                .all(|end| end.err() == Some(NoPlace::Closed))
        );
    }
}
