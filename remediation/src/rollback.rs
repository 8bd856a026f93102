//! The way back: what was there before an action, as long as what is there is ours.

use crate::{
    Canary, Plan, Remediation, Shape,
    actuator::ActuatorError,
    error::in_full,
    guards::kill_switch,
    machine::Event,
    work::{Finding, Job, made_anew, said_of, scaled_back},
};
use store::{Action, State, StoreError};

/// How many actions on one workload are looked at for what is there to be known as ours.
const MEMORY: u32 = 100;

/// What was found before an action, and what the actions from it on have made of that.
struct Traces {
    /// What the way back leads to.
    before: Shape,
    /// What was found before the action.
    found: Shape,
    /// Actions that built on each other, from the one that is rolled back on.
    built: Vec<(Plan, u32)>,
    /// What was found before older actions that were rolled back after this one began, and took its effect along.
    older: Vec<Shape>,
}

impl Remediation {
    /// Brings back what was there before the action, but only if what is there is what it wrote, or what later
    /// actions made of that: so it does not matter which of two is rolled back first.
    pub(crate) async fn restore(&self, job: &Job<'_>) -> Result<Finding, StoreError> {
        let effects = self.journal.effects(&job.workload.name, MEMORY).await?;
        let traces = match Traces::of(job.action, &effects) {
            Ok(traces) => traces,
            Err(why) => return Ok(Event::Unrestorable(why).into()),
        };
        Ok(job.restore(&traces).await)
    }
}

impl Job<'_> {
    async fn restore(&self, traces: &Traces) -> Finding {
        let before = traces.before;
        let observed = match self.observe().await {
            Ok(observed) => observed,
            Err(error) => return self.unknown(&error, before),
        };
        if !observed.is_of_same_object(traces.found) {
            let why = format!("left alone: {}", made_anew(observed));
            return Event::Unrestorable(why).into();
        }
        if let Some(how) = traces.is_back(observed) {
            return Event::Restored(how).into();
        }
        if !traces.are_ours(observed) {
            let ours = traces.last();
            let why = format!("left alone: there are {observed} replicas, not the {ours} we wrote");
            return Event::Unrestorable(why).into();
        }
        if let Some(why) = kill_switch(self.guards).await {
            return Finding::Persist(why);
        }
        match self.set(before).await {
            Ok(()) => Event::Restored(scaled_back(observed, before)).into(),
            // The rest of the way is gone when the kill switch is released.
            Err(error @ ActuatorError::Stopped(_)) => Finding::Persist(in_full(&error)),
            Err(error) => {
                // Also what is refused now may be allowed again before the time is over.
                let n_writes = self.claim.failed_to_write(error.pause(), self.now);
                Finding::Retry(format!("attempt {n_writes}: {}", in_full(&error)))
            }
        }
    }
}

impl Traces {
    fn of(action: &Action, effects: &[Action]) -> Result<Self, String> {
        let found = Shape::from_json(action.pre_image.as_ref())?;
        let plan = Plan::from_json(action.plan.as_ref())?;
        let mut traces = Self {
            // A canary that an earlier action left over is of no use to anybody.
            before: Shape {
                canary: found.canary.map(|_| Canary::default()),
                ..found
            },
            found,
            built: vec![(plan, action.stage)],
            older: Vec::new(),
        };
        for other in effects {
            let (Ok(found), Ok(plan)) = (
                Shape::from_json(other.pre_image.as_ref()),
                Plan::from_json(other.plan.as_ref()),
            ) else {
                continue;
            };
            if other.begun < action.begun {
                if other.state == State::RolledBack && other.moved > action.begun {
                    traces.older.push(found);
                }
            } else if other.begun > action.begun {
                // Where somebody else has scaled in between, the later one did not build on this one.
                if !traces.are_ours(found) {
                    break;
                }
                traces.built.push((plan, other.stage));
            }
        }
        Ok(traces)
    }

    /// Whether what is there is what was there before, and how that is said.
    fn is_back(&self, observed: Shape) -> Option<String> {
        if observed.is_set_as(self.before) || observed.is_set_as(self.found) {
            return Some(format!("{} again", said_of(self.before)));
        }
        let mut older = self.older.iter();
        older.any(|found| observed.is_set_as(*found)).then(|| {
            format!(
                "there are {observed} replicas, as before an earlier action that was rolled back"
            )
        })
    }

    fn are_ours(&self, observed: Shape) -> bool {
        let mut built = self.built.iter();
        built.any(|(plan, stage)| plan.is_ours(*stage, observed))
    }

    /// What is there if nobody else has changed it.
    fn last(&self) -> Shape {
        let last = self.built.last();
        last.map_or(self.found, |(plan, stage)| plan.stage(*stage).shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Stage;
    use series::Timestamp;
    use store::{ActionId, Cause, Mode};

    fn action(begun: i64, from: u32, to: u32, state: State) -> Action {
        let at = Timestamp::from_seconds(1_800_000_000);
        let plan = Plan {
            target: Shape::of(to),
            observed: Shape::of(from),
            stages: vec![Stage::judged(Shape::of(to))],
            demand: 1.0,
            demand_at: 0,
            horizon: "1h".to_owned(),
            quantile: 0.9,
            why: String::new(),
            rehearsal: None,
            per_replica: None,
            course: None,
        };
        Action {
            id: ActionId::new(at),
            workload: "shop".to_owned(),
            state,
            mode: Mode::Auto,
            cause: Cause {
                fingerprint: "f".to_owned(),
                starts_at: at,
            },
            plan: Some(plan.to_json()),
            pre_image: Some(Shape::of(from).to_json()),
            stage: 0,
            stage_at: Some(at),
            plan_no: 1,
            effect: None,
            created_at: at,
            updated_at: at,
            applied_at: Some(at),
            deadline: None,
            reason: String::new(),
            ending: None,
            attempt: 1,
            wanted_since: at,
            queued_at: None,
            begun,
            moved: begun,
        }
    }

    #[test]
    fn what_later_actions_built_on_an_effect_is_ours_too() {
        let effects = [
            action(1, 4, 8, State::RollingBack),
            action(2, 8, 12, State::Succeeded),
        ];
        let traces = Traces::of(&effects[0], &effects).unwrap();
        assert!(traces.are_ours(Shape::of(12)) && traces.are_ours(Shape::of(8)));
        assert!(!traces.are_ours(Shape::of(9)));
        assert_eq!(traces.before, Shape::of(4));
    }

    #[test]
    fn what_an_older_rollback_took_away_needs_no_way_back_any_more() {
        let older = Action {
            moved: 3,
            ..action(1, 4, 8, State::RolledBack)
        };
        let effects = [older, action(2, 8, 12, State::RollingBack)];
        let traces = Traces::of(&effects[1], &effects).unwrap();
        let how = traces.is_back(Shape::of(4)).unwrap();
        assert!(how.contains("before an earlier action"), "{how}");
        assert_eq!(traces.is_back(Shape::of(12)), None);
    }

    #[test]
    fn a_rollback_before_the_action_says_nothing_of_its_effect() {
        let effects = [
            action(1, 4, 6, State::RolledBack),
            action(2, 3, 4, State::RollingBack),
        ];
        let traces = Traces::of(&effects[1], &effects).unwrap();
        assert_eq!(traces.is_back(Shape::of(4)), None);
        assert!(traces.are_ours(Shape::of(4)));
    }

    #[test]
    fn a_later_action_on_what_somebody_else_wrote_is_left_alone() {
        let effects = [
            action(1, 4, 8, State::RollingBack),
            action(2, 6, 12, State::Succeeded),
        ];
        let traces = Traces::of(&effects[0], &effects).unwrap();
        assert!(!traces.are_ours(Shape::of(12)));
    }
}
