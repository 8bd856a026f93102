//! Taking in an alert: written down once, joined to the action that exists, or the beginning of a new one.

use crate::{
    ActionId, Change, Delivery, Ending, Journal, Mode, Outcome, RecordedDelivery, State,
    StoreError,
    error::doing,
    transition::append,
    waiting::{hand_on, last_called_for},
};
use series::Timestamp;
use sqlx::SqliteConnection;

/// What a firing alert asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The configured workload.
    pub workload: String,
    /// Who decides.
    pub mode: Mode,
    /// When the action expires if nothing can be worked out.
    pub deadline: Timestamp,
    /// Why, as a sentence.
    pub reason: String,
    /// Who writes it down.
    pub actor: String,
}

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// It was new; this is what was written down.
    New(RecordedDelivery),
    /// It was heard of before; this is what was written down then.
    Duplicate(RecordedDelivery),
}

impl Accepted {
    /// What is written down of the delivery.
    pub fn delivery(&self) -> &RecordedDelivery {
        match self {
            Self::New(delivery) | Self::Duplicate(delivery) => delivery,
        }
    }
}

/// What is about to be written down of a delivery.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) outcome: Outcome,
    pub(crate) reason: String,
    pub(crate) workload: Option<String>,
    pub(crate) action: Option<ActionId>,
}

/// One alert of a notification, and what it asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Intake {
    /// It fires, and is about a workload.
    Asks {
        /// The alert.
        delivery: Delivery,
        /// The action that it asks for.
        proposal: Proposal,
        /// What stands against a new action for now, if something does.
        deferral: Option<String>,
    },
    /// It fires, and no workload is about it.
    Strays {
        /// The alert.
        delivery: Delivery,
        /// Why nothing comes of it, as a sentence.
        reason: String,
    },
    /// It has stopped.
    Ends {
        /// The alert.
        delivery: Delivery,
        /// The workload that it is about, if any.
        workload: Option<String>,
        /// Who writes it down.
        actor: String,
    },
}

impl Intake {
    /// The alert.
    pub(crate) const fn delivery(&self) -> &Delivery {
        match self {
            Self::Asks { delivery, .. }
            | Self::Strays { delivery, .. }
            | Self::Ends { delivery, .. } => delivery,
        }
    }
}

impl Journal {
    /// Takes in a firing alert that asks for an action on a workload; see [`Journal::take_in`].
    pub async fn accept(
        &self,
        delivery: &Delivery,
        proposal: &Proposal,
    ) -> Result<Accepted, StoreError> {
        let intake = Intake::Asks {
            delivery: delivery.clone(),
            proposal: proposal.clone(),
            deferral: None,
        };
        let accepted = self.take_in(vec![intake]).await?;
        Ok(accepted
            .into_iter()
            .next()
            .expect("one alert has one answer"))
    }
}

/// Begins an action for an alert that was first heard of at `heard_at`; the caller has made sure that the workload
/// has no open one. It is one more attempt where the last one was hindered while its alerts fire, and all alerts that
/// outlasted earlier actions call for it from now on.
pub(crate) async fn propose(
    connection: &mut SqliteConnection,
    delivery: &Delivery,
    proposal: &Proposal,
    heard_at: Timestamp,
) -> Result<ActionId, StoreError> {
    let id = ActionId::new(delivery.received_at);
    let before = last_called_for(connection, &proposal.workload).await?;
    let before = before.filter(|last| last.ending.is_some_and(Ending::is_unfinished));
    let attempt = before.as_ref().map_or(1, |last| last.attempt + 1);
    let wanted_since = before.map_or(heard_at, |last| last.wanted_since.min(heard_at));
    sqlx::query(
        "INSERT INTO actions
             (id, workload, state, mode, fingerprint, starts_at, created_at, updated_at, deadline, reason,
              attempt, wanted_since, begun, moved)
         SELECT $1, $2, $3, $4, $5, $6, $7, $7, $8, $9, $10, $11, next, next
         FROM (SELECT coalesce(max(seq), 0) + 1 AS next FROM transitions)",
    )
    .bind(id.to_string())
    .bind(&proposal.workload)
    .bind(State::Proposed.as_str())
    .bind(proposal.mode.as_str())
    .bind(&delivery.cause.fingerprint)
    .bind(delivery.cause.starts_at.as_millis())
    .bind(delivery.received_at.as_millis())
    .bind(proposal.deadline.as_millis())
    .bind(&proposal.reason)
    .bind(attempt)
    .bind(wanted_since.as_millis())
    .execute(&mut *connection)
    .await
    .map_err(doing("propose an action"))?;
    let change = change(delivery, State::Proposed, &proposal.actor, &proposal.reason);
    append(connection, id, None, &change).await?;
    hand_on(connection, id, proposal).await?;
    Ok(id)
}

pub(crate) fn change(delivery: &Delivery, to: State, actor: &str, reason: &str) -> Change {
    Change::new(to, delivery.received_at, actor, reason)
}
