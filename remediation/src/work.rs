//! Effects and their judgement: bringing a plan about, verifying it, and the way back.

use crate::{
    Plan, Remediation, Shape,
    actuator::{Actuator, ActuatorError, Verdict},
    clearing::kill_switch,
    config::{Check, Guards, Workload},
    error::in_full,
    machine::{Event, expires_at},
    progress::Claim,
};
use futures::future::BoxFuture;
use series::{Labels, Timestamp};
use std::time::Duration;
use store::Action;

/// One action, and all that working on it takes.
pub(crate) struct Job<'a> {
    pub(crate) action: &'a Action,
    pub(crate) workload: &'a Workload,
    pub(crate) actuator: &'a dyn Actuator,
    pub(crate) guards: &'a Guards,
    pub(crate) claim: &'a Claim<'a>,
    pub(crate) now: Timestamp,
}

/// What a piece of work came to.
#[derive(Debug, PartialEq)]
pub(crate) enum Finding {
    /// Something that the state machine should know.
    Event(Event),
    /// Not yet; what it waits for.
    Hold(String),
    /// A failed attempt on the world, to be written down, with another to come.
    Retry(String),
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
        let target = &self.workload.actuator.target;
        self.in_time(self.actuator.observe(target)).await
    }

    async fn set(&self, shape: Shape) -> Result<(), ActuatorError> {
        let target = &self.workload.actuator.target;
        self.in_time(self.actuator.ensure(target, shape)).await
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

    fn is_over(&self) -> bool {
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

    /// Brings the plan about, in one attempt that begins by reading back what earlier ones did.
    pub(crate) async fn ensure(&self) -> Finding {
        let target = match Plan::from_json(self.action.plan.as_ref()) {
            Ok(plan) => plan.target,
            Err(why) => return Event::Unensurable(why).into(),
        };
        let observed = match self.observe().await {
            Ok(observed) => observed,
            Err(error) => return self.failure(&error, Event::Unensurable),
        };
        if observed.replicas >= target.replicas {
            let how = format!("there are {observed} replicas, as {target} were planned");
            return Event::Ensured(how).into();
        }
        if let Some(why) = kill_switch(self.guards) {
            return Event::Unensurable(why).into();
        }
        if self.is_over() {
            return Finding::Hold(format!("there are {observed} replicas, not {target}"));
        }
        match self.set(target).await {
            Ok(()) => Event::Ensured(format!("scaled {observed} → {target}")).into(),
            Err(error) => self.failure(&error, Event::Unensurable),
        }
    }

    /// Brings back what was there before, but only if what is there is what we wrote.
    pub(crate) async fn restore(&self) -> Finding {
        let before = Shape::from_json(self.action.pre_image.as_ref());
        let ours = Plan::from_json(self.action.plan.as_ref());
        let (before, ours) = match (before, ours) {
            (Ok(before), Ok(plan)) => (before, plan.target),
            (Err(why), _) | (_, Err(why)) => return Event::Unrestorable(why).into(),
        };
        let observed = match self.observe().await {
            Ok(observed) => observed,
            Err(error) => return self.failure(&error, Event::Unrestorable),
        };
        if observed == before {
            return Event::Restored(format!("there are {before} replicas again")).into();
        }
        if observed != ours {
            let why = format!("left alone: there are {observed} replicas, not the {ours} we wrote");
            return Event::Unrestorable(why).into();
        }
        if let Some(why) = kill_switch(self.guards) {
            return Finding::Hold(why);
        }
        if self.is_over() {
            return Finding::Hold(format!("there are {observed} replicas, not {before}"));
        }
        match self.set(before).await {
            Ok(()) => Event::Restored(format!("scaled back {observed} → {before}")).into(),
            Err(error) => self.failure(&error, Event::Unrestorable),
        }
    }
}

impl Remediation {
    /// Judges an effect: every expression must return something, and nothing that says false.
    pub(crate) async fn verify(&self, job: &Job<'_>) -> Finding {
        let checks = &job.workload.rollout.verify;
        for check in checks {
            match self.evidence.query(&check.expr, job.now).await {
                Ok(answer) => {
                    if let Some(why) = objection(check, &answer) {
                        return Event::Unverified(why).into();
                    }
                }
                Err(error) => {
                    job.claim.failed(None, job.now);
                    return Finding::Hold(format!("cannot evaluate {}: {error}", check.expr));
                }
            }
        }
        let how = match checks.as_slice() {
            [] => "carried out; nothing to verify is configured".to_owned(),
            [check] => format!("verified: {} holds", check.expr),
            _ => format!("verified: all {} expressions hold", checks.len()),
        };
        Event::Verified(how).into()
    }
}

fn objection(check: &Check, answer: &[(Labels, f64)]) -> Option<String> {
    if answer.is_empty() {
        return Some(format!("does not hold: {}", check.expr));
    }
    let is_false = |value: f64| value.is_nan() || (check.zero_is_false && value.abs() == 0.0);
    let (labels, value) = answer.iter().find(|(_, value)| is_false(*value))?;
    Some(format!(
        "does not hold: {} is {value} for {labels}",
        check.expr
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(zero_is_false: bool, values: &[f64], expect: Option<&str>) {
        let labels = Labels::new([("instance", "a")]).unwrap();
        let answer: Vec<_> = values
            .iter()
            .map(|value| (labels.clone(), *value))
            .collect();
        let check = Check {
            expr: "x".to_owned(),
            zero_is_false,
        };
        assert_eq!(objection(&check, &answer).as_deref(), expect);
    }

    #[test]
    fn nothing_at_all_does_not_hold() {
        check(false, &[], Some("does not hold: x"));
        check(true, &[], Some("does not hold: x"));
    }

    #[test]
    fn zero_is_false_only_after_bool() {
        check(false, &[0.0, 0.4], None);
        check(true, &[1.0, 1.0], None);
        let why = r#"does not hold: x is 0 for {instance="a"}"#;
        check(true, &[1.0, 0.0], Some(why));
    }

    #[test]
    fn what_is_not_a_number_does_not_hold() {
        let why = r#"does not hold: x is NaN for {instance="a"}"#;
        check(false, &[f64::NAN], Some(why));
    }
}
