//! Whether an effect has arrived: what there is by now is read back, and held against what was set.

use crate::{
    Plan, Shape,
    actuator::{ActuatorError, Arrival},
    error::in_full,
    machine::Event,
    plan::Stage,
    work::{Finding, Job, made_anew},
};
use series::{PromDuration, Timestamp};
use std::time::Duration;

/// How often an effect that is under way is looked at.
const PAUSE: Duration = Duration::from_secs(2);

/// An effect that is there.
#[derive(Debug, Default)]
pub(crate) struct Arrived {
    /// How many instances have it, where that is known.
    pub(crate) instances: Option<u32>,
    /// What could not be told.
    remark: Option<String>,
}

impl Arrived {
    /// A verdict, with what was found of the effect itself.
    pub(crate) fn said_with(&self, how: &str) -> String {
        let instances = self.instances.map(|count| match count {
            1 => "; its one instance is ready".to_owned(),
            count => format!("; all {count} instances are ready"),
        });
        let remark = self.remark.as_ref().map(|remark| format!("; {remark}"));
        [Some(how.to_owned()), instances, remark]
            .into_iter()
            .flatten()
            .collect()
    }
}

impl Job<'_> {
    /// Reads back whether a stage is still as it was set, and whether it has come about. What has not is a finding:
    /// it is waited for until the state runs out, and then taken back; what somebody else has undone is left alone.
    pub(crate) async fn arrived(&self, plan: &Plan, stage: Stage) -> Result<Arrived, Finding> {
        let observed = match self.observe().await {
            Ok(observed) => observed,
            Err(error) => return Err(self.unread(&error)),
        };
        if let Some(why) = self.taken_away(plan, stage, observed) {
            return Err(Event::TakenAway(why).into());
        }
        match self.arrival(stage.shape).await {
            Ok(Arrival::Arrived { instances, remark }) => Ok(Arrived { instances, remark }),
            Ok(Arrival::Stuck(why)) => {
                Err(Event::Unjudged(format!("the effect does not arrive: {why}")).into())
            }
            Ok(Arrival::Underway(why)) if self.is_over() => {
                let since = self.action.stage_at.unwrap_or(self.now);
                let waited = PromDuration::new(whole_seconds(since, self.now));
                let why = format!("the effect has not arrived in {waited}: {why}");
                Err(Event::Unjudged(why).into())
            }
            Ok(Arrival::Underway(why)) => {
                self.claim.rest(PAUSE, self.now);
                Err(Finding::Hold(why))
            }
            Err(error) => Err(self.unread(&error)),
        }
    }

    /// What speaks against that there is still what was set.
    fn taken_away(&self, plan: &Plan, stage: Stage, observed: Shape) -> Option<String> {
        let found = Shape::from_json(self.action.pre_image.as_ref());
        if found.is_ok_and(|found| !observed.is_of_same_object(found)) {
            return Some(format!("left alone: {}", made_anew(observed)));
        }
        if plan.is_met(stage, observed) {
            return None;
        }
        let set = stage.shape;
        Some(match (set.floor, observed.floor) {
            (Some(_), None) => "the autoscaler whose floor was set is gone".to_owned(),
            (None, Some(_)) => {
                "an autoscaler governs it since the effect, and has the last word".to_owned()
            }
            _ => format!(
                "there are {observed}, not the {set} that were set: somebody else has changed that since"
            ),
        })
    }

    /// What a failed reading means: what is gone, or is not ours any more, will not be found by another.
    fn unread(&self, error: &ActuatorError) -> Finding {
        if matches!(
            error,
            ActuatorError::NotOurs(_) | ActuatorError::Refused { status: 404, .. }
        ) {
            return Event::TakenAway(in_full(error)).into();
        }
        self.claim.failed(None, self.now);
        Finding::Hold(format!("cannot read the effect back: {}", in_full(error)))
    }
}

fn whole_seconds(since: Timestamp, now: Timestamp) -> Duration {
    Duration::from_secs(now.since(since).as_secs())
}
