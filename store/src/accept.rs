//! Taking in an alert: written down once, joined to the action that exists, or the beginning of a new one.

use crate::{
    Action, ActionId, AlertStatus, Change, Delivery, Journal, Mode, Outcome, RecordedDelivery,
    State, StoreError,
    error::doing,
    lookup::{caused_by, firing, known, open_action},
    rows,
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
struct Verdict {
    outcome: Outcome,
    reason: String,
    workload: Option<String>,
    action: Option<ActionId>,
}

impl Journal {
    /// Takes in a firing alert that asks for an action on a workload, in one transaction.
    ///
    /// A duplicate changes nothing, unless it was deferred before; an alert whose end was heard already is
    /// ignored; where the workload has an open action, the alert joins it; else an action is proposed.
    pub async fn accept(
        &self,
        delivery: &Delivery,
        proposal: &Proposal,
    ) -> Result<Accepted, StoreError> {
        let mut tx = self.write().await?;
        if let Some(known) = known(&mut tx, delivery).await? {
            return Ok(Accepted::Duplicate(known));
        }
        let verdict = if let Some(verdict) = ended(&mut tx, delivery, &proposal.workload).await? {
            verdict
        } else if let Some(open) = open_action(&mut tx, &proposal.workload).await? {
            Verdict {
                outcome: Outcome::Joined,
                reason: format!("action {} on {} is {}", open.id, open.workload, open.state),
                workload: Some(open.workload),
                action: Some(open.id),
            }
        } else {
            propose(&mut tx, delivery, proposal).await?
        };
        record(tx, delivery, verdict).await
    }

    /// Takes in an alert that leads to no action, with the reason, in one transaction.
    ///
    /// `outcome` is [`Outcome::Unmatched`] or [`Outcome::Deferred`]; a duplicate keeps what was written
    /// before, unless that was a deferral.
    pub async fn accept_without_action(
        &self,
        delivery: &Delivery,
        workload: Option<&str>,
        outcome: Outcome,
        reason: &str,
    ) -> Result<Accepted, StoreError> {
        let mut tx = self.write().await?;
        if let Some(known) = known(&mut tx, delivery).await? {
            return Ok(Accepted::Duplicate(known));
        }
        let workload = workload.map(str::to_owned);
        let ended = match &workload {
            Some(workload) => ended(&mut tx, delivery, workload).await?,
            None => None,
        };
        let verdict = ended.unwrap_or(Verdict {
            outcome,
            reason: reason.to_owned(),
            workload,
            action: None,
        });
        record(tx, delivery, verdict).await
    }

    /// Takes in the end of an alert, in one transaction.
    ///
    /// An action that it brought about or joined, which has had no effect yet and for which no other alert
    /// fires, is superseded.
    pub async fn accept_resolved(
        &self,
        delivery: &Delivery,
        workload: Option<&str>,
        actor: &str,
    ) -> Result<Accepted, StoreError> {
        let mut tx = self.write().await?;
        if let Some(known) = known(&mut tx, delivery).await? {
            return Ok(Accepted::Duplicate(known));
        }
        let action = caused_by(&mut tx, &delivery.cause).await?;
        let (outcome, reason) = resolve(&mut tx, delivery, action.as_ref(), actor).await?;
        let verdict = Verdict {
            outcome,
            reason,
            workload: workload.map(str::to_owned),
            action: action.map(|action| action.id),
        };
        record(tx, delivery, verdict).await
    }
}

/// Alertmanagers that gossip may send the beginning of an alert after its end.
async fn ended(
    tx: &mut Transaction<'static, Sqlite>,
    delivery: &Delivery,
    workload: &str,
) -> Result<Option<Verdict>, StoreError> {
    let end = Delivery {
        status: AlertStatus::Resolved,
        ..delivery.clone()
    };
    let heard = known(tx, &end).await?.is_some();
    Ok(heard.then(|| Verdict {
        outcome: Outcome::Ignored,
        reason: "the alert has resolved already".to_owned(),
        workload: Some(workload.to_owned()),
        action: None,
    }))
}

async fn propose(
    tx: &mut Transaction<'static, Sqlite>,
    delivery: &Delivery,
    proposal: &Proposal,
) -> Result<Verdict, StoreError> {
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
    Ok(Verdict {
        outcome: Outcome::Acted,
        reason: proposal.reason.clone(),
        workload: Some(proposal.workload.clone()),
        action: Some(id),
    })
}

fn change(delivery: &Delivery, to: State, actor: &str, reason: &str) -> Change {
    Change {
        to,
        at: delivery.received_at,
        actor: actor.to_owned(),
        reason: reason.to_owned(),
        deadline: None,
        plan: None,
        pre_image: None,
    }
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

async fn record(
    mut tx: Transaction<'static, Sqlite>,
    delivery: &Delivery,
    verdict: Verdict,
) -> Result<Accepted, StoreError> {
    let row = sqlx::query(
        "INSERT INTO deliveries
             (fingerprint, starts_at, status, workload, received_at, outcome, reason, action)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (fingerprint, starts_at, status) DO UPDATE
             SET outcome = excluded.outcome, reason = excluded.reason, action = excluded.action
         RETURNING *",
    )
    .bind(&delivery.cause.fingerprint)
    .bind(delivery.cause.starts_at.as_millis())
    .bind(delivery.status.as_str())
    .bind(&verdict.workload)
    .bind(delivery.received_at.as_millis())
    .bind(verdict.outcome.as_str())
    .bind(&verdict.reason)
    .bind(verdict.action.map(|id| id.to_string()))
    .fetch_one(&mut *tx)
    .await
    .map_err(doing("write down a delivery"))?;
    let recorded = rows::delivery(&row)?;
    tx.commit().await.map_err(doing("commit a delivery"))?;
    Ok(Accepted::New(recorded))
}
