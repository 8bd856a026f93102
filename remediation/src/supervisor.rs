//! Moving open actions along: at each tick, each as far as it can go.

use crate::{
    Remediation, RemediationError,
    machine::{self, Event, OnTimeout, Pace, Step, Work, expires_at},
    progress::Claim,
    remediation::Current,
    work::{Finding, Job},
};
use series::Timestamp;
use std::time::Duration;
use store::{Action, ActionId, Change, State, StoreError};

/// What a tick did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Transitions, in order for each action.
    pub moved: Vec<Moved>,
    /// Actions that wait for something other than time or a person.
    pub held: Vec<Held>,
    /// Actions whose history could not be written, with the error.
    pub faults: Vec<(ActionId, String)>,
}

/// One transition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Which action.
    pub action: ActionId,
    /// On which workload.
    pub workload: String,
    /// The state that was left.
    pub from: State,
    /// The state that was entered.
    pub to: State,
    /// Why, as a sentence.
    pub reason: String,
}

/// An action that could not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Which action.
    pub action: ActionId,
    /// On which workload.
    pub workload: String,
    /// What it waits for, as a sentence.
    pub reason: String,
}

/// What one turn of one action came to.
enum Turn {
    Moved(Action),
    Held(String),
    Idle,
}

/// For actions whose workload is gone: they enter no state that lasts.
const NO_PACE: Pace = Pace {
    grace: Duration::ZERO,
    approval_timeout: Duration::ZERO,
    on_timeout: OnTimeout::Reject,
    wait: Duration::ZERO,
};

impl Remediation {
    /// Moves each open action as far as it can go, all of them at once. Returns when the slowest is done, which
    /// the time limits of actuators bound; ticks may overlap, as an action is worked on by one at a time.
    ///
    /// The first tick after a start takes up what a crash interrupted. Call it every second or so.
    pub async fn tick(&self, now: Timestamp) -> Result<Report, RemediationError> {
        // An alert that cannot be taken up must not hold up what is under way.
        if let Err(error) = self.reconsider(now).await {
            let error = crate::error::in_full(&error);
            tracing::error!(error, "cannot look for alerts to take up");
        }
        let open = self.journal.open_actions().await?;
        self.progress.keep(&open);
        let runs = open.iter().map(|action| self.run(action.id, now));
        let mut report = Report::default();
        for run in futures::future::join_all(runs).await {
            report.moved.extend(run.moved);
            report.held.extend(run.held);
            report.faults.extend(run.faults);
        }
        Ok(report)
    }

    async fn run(&self, id: ActionId, now: Timestamp) -> Report {
        let mut report = Report::default();
        let Some(claim) = self.progress.claim(id) else {
            return report;
        };
        match self.run_claimed(&claim, id, now, &mut report).await {
            // A person, or the end of the alert, was faster; the next tick sees what they made of it.
            Ok(()) | Err(StoreError::Conflict { .. }) => {}
            Err(error) => {
                let error = crate::error::in_full(&error);
                tracing::error!(action = %id, error, "cannot move an action");
                report.faults.push((id, error));
            }
        }
        report
    }

    async fn run_claimed(
        &self,
        claim: &Claim<'_>,
        id: ActionId,
        now: Timestamp,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        let current = self.current();
        // Read anew under the claim: another tick may have moved it since the list was made.
        let (mut action, _) = self.journal.action(id).await?;
        // States are never entered twice, so this ends.
        while action.state.is_open() {
            match self.advance(&action, &current, claim, now).await? {
                Turn::Moved(next) => {
                    report.moved.push(moved(&action, &next));
                    claim.renew();
                    action = next;
                }
                Turn::Held(reason) => {
                    report.held.push(Held {
                        action: id,
                        workload: action.workload,
                        reason,
                    });
                    break;
                }
                Turn::Idle => break,
            }
        }
        Ok(())
    }

    async fn advance(
        &self,
        action: &Action,
        current: &Current,
        claim: &Claim<'_>,
        now: Timestamp,
    ) -> Result<Turn, StoreError> {
        let Some((workload, actuator)) = current.reach(&action.workload) else {
            return self.enact(action, &Event::Abandoned, &NO_PACE, now).await;
        };
        let is_over = expires_at(action).is_none_or(|end| now >= end);
        if claim.is_pausing(now) && !is_over {
            return Ok(Turn::Idle);
        }
        let job = Job {
            action,
            workload,
            actuator,
            guards: &current.settings.guards,
            claim,
            now,
        };
        match self.work(&job, is_over).await? {
            Some(Finding::Event(Event::Cleared(observed))) => {
                let _gate = self.gate.lock().await;
                let finding = self.last_look(&job, job.guards, observed).await?;
                self.follow(&job, finding, false).await
            }
            Some(finding) => self.follow(&job, finding, is_over).await,
            None if is_over => {
                let elapsed = Event::Elapsed(claim.awaited());
                self.enact(action, &elapsed, &workload.pace, now).await
            }
            None => Ok(Turn::Idle),
        }
    }

    /// Does what the action calls for. When its time is over, plans are not made and effects not begun any
    /// more, but what an effect came to is still read back and judged.
    async fn work(&self, job: &Job<'_>, is_over: bool) -> Result<Option<Finding>, StoreError> {
        Ok(match machine::work(job.action, job.now) {
            Work::Plan if !is_over => Some(self.plan(job).await),
            Work::Clear if !is_over => Some(self.clear(job).await?),
            Work::Plan | Work::Clear | Work::Wait => None,
            Work::Ensure => Some(job.ensure().await),
            Work::Verify => Some(self.verify(job).await),
            Work::Restore => Some(job.restore().await),
        })
    }

    async fn follow(
        &self,
        job: &Job<'_>,
        finding: Finding,
        is_over: bool,
    ) -> Result<Turn, StoreError> {
        let event = match finding {
            Finding::Event(event) => event,
            Finding::Hold(reason) | Finding::Retry(reason) if is_over => {
                Event::Elapsed(Some(reason))
            }
            Finding::Hold(reason) => {
                job.claim.awaits(&reason);
                return Ok(Turn::Held(reason));
            }
            Finding::Retry(reason) => {
                job.claim.awaits(&reason);
                self.remark(job, &reason).await?;
                return Ok(Turn::Held(reason));
            }
        };
        self.enact(job.action, &event, &job.workload.pace, job.now)
            .await
    }

    /// Writes a line of history without leaving the state.
    async fn remark(&self, job: &Job<'_>, reason: &str) -> Result<(), StoreError> {
        let step = Step {
            to: job.action.state,
            deadline: job.action.deadline,
            actor: machine::SUPERVISOR.to_owned(),
            reason: reason.to_owned(),
        };
        self.write_down(job.action, step, None, job.now).await?;
        Ok(())
    }

    async fn enact(
        &self,
        action: &Action,
        event: &Event,
        pace: &Pace,
        now: Timestamp,
    ) -> Result<Turn, StoreError> {
        let Some(step) = machine::step(action, event, pace, now) else {
            return Ok(Turn::Idle);
        };
        self.write_down(action, step, Some(event), now)
            .await
            .map(Turn::Moved)
    }

    /// Puts a step into the journal, with what the event brings along.
    pub(crate) async fn write_down(
        &self,
        action: &Action,
        step: Step,
        event: Option<&Event>,
        now: Timestamp,
    ) -> Result<Action, StoreError> {
        let (plan, pre_image) = match event {
            Some(Event::Planned(plan) | Event::Suffices(plan)) => (Some(plan.to_json()), None),
            Some(Event::Cleared(observed)) => (None, Some(observed.to_json())),
            _ => (None, None),
        };
        let change = Change {
            to: step.to,
            at: now,
            actor: step.actor,
            reason: step.reason,
            deadline: step.deadline,
            plan,
            pre_image,
        };
        let next = self
            .journal
            .transition(action.id, action.state, &change)
            .await?;
        tracing::info!(
            action = %next.id,
            workload = next.workload,
            from = %action.state,
            to = %next.state,
            actor = change.actor,
            reason = next.reason,
            "action moved"
        );
        Ok(next)
    }
}

fn moved(before: &Action, after: &Action) -> Moved {
    Moved {
        action: after.id,
        workload: after.workload.clone(),
        from: before.state,
        to: after.state,
        reason: after.reason.clone(),
    }
}
