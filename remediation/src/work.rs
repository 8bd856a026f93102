//! Effects: bringing a stage about, and the way back.

use crate::{
    Plan, Remediation, Shape, Silence,
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
    /// The present by the clock that the action's deadline was set with.
    pub(crate) own: Timestamp,
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
    /// All that is missing is its turn; why it has not come.
    Queue(String),
    /// The world does not say what has become of what was ordered, and is asked again, beyond the time of the state,
    /// too.
    Persist(String),
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

/// The time of a call when that of the state is over.
const LATE_CALL: Duration = Duration::from_secs(10);

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

    pub(crate) async fn set(&self, shape: Shape) -> Result<(), ActuatorError> {
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
        let rest = if self.is_over() {
            LATE_CALL
        } else {
            end.since(self.own).max(SHORTEST_CALL)
        };
        match tokio::time::timeout(rest, call).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ActuatorError::TimedOut(rest)),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        expires_at(self.action).is_some_and(|end| self.own >= end)
    }

    /// The deadline, by the machine's clock as it shows now.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        let moved = self.now.as_millis() - self.own.as_millis();
        let by_now = |end: Timestamp| Timestamp::from_millis(end.as_millis().saturating_add(moved));
        self.action.deadline.map(by_now)
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

    /// What a failed write means once the effect is ordered: another attempt, which begins by reading back.
    fn unset(&self, error: &ActuatorError, give_up: fn(String) -> Event) -> Finding {
        let Verdict::Retry(pause) = error.verdict() else {
            return give_up(in_full(error)).into();
        };
        let n_writes = self.claim.failed_to_write(pause, self.now);
        let why = in_full(error);
        Finding::Retry(format!("attempt {n_writes} of {MAX_ATTEMPTS}: {why}"))
    }

    /// What it means that the world cannot be read while something is ordered of it: nothing is known, for now.
    pub(crate) fn unknown(&self, error: &ActuatorError, wanted: Shape) -> Finding {
        self.claim.failed(error.pause(), self.now);
        let why = in_full(error);
        Finding::Persist(if self.is_over() {
            format!("it is unknown whether there are {wanted} replicas: {why}")
        } else {
            why
        })
    }

    fn plan(&self) -> Result<(Plan, Stage), String> {
        let plan = Plan::from_json(self.action.plan.as_ref())?;
        let stage = plan.stage(self.action.stage);
        Ok((plan, stage))
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
pub(crate) fn said_of(shape: Shape) -> String {
    match shape.floor {
        Some(floor) => format!("the autoscaler's floor is {floor}"),
        None => format!("there are {shape} replicas"),
    }
}

/// A rollback in words: above a floor, how many there will be is the autoscaler's to say.
pub(crate) fn scaled_back(from: Shape, to: Shape) -> String {
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
            Err(error) => return job.unknown(&error, target),
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
        // Given up only now that it is known that the last attempt did not do it either.
        if job.claim.n_writes() >= MAX_ATTEMPTS {
            let last = job.claim.awaited().unwrap_or_default();
            return Event::Unensurable(last).into();
        }
        self.hush(job).await;
        // Looked at last, so that nothing lies between it and the call.
        if let Some(why) = kill_switch(job.guards).await {
            return Event::Unensurable(why).into();
        }
        match job.set(target).await {
            Ok(()) => Event::Ensured(format!("scaled {}", observed.change_to(target))).into(),
            Err(error) => job.unset(&error, Event::Unensurable),
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
