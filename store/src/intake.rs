//! Notifications that arrive at once share one commit.
//!
//! A commit waits for the disk, and the journal has one writer: one commit a notification would make each wait for all
//! before it. So whoever comes while a commit is under way lines up, and the next commit takes all of them.

use crate::{Accepted, Intake, Journal, StoreError, batch::take_together};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{sync::oneshot, time::Instant};

/// Notifications that one commit takes; what an error means for each is found out by trying them one by one.
const MAX_BATCH: usize = 64;

/// Alerts that one commit takes, but for a notification that has more.
const MAX_BATCH_ALERTS: usize = 1_024;

/// Alerts in line beyond which a notification is better sent again later. Of each, some 32 KiB are kept at most.
const MAX_WAITING: usize = 4_096;

/// Alerts in line that are no sign of a journal that cannot keep up, however long the disk takes for the present commit.
const SHORT_LINE: usize = 512;

/// Time that the first in line may wait before nobody joins a line that is not short.
const LONG_WAIT: Duration = Duration::from_millis(150);

/// Time after which nobody joins any line, and nobody in it is left without an answer for much longer.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Time after which a notification that is being written down is better sent again.
const PATIENCE: Duration = Duration::from_secs(10);

/// Commits until what the write-ahead log holds is moved into the database, beside the writer: at a commit it would
/// make the notification wait that happens to be the one.
const CHECKPOINT_EVERY: u32 = 128;

type Answer = Result<Vec<Accepted>, StoreError>;

/// A notification in line.
struct Waiting {
    intakes: Vec<Intake>,
    answer: oneshot::Sender<Answer>,
    since: Instant,
}

impl Waiting {
    /// What it counts for; one without alerts takes room, too.
    fn weight(&self) -> usize {
        self.intakes.len().max(1)
    }
}

/// Who waits for the next commit.
#[derive(Default)]
pub(crate) struct Line {
    waiting: Mutex<VecDeque<Waiting>>,
    /// Held by the one commit that is under way.
    turn: tokio::sync::Mutex<()>,
    commits: AtomicU32,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} waiting", self.waiting().len())
    }
}

impl Line {
    fn waiting(&self) -> MutexGuard<'_, VecDeque<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn join(&self, notification: Waiting) -> Result<(), StoreError> {
        let mut waiting = self.waiting();
        if is_too_long(&waiting) {
            return Err(StoreError::Behind);
        }
        waiting.push_back(notification);
        Ok(())
    }

    fn next_batch(&self) -> Vec<Waiting> {
        let mut waiting = self.waiting();
        let mut n_alerts = waiting.front().map_or(0, Waiting::weight);
        let fits = |one: &&Waiting| {
            n_alerts += one.weight();
            n_alerts <= MAX_BATCH_ALERTS
        };
        let n_more = waiting
            .iter()
            .take(MAX_BATCH)
            .skip(1)
            .take_while(fits)
            .count();
        let n_served = waiting.len().min(n_more + 1);
        waiting.drain(..n_served).collect()
    }
}

/// Tells whether a notification that joined the line would wait for too long.
fn is_too_long(waiting: &VecDeque<Waiting>) -> bool {
    let Some(first) = waiting.front() else {
        return false;
    };
    let n_alerts: usize = waiting.iter().map(Waiting::weight).sum();
    let waits = first.since.elapsed();
    n_alerts >= MAX_WAITING
        || waits >= LONGEST_WAIT
        || (n_alerts >= SHORT_LINE && waits >= LONG_WAIT)
}

impl Journal {
    /// Takes in the alerts of one notification in their order, all or none; several notifications may share a
    /// transaction. Once this returns, they are on the disk; whoever hangs up before may find them there, too.
    ///
    /// A firing alert that is known changes nothing, unless nothing came of it before because a guard stood
    /// against it or no workload was about it; one whose end was heard right before is ignored until
    /// [`Journal::doubted`] names it; where the workload has an open action, the alert joins it; where something stands
    /// against a new one, it is deferred; else an action is proposed. An end ends every beginning of its alert up to
    /// it, and the end of the last alert that calls for an action without an effect supersedes it.
    pub async fn take_in(&self, intakes: Vec<Intake>) -> Result<Vec<Accepted>, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.line.join(Waiting {
            intakes,
            answer,
            since: Instant::now(),
        })?;
        // A task of its own, so that a caller who hangs up does not take the others' commit along.
        tokio::spawn(self.clone().serve_line());
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(answer) => answer.unwrap_or(Err(StoreError::Interrupted)),
            Err(_) => Err(StoreError::Slow),
        }
    }

    /// Tells whether a notification would be refused because too many wait already.
    pub fn is_behind(&self) -> bool {
        is_too_long(&self.line.waiting())
    }

    /// Waits for the turn, and serves whoever is in line by then. Each who lines up brings one of these, so nobody is
    /// left over; those whose caller was served already find the line empty.
    async fn serve_line(self) {
        let line = Arc::clone(&self.line);
        let _turn = line.turn.lock().await;
        let batch = line.next_batch();
        if batch.is_empty() {
            return;
        }
        let (intakes, answers): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .map(|one| (one.intakes, one.answer))
            .unzip();
        let taken = self.take_batch(&intakes).await;
        let is_new = |accepted: &Accepted| matches!(accepted, Accepted::New(_));
        if taken.iter().flatten().flatten().any(is_new) {
            self.note_change();
        }
        for (answer, accepted) in answers.into_iter().zip(taken) {
            // Whoever hung up does not want to know.
            let _ = answer.send(accepted);
        }
        self.note_commit();
    }

    async fn take_batch(&self, batch: &[Vec<Intake>]) -> Vec<Answer> {
        match self.take_all(batch).await {
            Ok(all) => all.into_iter().map(Ok).collect(),
            // Nobody is made to wait for that to show again.
            Err(error) if batch.len() == 1 || error.is_fault() => {
                let error = Arc::new(error);
                let same = |_| Err(StoreError::Shared(Arc::clone(&error)));
                batch.iter().map(same).collect()
            }
            Err(_) => self.take_apart(batch).await,
        }
    }

    async fn take_all(&self, batch: &[Vec<Intake>]) -> Result<Vec<Vec<Accepted>>, StoreError> {
        let mut tx = self.write().await?;
        let taken = take_together(&mut tx, batch).await;
        tx.finish("commit a notification", taken).await
    }

    /// One by one, so that each hears of its own failure.
    async fn take_apart(&self, batch: &[Vec<Intake>]) -> Vec<Answer> {
        let mut answers = Vec::with_capacity(batch.len());
        for intakes in batch {
            let taken = self.take_all(std::slice::from_ref(intakes)).await;
            answers.push(taken.map(|mut taken| taken.pop().unwrap_or_default()));
        }
        answers
    }

    fn note_commit(&self) {
        if self.line.commits.fetch_add(1, Relaxed) % CHECKPOINT_EVERY == CHECKPOINT_EVERY - 1 {
            let readers = self.readers.clone();
            tokio::spawn(async move {
                let checkpoint = sqlx::raw_sql("PRAGMA wal_checkpoint(PASSIVE)");
                // What is not moved this time is moved the next time.
                let _ = checkpoint.execute(&readers).await;
            });
        }
    }
}
