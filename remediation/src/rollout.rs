//! The way from what there is to a target: at once, in steps, or beside what serves.

use crate::{
    Plan, Shape,
    plan::Stage,
    shape::{Canary, Fleets},
};
use std::time::Duration;

/// How an effect is brought about.
#[derive(Debug, Clone, PartialEq)]
pub enum Strategy {
    /// All at once.
    Direct,
    /// By shares of the change, ascending and below one; what is left follows at the end. Where a copy of the
    /// workload can be made, it is the whole change, on a copy of so many of the instances.
    Canary {
        /// The shares after which the effect is judged.
        steps: Vec<f64>,
    },
    /// A second fleet beside the one that serves, then a switch; the old one stays for a while.
    BlueGreen {
        /// How long the old fleet stays after the switch.
        retain: Duration,
    },
}

impl Strategy {
    /// The stages from what was found to so many replicas; the last one is the target.
    ///
    /// # Errors
    /// A sentence where the actuator does not tell what the strategy needs.
    pub fn stages(&self, observed: Shape, replicas: u32) -> Result<Vec<Stage>, String> {
        match self {
            Self::Direct => Ok(vec![Stage::judged(observed.set_to(replicas))]),
            Self::Canary { steps } if observed.canary.is_some() => {
                Ok(on_a_copy(steps, observed, replicas))
            }
            Self::Canary { steps } => Ok(in_steps(steps, observed, replicas)),
            Self::BlueGreen { retain } => side_by_side(observed, replicas, *retain),
        }
    }

    /// The stages of a plan that was made for another target than its own, as a person edits it.
    pub(crate) fn edit(&self, plan: &Plan, replicas: u32) -> Result<Plan, String> {
        let stages = self.stages(plan.observed, replicas)?;
        let target = stages.last().map_or(plan.target, |stage| stage.shape);
        Ok(Plan {
            target,
            stages,
            ..plan.clone()
        })
    }

    /// How many stages are judged.
    pub(crate) fn n_judged(&self) -> u32 {
        match self {
            Self::Direct => 1,
            Self::Canary { steps } => u32::try_from(steps.len()).unwrap_or(u32::MAX - 1) + 1,
            Self::BlueGreen { .. } => 2,
        }
    }
}

/// Each step moves at least one instance, and steps that come to the same number are one.
fn in_steps(steps: &[f64], observed: Shape, replicas: u32) -> Vec<Stage> {
    let from = start(observed, replicas);
    let change = f64::from(replicas) - f64::from(from);
    let mut stages: Vec<Stage> = Vec::new();
    for share in steps.iter().copied().chain([1.0]) {
        let moved = (change.abs() * share - 1e-9).ceil().copysign(change);
        let replicas = whole(f64::from(from) + moved);
        if stages
            .last()
            .is_none_or(|last| last.shape.set_point() != replicas)
        {
            stages.push(Stage::judged(observed.set_to(replicas)));
        }
    }
    stages
}

fn on_a_copy(steps: &[f64], observed: Shape, size: u32) -> Vec<Stage> {
    let tried = steps.iter().map(|share| Shape {
        canary: Some(Canary {
            size,
            percent: whole((share * 100.0).round()).max(1),
        }),
        ..observed
    });
    let all = tried.chain([observed.set_to(size)]);
    all.map(Stage::judged).collect()
}

/// Where steps begin to be felt: a floor that is raised changes nothing up to the number that there is.
fn start(observed: Shape, replicas: u32) -> u32 {
    let set = observed.set_point();
    if replicas > set {
        observed.replicas.clamp(set, replicas)
    } else {
        set
    }
}

fn side_by_side(observed: Shape, replicas: u32, retain: Duration) -> Result<Vec<Stage>, String> {
    let fleets = observed
        .fleets
        .ok_or("blue/green needs an actuator that tells which fleet serves")?;
    let fleet = |replicas, active, idle| Shape {
        fleets: Some(Fleets { active, idle }),
        ..Shape::of(replicas)
    };
    let next = fleets.active.other();
    Ok(vec![
        Stage::judged(fleet(observed.replicas, fleets.active, replicas)),
        Stage {
            keep_seconds: retain.as_secs(),
            ..Stage::judged(fleet(replicas, next, observed.replicas))
        },
        Stage {
            judged: false,
            ..Stage::judged(fleet(replicas, next, 0))
        },
    ])
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the number lies between two counts of replicas"
)]
fn whole(number: f64) -> u32 {
    number as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::Colour;
    use proptest::{prop_assert, prop_assert_eq, proptest};

    #[track_caller]
    fn check(steps: &[f64], from: u32, to: u32, expect: &[u32]) {
        let canary = Strategy::Canary {
            steps: steps.to_vec(),
        };
        let stages = canary.stages(Shape::of(from), to).unwrap();
        let replicas: Vec<_> = stages.iter().map(|stage| stage.shape.replicas).collect();
        assert_eq!(replicas, expect);
    }

    #[test]
    fn a_canary_goes_by_shares_of_the_change() {
        check(&[0.1, 0.5], 4, 14, &[5, 9, 14]);
        check(&[0.1, 0.5], 4, 7, &[5, 6, 7]);
        check(&[0.1, 0.5], 4, 5, &[5]);
        check(&[0.5], 10, 5, &[7, 5]);
    }

    #[test]
    fn a_floor_is_raised_from_where_it_begins_to_be_felt() {
        let stages = |replicas, floor, to| {
            let observed = Shape {
                floor: Some(floor),
                ..Shape::of(replicas)
            };
            let canary = Strategy::Canary { steps: vec![0.5] };
            let stages = canary.stages(observed, to).unwrap();
            let floors = stages.iter().map(|stage| stage.shape.floor.unwrap());
            floors.collect::<Vec<_>>()
        };
        assert_eq!(stages(4, 2, 14), [9, 14]);
        assert_eq!(
            stages(9, 2, 8),
            [8],
            "there are more than the floor asks for"
        );
        assert_eq!(stages(9, 8, 4), [6, 4]);
    }

    #[test]
    fn a_copy_has_the_whole_change_and_is_gone_in_the_end() {
        let observed = Shape {
            canary: Some(Canary::default()),
            ..Shape::of(4)
        };
        let steps = vec![0.1, 0.5];
        let stages = Strategy::Canary { steps }.stages(observed, 6).unwrap();
        let words: Vec<_> = stages.iter().map(|stage| stage.shape.to_string()).collect();
        assert_eq!(
            words,
            [
                "4 beside a canary of 10% at 6",
                "4 beside a canary of 50% at 6",
                "6"
            ]
        );
        assert_eq!(stages[2].shape.canary, Some(Canary::default()));
    }

    #[test]
    fn the_old_fleet_stays_until_the_new_one_has_served() {
        let observed = Shape {
            fleets: Some(Fleets {
                active: Colour::Blue,
                idle: 0,
            }),
            ..Shape::of(4)
        };
        let retain = Duration::from_mins(10);
        let stages = Strategy::BlueGreen { retain }.stages(observed, 7).unwrap();
        let words: Vec<_> = stages.iter().map(|stage| stage.shape.to_string()).collect();
        assert_eq!(
            words,
            ["4 blue beside 7 green", "7 green beside 4 blue", "7 green"]
        );
        assert_eq!(stages[1].keep(), retain);
        assert!(!stages[2].judged);
    }

    #[test]
    fn blue_green_needs_to_know_which_fleet_serves() {
        let retain = Duration::ZERO;
        let stages = Strategy::BlueGreen { retain }.stages(Shape::of(4), 7);
        assert!(stages.unwrap_err().contains("which fleet serves"));
    }

    proptest! {
        #[test]
        fn steps_go_one_way_and_end_at_the_target(
            steps in proptest::collection::vec(0.001..0.999_f64, 0..6), from in 0..500_u32, to in 0..500_u32,
        ) {
            let mut steps = steps;
            steps.sort_by(f64::total_cmp);
            let n_steps = steps.len();
            let stages = Strategy::Canary { steps }.stages(Shape::of(from), to).unwrap();
            prop_assert!(stages.len() <= n_steps + 1);
            prop_assert_eq!(stages.last().unwrap().shape.replicas, to);
            let mut before = from;
            for stage in stages {
                let now = stage.shape.replicas;
                let goes_on = if to > from { now > before } else { now < before };
                prop_assert!(goes_on || from == to, "{before} → {now}");
                before = now;
            }
        }
    }
}
