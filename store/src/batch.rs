//! Notifications that share a transaction: what is known of their alerts is read at once, each is judged in turn, and
//! what came of them is written at once.

use crate::{
    Accepted, ActionId, Change, Delivery, Ending, Intake, Outcome, Proposal, State, StoreError,
    accept::{Verdict, change, propose},
    known::{Known, Row},
    occurrence::{DOUBT, Reading},
    record::{make_room, write_down},
    transition::swap,
};
use series::Timestamp;
use sqlx::SqliteConnection;

/// Takes in notifications one after the other.
pub(crate) async fn take_together(
    connection: &mut SqliteConnection,
    notifications: &[Vec<Intake>],
) -> Result<Vec<Vec<Accepted>>, StoreError> {
    let known = Known::load(connection, notifications).await?;
    let mut batch = Batch { connection, known };
    let mut all = Vec::with_capacity(notifications.len());
    for intakes in notifications {
        let mut accepted = Vec::with_capacity(intakes.len());
        for intake in intakes {
            accepted.push(batch.take(intake).await?);
        }
        all.push(accepted);
    }
    let Batch { connection, known } = batch;
    write_down(connection, known.rows()).await?;
    make_room(connection, all.iter().flatten()).await?;
    Ok(all)
}

struct Batch<'c> {
    connection: &'c mut SqliteConnection,
    known: Known,
}

/// Answer to a firing alert that asks for an action.
enum Asked {
    /// The workload has an open action.
    Joins(ActionId),
    /// Something stands against a new one.
    Waits(String),
    /// A new one is proposed.
    Begins,
}

impl Batch<'_> {
    async fn take(&mut self, intake: &Intake) -> Result<Accepted, StoreError> {
        match intake {
            Intake::Asks {
                delivery,
                proposal,
                deferral,
            } => self.ask(delivery, proposal, deferral.as_deref()).await,
            Intake::Strays { delivery, reason } => {
                let verdict = Verdict {
                    outcome: Outcome::Unmatched,
                    reason: reason.clone(),
                    workload: None,
                    action: None,
                };
                let begun_at = delivery.cause.starts_at;
                Ok(self.conclude(delivery, begun_at, verdict))
            }
            Intake::Ends {
                delivery,
                workload,
                actor,
            } => self.end(delivery, workload.as_deref(), actor).await,
        }
    }

    async fn ask(
        &mut self,
        delivery: &Delivery,
        proposal: &Proposal,
        deferral: Option<&str>,
    ) -> Result<Accepted, StoreError> {
        let (cause, now) = (&delivery.cause, delivery.received_at);
        if let Some(idx) = self.known.beginning(cause) {
            let recorded = &self.known.row(idx).delivery;
            let is_doubted =
                recorded.outcome == Outcome::Ignored && now < recorded.received_at + DOUBT;
            if is_doubted || !recorded.outcome.is_provisional() {
                let recorded = recorded.clone();
                self.known.hear(idx, now);
                return Ok(Accepted::Duplicate(recorded));
            }
        }
        let is_known = self.known.beginning(cause).is_some();
        let heard_at = self.known.beginning(cause).map(|idx| self.known.row(idx));
        let heard_at = heard_at.map_or(now, |row| row.delivery.received_at);
        let begun_at = match Reading::of(cause.starts_at, &self.known.ends(cause), now) {
            Reading::New { begun_at } => begun_at,
            // It has been long enough since it was first heard, whatever was heard meanwhile.
            Reading::Doubtful if is_known => cause.starts_at,
            Reading::Doubtful => {
                let reason = "the alert has resolved already; unless its end is sent again, it is taken for one that \
                              fires anew"
                    .to_owned();
                let verdict = of(proposal, Outcome::Ignored, reason, None);
                return Ok(self.conclude(delivery, cause.starts_at, verdict));
            }
        };
        let verdict = match self.asked(proposal, deferral) {
            Asked::Joins(id) => {
                let state = self.known.state(id).unwrap_or(State::Proposed);
                let reason = format!("action {id} on {} is {state}", proposal.workload);
                of(proposal, Outcome::Joined, reason, Some(id))
            }
            Asked::Waits(reason) => of(proposal, Outcome::Deferred, reason, None),
            Asked::Begins => {
                let id = propose(self.connection, delivery, proposal, heard_at).await?;
                self.known.note_proposed(id, &proposal.workload);
                of(proposal, Outcome::Acted, proposal.reason.clone(), Some(id))
            }
        };
        Ok(self.conclude(delivery, begun_at, verdict))
    }

    fn asked(&self, proposal: &Proposal, deferral: Option<&str>) -> Asked {
        match (self.known.open_action(&proposal.workload), deferral) {
            (Some(id), _) => Asked::Joins(id),
            (None, Some(deferral)) => Asked::Waits(deferral.to_owned()),
            (None, None) => Asked::Begins,
        }
    }

    /// Notes what becomes of a beginning. One that is known keeps what was written of it before, unless that was as
    /// provisional, for another reason.
    fn conclude(&mut self, delivery: &Delivery, begun_at: Timestamp, verdict: Verdict) -> Accepted {
        let Some(idx) = self.known.beginning(&delivery.cause) else {
            if verdict.outcome != Outcome::Ignored {
                self.known.end_earlier(delivery);
            }
            let row = Row::of(delivery, begun_at, verdict);
            return Accepted::New(self.known.add(row));
        };
        let row = self.known.row(idx);
        let (before, is_action) = (&row.delivery, verdict.action.is_some());
        let said = (before.outcome, before.reason.as_str());
        let says_it_all = said == (verdict.outcome, verdict.reason.as_str());
        if says_it_all || !before.outcome.is_provisional() {
            let before = before.clone();
            self.known.hear(idx, delivery.received_at);
            return Accepted::Duplicate(before);
        }
        // What stands against an action says nothing new of when it began.
        let begun_at = if is_action { begun_at } else { row.begun_at };
        Accepted::New(self.known.settle(idx, begun_at, delivery, verdict))
    }

    async fn end(
        &mut self,
        delivery: &Delivery,
        workload: Option<&str>,
        actor: &str,
    ) -> Result<Accepted, StoreError> {
        let ended = self.known.end_beginnings(delivery);
        let mut verdict = Verdict {
            outcome: Outcome::Resolved,
            reason: "the alert led to no action".to_owned(),
            workload: workload.map(str::to_owned),
            action: None,
        };
        for id in ended {
            let (outcome, reason) = self.resolve(delivery, id, actor).await?;
            if verdict.action.is_none() || outcome == Outcome::Superseded {
                verdict.outcome = outcome;
                verdict.reason = reason;
                verdict.action = Some(id);
            }
        }
        if verdict.action.is_none()
            && let Some(known) = self.known.same_end(delivery)
        {
            return Ok(Accepted::Duplicate(known));
        }
        let row = Row::of(delivery, delivery.cause.starts_at, verdict);
        Ok(Accepted::New(self.known.add(row)))
    }

    /// Supersedes the action that an alert called for, if it has had no effect and no other alert calls for it.
    async fn resolve(
        &mut self,
        delivery: &Delivery,
        id: ActionId,
        actor: &str,
    ) -> Result<(Outcome, String), StoreError> {
        // An action that was read with its alert, or has been proposed since.
        let state = self.known.state(id).ok_or(StoreError::NotFound(id))?;
        if !state.is_open() || state.has_effect() {
            return Ok((Outcome::Resolved, format!("action {id} is {state}")));
        }
        if self.known.is_called_for(self.connection, id).await? {
            let reason = format!("another alert still calls for action {id}");
            return Ok((Outcome::Resolved, reason));
        }
        let reason = "the alert resolved before anything was done";
        let change = Change {
            ending: Some(Ending::Met),
            ..change(delivery, State::Superseded, actor, reason)
        };
        swap(self.connection, id, state, &change).await?;
        self.known.note_closed(id, State::Superseded);
        Ok((Outcome::Superseded, reason.to_owned()))
    }
}

fn of(proposal: &Proposal, outcome: Outcome, reason: String, action: Option<ActionId>) -> Verdict {
    Verdict {
        outcome,
        reason,
        workload: Some(proposal.workload.clone()),
        action,
    }
}
