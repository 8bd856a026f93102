//! Effects: bringing a stage about, and the way back.

use crate::{
    Canary, Plan, Remediation, Shape, Silence,
    actuator::{Actuator, ActuatorError, Arrival, Occasion, Verdict},
    config::{Guards, Workload},
    error::in_full,
    guards::kill_switch,
    machine::{Event, expires_at},
    plan::Stage,
    progress::Claim,
};
use futures::future::BoxFuture;
use series::Timestamp;
use std::time::Duration;
use store::{Action, RecordedDelivery};

/// One action, and all that working on it takes.
pub(crate) struct Job<'a> {
    pub(crate) action: &'a Action,
    pub(crate) workload: &'a Workload,
    pub(crate) actuator: &'a dyn Actuator,
    pub(crate) guards: &'a Guards,
    /// The alerts that call for it and have not resolved; none while it waits or a plan is not begun.
    pub(crate) alerts: &'a [RecordedDelivery],
    pub(crate) claim: &'a Claim<'a>,
    pub(crate) now: Timestamp,
}

/// What a piece of work came to.
#[derive(Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one at a time, and it is gone with the turn"
)]
pub(crate) enum Finding {
    /// Something that the state machine should know.
    Event(Event),
    /// Not yet; what it waits for.
    Hold(String),
    /// A failed attempt on the world, to be written down, with another to come.
    Retry(String),
    /// To be written down, and taken up again at a time.
    Later {
        /// When.
        at: Timestamp,
        /// What was found so far.
        reason: String,
    },
}

impl From<Event> for Finding {
    fn from(event: Event) -> Self {
        Self::Event(event)
    }
}

/// How often an effect is tried; with the pauses in between, about two minutes.
const MAX_ATTEMPTS: u32 = 8;

/// The least that a call gets, so that an action at its deadline can still be read back.
const SHORTEST_CALL: Duration = Duration::from_secs(1);

impl Job<'_> {
    /// Reads what there is.
    pub(crate) async fn observe(&self) -> Result<Shape, ActuatorError> {
        let observed = self.in_time(self.actuator.observe(self.occasion())).await;
        observed.map_err(ActuatorError::of_a_question)
    }

    /// Tells what a shape would take.
    pub(crate) async fn rehearse(&self, shape: Shape) -> Result<Option<String>, ActuatorError> {
        let call = self.actuator.rehearse(self.occasion(), shape);
        let rehearsal = self.in_time(call).await;
        rehearsal.map_err(ActuatorError::of_a_question)
    }

    /// Tells how far a shape has come that was set.
    pub(crate) async fn arrival(&self, shape: Shape) -> Result<Arrival, ActuatorError> {
        let call = self.actuator.arrival(self.occasion(), shape);
        let arrival = self.in_time(call).await;
        arrival.map_err(ActuatorError::of_a_question)
    }

    async fn set(&self, shape: Shape) -> Result<(), ActuatorError> {
        let call = self.actuator.ensure(self.occasion(), shape);
        self.in_time(call).await
    }

    /// Whether what is set is a size and no number of instances.
    pub(crate) fn sets_a_size(&self) -> bool {
        let object = self.workload.actuator.object.as_deref();
        object.is_some_and(|object| object.setting.is_some())
    }

    fn occasion(&self) -> Occasion<'_> {
        Occasion {
            target: &self.workload.actuator.target,
            object: self.workload.actuator.object.as_deref(),
            action: self.action.id,
            workload: &self.workload.name,
            alerts: self.alerts,
            state: self.action.state,
            guards: self.guards,
            now: self.now,
        }
    }

    /// No call outlasts the action that it is made for.
    async fn in_time<T>(
        &self,
        call: BoxFuture<'_, Result<T, ActuatorError>>,
    ) -> Result<T, ActuatorError> {
        let Some(end) = expires_at(self.action) else {
            return call.await;
        };
        let rest = end.since(self.now).max(SHORTEST_CALL);
        match tokio::time::timeout(rest, call).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ActuatorError::TimedOut(rest)),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        expires_at(self.action).is_some_and(|end| self.now >= end)
    }

    /// What a failed reading means before there is an effect: there is time until the state runs out.
    pub(crate) fn early_failure(&self, error: &ActuatorError) -> Finding {
        match error.verdict() {
            Verdict::GiveUp => Event::Refused(in_full(error)).into(),
            Verdict::Retry(pause) => {
                self.claim.failed(pause, self.now);
                Finding::Hold(in_full(error))
            }
        }
    }

    /// What a failed call means once the effect is ordered: some more attempts, each reading back first.
    fn failure(&self, error: &ActuatorError, give_up: fn(String) -> Event) -> Finding {
        let Verdict::Retry(pause) = error.verdict() else {
            return give_up(in_full(error)).into();
        };
        let n_attempts = self.claim.failed(pause, self.now);
        let why = format!("attempt {n_attempts} of {MAX_ATTEMPTS}: {}", in_full(error));
        if n_attempts < MAX_ATTEMPTS {
            Finding::Retry(why)
        } else {
            give_up(why).into()
        }
    }

    fn plan(&self) -> Result<(Plan, Stage), String> {
        let plan = Plan::from_json(self.action.plan.as_ref())?;
        let stage = plan.stage(self.action.stage);
        Ok((plan, stage))
    }

    /// Brings back what was there before, but only if what is there is what we wrote.
    pub(crate) async fn restore(&self) -> Finding {
        let found = Shape::from_json(self.action.pre_image.as_ref());
        let (found, plan) = match (found, self.plan()) {
            (Ok(found), Ok((plan, _))) => (found, plan),
            (Err(why), _) | (_, Err(why)) => return Event::Unrestorable(why).into(),
        };
        // A canary that an earlier action left over is of no use to anybody.
        let before = Shape {
            canary: found.canary.map(|_| Canary::default()),
            ..found
        };
        let observed = match self.observe().await {
            Ok(observed) => observed,
            Err(error) => return self.failure(&error, Event::Unrestorable),
        };
        if !observed.is_of_same_object(found) {
            let why = format!("left alone: {}", made_anew(observed));
            return Event::Unrestorable(why).into();
        }
        if observed.is_set_as(before) || observed.is_set_as(found) {
            return Event::Restored(format!("{} again", said_of(before))).into();
        }
        if !plan.is_ours(self.action.stage, observed) {
            let ours = plan.stage(self.action.stage).shape;
            let why = format!("left alone: there are {observed} replicas, not the {ours} we wrote");
            return Event::Unrestorable(why).into();
        }
        if let Some(why) = kill_switch(self.guards).await {
            return Finding::Hold(why);
        }
        if self.is_over() {
            return Finding::Hold(format!("there are {observed} replicas, not {before}"));
        }
        match self.set(before).await {
            Ok(()) => Event::Restored(scaled_back(observed, before)).into(),
            // The rest of the way is gone when the kill switch is released.
            Err(error @ ActuatorError::Stopped(_)) => Finding::Hold(in_full(&error)),
            Err(error) => self.failure(&error, Event::Unrestorable),
        }
    }
}

/// Why an object is not touched that has taken the name of the one that an action is about.
pub(crate) fn made_anew(found: Shape) -> &'static str {
    match found.floor {
        Some(_) => {
            "the object, or the autoscaler that governs it, was deleted and made anew since the effect began"
        }
        None => "the object was deleted and made anew since the effect began",
    }
}

/// A shape in words, by the number that is set.
fn said_of(shape: Shape) -> String {
    match shape.floor {
        Some(floor) => format!("the autoscaler's floor is {floor}"),
        None => format!("there are {shape} replicas"),
    }
}

/// A rollback in words: above a floor, how many there will be is the autoscaler's to say.
fn scaled_back(from: Shape, to: Shape) -> String {
    let change = from.change_to(to);
    match to.floor {
        Some(_) => format!("set back {change}; the autoscaler scales above it"),
        None => format!("scaled back {change}"),
    }
}

impl Remediation {
    /// Brings a stage about, in one attempt that begins by reading back what earlier ones did.
    pub(crate) async fn ensure(&self, job: &Job<'_>) -> Finding {
        let (plan, stage) = match job.plan() {
            Ok(both) => both,
            Err(why) => return Event::Unensurable(why).into(),
        };
        let target = stage.shape;
        let observed = match job.observe().await {
            Ok(observed) => observed,
            Err(error) => return job.failure(&error, Event::Unensurable),
        };
        if plan.is_met(stage, observed) {
            let how = format!("there are {observed} replicas, as {target} were planned");
            return Event::Ensured(how).into();
        }
        let found = Shape::from_json(job.action.pre_image.as_ref());
        if found.is_ok_and(|found| !observed.is_of_same_object(found)) {
            let why = format!("left alone: {}", made_anew(observed));
            return Event::Unensurable(why).into();
        }
        if job.is_over() {
            return Finding::Hold(format!("there are {observed} replicas, not {target}"));
        }
        self.hush(job).await;
        // Looked at last, so that nothing lies between it and the call.
        if let Some(why) = kill_switch(job.guards).await {
            return Event::Unensurable(why).into();
        }
        match job.set(target).await {
            Ok(()) => Event::Ensured(format!("scaled {}", observed.change_to(target))).into(),
            Err(error) => job.failure(&error, Event::Unensurable),
        }
    }

    /// Silences what the effect will stir, where that is configured. Doing without is no reason to stop.
    async fn hush(&self, job: &Job<'_>) {
        let Some(order) = &job.workload.silence else {
            return;
        };
        let (action, workload) = (job.action.id, &job.workload.name);
        let silence = Silence {
            key: format!("{action}/{}", job.action.stage),
            matchers: order.matchers.clone(),
            starts_at: job.now,
            ends_at: job.now + order.lasts,
            comment: format!("action on {workload} takes effect"),
        };
        if let Err(error) = self.alerting.silence(&silence).await {
            tracing::warn!(%action, workload, error, "what an action stirs could not be silenced");
        }
    }
}
