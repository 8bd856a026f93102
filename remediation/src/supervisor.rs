//! Moving open actions along: at each tick, each as far as it can go.

use crate::{
    Plan, Remediation, RemediationError, Warning,
    machine::{self, Event, OnInconclusive, OnTimeout, Pace, Reading, Step, Work, expires_at},
    progress::{Claim, Missing},
    remediation::Current,
    report::{Held, Moved, Report},
    work::{Finding, Job},
};
use series::Timestamp;
use std::time::Duration;
use store::{Action, ActionId, StoreError};

/// What one turn of one action came to.
enum Turn {
    Moved(Box<Action>),
    Held(String),
    Idle,
}

/// Until an action that waits for its turn is looked at again.
const TURN_PAUSE: Duration = Duration::from_secs(1);

/// What an effect whose workload is gone waits for.
const UNCONFIGURED: &str = "the workload is not configured any more";

/// For actions whose workload is gone: they enter no state that lasts.
const NO_PACE: Pace = Pace {
    grace: Duration::ZERO,
    approval_timeout: Duration::ZERO,
    on_timeout: OnTimeout::Reject,
    wait: Duration::ZERO,
    on_inconclusive: OnInconclusive::Keep,
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
        let runs = open.iter().map(|action| self.run(action, now));
        let mut report = Report::default();
        for run in futures::future::join_all(runs).await {
            report.moved.extend(run.moved);
            report.held.extend(run.held);
            report.faults.extend(run.faults);
        }
        Ok(report)
    }

    /// Moves on an action, as it was listed, unless it is in the pause after an attempt. What runs out does so all
    /// the same, and so does what is not configured any more.
    async fn run(&self, listed: &Action, now: Timestamp) -> Report {
        let mut report = Report::default();
        let id = listed.id;
        let Some(claim) = self.progress.claim(id) else {
            return report;
        };
        let current = self.current();
        let is_configured = current.reach(&listed.workload).is_some();
        let own = self.ages.own(listed, now);
        let runs_out = is_over(listed, own) && !machine::is_unknown(listed, own);
        if is_configured && claim.is_pausing(now) && !runs_out {
            return report;
        }
        let context = (&claim, &*current, now);
        match self.run_claimed(id, context, &mut report).await {
            // A person, or the end of the alert, was faster; the next tick sees what they made of it.
            Ok(()) | Err(StoreError::Conflict { .. } | StoreError::PlanChanged { .. }) => {}
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
        id: ActionId,
        (claim, current, now): (&Claim<'_>, &Current, Timestamp),
        report: &mut Report,
    ) -> Result<(), StoreError> {
        // Read anew under the claim: another tick may have moved it since the list was made.
        let mut action = self.journal.current(id).await?;
        // No state is entered twice at one stage, so this ends.
        while action.state.is_open() {
            match self.advance(&action, current, claim, now).await? {
                Turn::Moved(next) => {
                    report.moved.push(Moved::between(&action, &next));
                    claim.renew();
                    action = *next;
                }
                Turn::Held(reason) => {
                    report.held.push(Held {
                        action: id,
                        workload: action.workload,
                        reason,
                    });
                    break;
                }
                Turn::Idle => {
                    claim.goes_on();
                    break;
                }
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
        let own = self.ages.own(action, now);
        let is_over = is_over(action, own);
        let Some((workload, actuator)) = current.reach(&action.workload) else {
            // A reload that leaves out a workload for a moment does not leave its effect behind.
            if action.state.has_effect() && !is_over {
                return Ok(Turn::Held(UNCONFIGURED.to_owned()));
            }
            return self.enact(action, &Event::Abandoned, &NO_PACE, now).await;
        };
        let alerts = match machine::work(action, own) {
            // Plans ask for them once there is a forecast: there may be thousands.
            Work::Wait | Work::Plan => Vec::new(),
            _ => self.journal.firing_alerts(action.id).await?,
        };
        let job = Job {
            action,
            workload,
            actuator,
            guards: &current.settings.guards,
            alerts: &alerts,
            claim,
            now,
            own,
        };
        match self.work(&job, is_over).await? {
            Some(Finding::Event(Event::Cleared(observed))) => {
                let _gate = self.gate.lock().await;
                let finding = match Plan::from_json(action.plan.as_ref()) {
                    Ok(plan) => self.last_look(&job, &plan, observed).await?,
                    Err(why) => Event::Refused(why).into(),
                };
                self.follow(&job, finding, false).await
            }
            Some(finding) => self.follow(&job, finding, is_over).await,
            None if is_over => {
                let elapsed = Event::Elapsed(claim.awaited());
                self.enact(action, &elapsed, &pace(&job), now).await
            }
            None => Ok(Turn::Idle),
        }
    }

    /// Does what the action calls for. When its time is over, plans are not made and effects not begun any
    /// more, but what an effect came to is still read back and judged.
    async fn work(&self, job: &Job<'_>, is_over: bool) -> Result<Option<Finding>, StoreError> {
        if let Some(why) = self.turn_is_missing(job).await? {
            job.claim.rest(TURN_PAUSE, job.now);
            return Ok(Some(Finding::Queue(why)));
        }
        Ok(match machine::work(job.action, job.own) {
            Work::Plan if !is_over => Some(self.plan(job).await?),
            Work::Clear if !is_over => Some(self.clear(job).await?),
            Work::Plan | Work::Clear | Work::Wait => None,
            Work::Ensure => Some(self.ensure(job).await),
            Work::Verify => Some(self.verify(job).await?),
            Work::Restore => Some(self.restore(job).await?),
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
                job.claim.misses(Missing::More);
                if job.claim.awaits(&reason) {
                    tracing::info!(
                        action = %job.action.id,
                        workload = job.workload.name,
                        state = %job.action.state,
                        reason,
                        "action waits"
                    );
                }
                return Ok(Turn::Held(reason));
            }
            Finding::Retry(reason) => {
                job.claim.awaits(&reason);
                self.remark(job, job.deadline(), &reason).await?;
                return Ok(Turn::Held(reason));
            }
            Finding::Queue(reason) => return self.queue(job, reason).await,
            Finding::Persist(reason) => return self.persist(job, reason).await,
            Finding::Later { at, reason } => {
                self.remark(job, Some(at), &reason).await?;
                return Ok(Turn::Idle);
            }
        };
        self.measure_judged(job, &event).await?;
        self.enact(job.action, &event, &pace(job), job.now).await
    }

    /// Gives an action its place in the line, unless it has one.
    async fn queue(&self, job: &Job<'_>, reason: String) -> Result<Turn, StoreError> {
        job.claim.misses(Missing::Turn);
        job.claim.awaits(&reason);
        if job.action.queued_at.is_none() {
            let event = Event::Queued(reason.clone());
            self.enact(job.action, &event, &pace(job), job.now).await?;
        }
        Ok(Turn::Held(reason))
    }

    /// Waits for a world that does not say what has become of an effect, or of a rollback, beyond the time of it.
    async fn persist(&self, job: &Job<'_>, reason: String) -> Result<Turn, StoreError> {
        let action = job.action;
        if machine::gives_up_at(action).is_none_or(|end| job.own >= end) {
            let elapsed = Event::Elapsed(Some(reason));
            return self.enact(action, &elapsed, &pace(job), job.now).await;
        }
        let is_unknown = machine::is_unknown(action, job.own);
        let is_news = job.claim.awaits(&reason);
        if is_news {
            self.remark(job, job.deadline(), &reason).await?;
        }
        if is_news && is_unknown {
            tracing::warn!(action = %action.id, workload = action.workload, reason, "outcome of an action is unknown");
            let ends_at = job.now + machine::UNKNOWN_LIMIT;
            self.tell(&Warning::unknown(action, reason.clone(), ends_at))
                .await;
        }
        Ok(Turn::Held(reason))
    }

    /// Measures what the last stage, or the one that went wrong, has come to.
    async fn measure_judged(&self, job: &Job<'_>, event: &Event) -> Result<(), StoreError> {
        let Ok(plan) = Plan::from_json(job.action.plan.as_ref()) else {
            return Ok(());
        };
        let is_last = job.action.stage as usize + 1 >= plan.stages.len();
        let is_judged = match event {
            Event::Verified(_) => is_last,
            Event::Unverified(_) | Event::Unjudged(_) | Event::Doubted(_) => true,
            _ => false,
        };
        if is_judged {
            self.measure_after(job, &plan).await?;
        }
        Ok(())
    }

    /// Writes a line of history without leaving the state.
    async fn remark(
        &self,
        job: &Job<'_>,
        deadline: Option<Timestamp>,
        reason: &str,
    ) -> Result<(), StoreError> {
        let step = Step {
            to: job.action.state,
            stage: None,
            deadline,
            actor: machine::SUPERVISOR.to_owned(),
            reason: reason.to_owned(),
            ending: None,
            queued_at: None,
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
        let Some(step) = machine::step(action, event, pace, self.reading(action, now)) else {
            return Ok(Turn::Idle);
        };
        let next = self.write_down(action, step, Some(event), now).await?;
        Ok(Turn::Moved(Box::new(next)))
    }

    /// The present, and what an action's own clock shows.
    pub(crate) fn reading(&self, action: &Action, now: Timestamp) -> Reading {
        Reading {
            wall: now,
            own: self.ages.own(action, now),
        }
    }
}

/// Whether a state has run out; one without an end is not left to wait.
fn is_over(action: &Action, own: Timestamp) -> bool {
    expires_at(action).is_none_or(|end| own >= end)
}

/// The workload's pace, where a stage that is not judged, or waited for until it is ready, is not left to settle
/// first.
fn pace(job: &Job<'_>) -> Pace {
    let pace = job.workload.pace;
    let plan = Plan::from_json(job.action.plan.as_ref());
    let is_judged = plan.is_ok_and(|plan| plan.stage(job.action.stage).judged);
    if is_judged && job.workload.feedback.ready.is_none() {
        return pace;
    }
    Pace {
        wait: Duration::ZERO,
        ..pace
    }
}
