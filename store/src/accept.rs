//! Taking in an alert: written down once, joined to the action that exists, or the beginning of a new one.

use crate::{
    Action, ActionId, Change, Delivery, Journal, Mode, Outcome, RecordedDelivery, State,
    StoreError,
    error::doing,
    lookup::{both, caused_by, firing, known, open_action},
    record::{make_room, record},
    transition::{append, swap},
};
use series::Timestamp;
use sqlx::{Sqlite, Transaction};

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

/// Takes in notifications one after the other, all or none, and commits.
pub(crate) async fn take_together(
    mut tx: Transaction<'static, Sqlite>,
    notifications: &[Vec<Intake>],
) -> Result<Vec<Vec<Accepted>>, StoreError> {
    let mut all = Vec::with_capacity(notifications.len());
    for intakes in notifications {
        let mut accepted = Vec::with_capacity(intakes.len());
        for intake in intakes {
            accepted.push(take(&mut tx, intake).await?);
        }
        make_room(&mut tx, &accepted).await?;
        all.push(accepted);
    }
    tx.commit().await.map_err(doing("commit a notification"))?;
    Ok(all)
}

async fn take(
    tx: &mut Transaction<'static, Sqlite>,
    intake: &Intake,
) -> Result<Accepted, StoreError> {
    match intake {
        Intake::Asks {
            delivery,
            proposal,
            deferral,
        } => ask(tx, delivery, proposal, deferral.as_deref()).await,
        Intake::Strays { delivery, reason } => {
            let verdict = Verdict {
                outcome: Outcome::Unmatched,
                reason: reason.clone(),
                workload: None,
                action: None,
            };
            let known = known(tx, delivery).await?;
            without_action(tx, delivery, known, verdict).await
        }
        Intake::Ends {
            delivery,
            workload,
            actor,
        } => end(tx, delivery, workload.as_deref(), actor).await,
    }
}

async fn ask(
    tx: &mut Transaction<'static, Sqlite>,
    delivery: &Delivery,
    proposal: &Proposal,
    deferral: Option<&str>,
) -> Result<Accepted, StoreError> {
    let [known, end] = both(tx, &delivery.cause).await?;
    let is_settled = |known: &RecordedDelivery| !known.outcome.is_provisional();
    if let Some(known) = known.clone().filter(is_settled) {
        return Ok(Accepted::Duplicate(known));
    }
    let verdict = |outcome, reason: String, action| Verdict {
        outcome,
        reason,
        workload: Some(proposal.workload.clone()),
        action,
    };
    let verdict = if end.is_some() {
        // Alertmanagers that gossip may send the beginning of an alert after its end.
        let reason = "the alert has resolved already".to_owned();
        verdict(Outcome::Ignored, reason, None)
    } else if let Some(open) = open_action(tx, &proposal.workload).await? {
        let reason = format!("action {} on {} is {}", open.id, open.workload, open.state);
        verdict(Outcome::Joined, reason, Some(open.id))
    } else if let Some(deferral) = deferral {
        let deferred = verdict(Outcome::Deferred, deferral.to_owned(), None);
        return without_action(tx, delivery, known, deferred).await;
    } else {
        let id = propose(tx, delivery, proposal).await?;
        verdict(Outcome::Acted, proposal.reason.clone(), Some(id))
    };
    record(tx, delivery, verdict).await
}

/// What leads to no action for now keeps what was written before, unless that was as provisional, for another
/// reason.
async fn without_action(
    tx: &mut Transaction<'static, Sqlite>,
    delivery: &Delivery,
    known: Option<RecordedDelivery>,
    verdict: Verdict,
) -> Result<Accepted, StoreError> {
    let says_it_all = |known: &RecordedDelivery| {
        let said = (known.outcome, known.reason.as_str());
        said == (verdict.outcome, verdict.reason.as_str()) || !known.outcome.is_provisional()
    };
    if let Some(known) = known.filter(says_it_all) {
        return Ok(Accepted::Duplicate(known));
    }
    record(tx, delivery, verdict).await
}

async fn end(
    tx: &mut Transaction<'static, Sqlite>,
    delivery: &Delivery,
    workload: Option<&str>,
    actor: &str,
) -> Result<Accepted, StoreError> {
    if let Some(known) = known(tx, delivery).await? {
        return Ok(Accepted::Duplicate(known));
    }
    let action = caused_by(tx, &delivery.cause).await?;
    let (outcome, reason) = resolve(tx, delivery, action.as_ref(), actor).await?;
    let verdict = Verdict {
        outcome,
        reason,
        workload: workload.map(str::to_owned),
        action: action.map(|action| action.id),
    };
    record(tx, delivery, verdict).await
}

/// Begins an action; the caller has made sure that the workload has no open one.
pub(crate) async fn propose(
    tx: &mut Transaction<'static, Sqlite>,
    delivery: &Delivery,
    proposal: &Proposal,
) -> Result<ActionId, StoreError> {
    let id = ActionId::new(delivery.received_at);
    sqlx::query(
        "INSERT INTO actions
             (id, workload, state, mode, fingerprint, starts_at, created_at, updated_at, deadline, reason)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9)",
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
    .execute(&mut **tx)
    .await
    .map_err(doing("propose an action"))?;
    let change = change(delivery, State::Proposed, &proposal.actor, &proposal.reason);
    append(tx, id, None, &change).await?;
    Ok(id)
}

fn change(delivery: &Delivery, to: State, actor: &str, reason: &str) -> Change {
    Change::new(to, delivery.received_at, actor, reason)
}

async fn resolve(
    tx: &mut Transaction<'static, Sqlite>,
    delivery: &Delivery,
    action: Option<&Action>,
    actor: &str,
) -> Result<(Outcome, String), StoreError> {
    let Some(action) = action else {
        return Ok((Outcome::Resolved, "the alert led to no action".to_owned()));
    };
    let is_revocable = action.state.is_open() && !action.state.has_effect();
    if !is_revocable {
        let reason = format!("action {} is {}", action.id, action.state);
        return Ok((Outcome::Resolved, reason));
    }
    // This firing itself is still on record as firing, so one is left when no other alert fires.
    if firing(tx, action.id).await? > 1 {
        let reason = format!("another alert still calls for action {}", action.id);
        return Ok((Outcome::Resolved, reason));
    }
    let reason = "the alert resolved before anything was done";
    let change = change(delivery, State::Superseded, actor, reason);
    swap(tx, action.id, action.state, &change).await?;
    Ok((Outcome::Superseded, reason.to_owned()))
}
