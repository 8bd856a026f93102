//! From the demand foreseen to a number of replicas, with the arithmetic in words.

use crate::{Foreseen, Shape};
use series::{PromDuration, Quantile};
use std::{ops::RangeInclusive, time::Duration};

/// How many replicas a demand needs, and the bounds that are kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sizing {
    /// The demand that one replica carries; above zero.
    pub per_replica: f64,
    /// The level of the forecast that is sized for.
    pub quantile: Quantile,
    /// The fewest replicas.
    pub min: u32,
    /// The most replicas.
    pub max: u32,
    /// The most that one action adds, as a share of what there is; above zero.
    pub step_up: f64,
    /// The most that one action takes away, as a share of what there is; above zero, at most one. An alert
    /// that foresees a breach never scales down; a person who edits a plan may.
    pub step_down: f64,
    /// How long it takes from an effect until it is felt, as long as that was not measured; above zero.
    pub lead_time: Duration,
}

/// What sizing came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Sized {
    /// More replicas are needed.
    Up {
        /// The number to ensure; above what there is.
        target: u32,
        /// How many more are needed than the maximum allows.
        missing: u32,
        /// The arithmetic, as a sentence.
        why: String,
    },
    /// What there is suffices, or more is not allowed.
    Enough {
        /// How many more are needed than the maximum allows.
        missing: u32,
        /// The arithmetic, as a sentence.
        why: String,
    },
    /// The forecast is not a number that can be sized for.
    Unusable {
        /// What is wrong with it, as a sentence.
        why: String,
    },
}

impl Sizing {
    /// Sizes for the larger of the demand foreseen and the demand now: the result is a floor under whatever
    /// else scales the workload, so it is never below what there is.
    pub fn size(&self, foreseen: &Foreseen, observed: Shape) -> Sized {
        let demand = foreseen.demand();
        if !foreseen.value.is_finite() || demand < 0.0 {
            let why = format!("the demand foreseen is {}", foreseen.value);
            return Sized::Unusable { why };
        }
        let needed = replicas(demand / self.per_replica);
        let mut words = vec![format!(
            "{} needs {needed} at {} per replica",
            self.demand_in_words(foreseen),
            self.per_replica,
        )];
        let target = self.bound(needed, observed, &mut words);
        // An autoscaler may have gone above what its floor can be set to.
        let most = self.most(observed).max(target).max(observed.replicas);
        let missing = needed.saturating_sub(most);
        if missing > 0 {
            let most = self.most(observed);
            words.push(format!("{missing} missing at the maximum of {most}"));
        }
        // Where an autoscaler governs, its floor is raised also below what it has scaled to for now.
        if target > observed.set_point() {
            return Sized::Up {
                target,
                missing,
                why: words.join(", "),
            };
        }
        words.push(format!("and there are {observed}"));
        let why = words.join(", ");
        Sized::Enough { missing, why }
    }

    /// The most that may be set: ours, or that of another system that has a say.
    fn most(&self, observed: Shape) -> u32 {
        observed
            .ceiling
            .map_or(self.max, |ceiling| ceiling.min(self.max))
    }

    /// The numbers that a person may choose from, but for what is there already; none where that is so far above
    /// `max` that no step leads back.
    pub fn bounds(&self, observed: Shape) -> RangeInclusive<u32> {
        let (least, most) = self.steps(observed);
        least.max(self.min)..=most.min(self.most(observed))
    }

    /// The fewest and the most that one step leads to.
    fn steps(&self, observed: Shape) -> (u32, u32) {
        let there = observed.set_point();
        let least = there - self.step_below(there);
        (least, self.reach(observed.replicas.max(there)))
    }

    /// What stands against a number that a person wants, if something does.
    pub fn objection(&self, wanted: u32, observed: Shape) -> Option<String> {
        let there = observed.set_point();
        let (least, most) = self.steps(observed);
        if wanted == there {
            Some(format!("there are {there} already"))
        } else if wanted < self.min {
            Some(format!("{wanted} is below min, which is {}", self.min))
        } else if wanted > self.max {
            Some(format!("{wanted} is above max, which is {}", self.max))
        } else if wanted > self.most(observed) {
            let most = self.most(observed);
            Some(format!(
                "{wanted} is above the autoscaler's maximum, which is {most}"
            ))
        } else if wanted < least {
            Some(format!("step_down allows no fewer than {least} of {there}"))
        } else if wanted > most {
            Some(format!(
                "step_up allows no more than {most} from {observed}"
            ))
        } else {
            None
        }
    }

    /// The most that one step leads to, and always one more.
    fn reach(&self, observed: u32) -> u32 {
        let step = replicas_below(f64::from(observed) * self.step_up).max(1);
        observed.saturating_add(step).max(self.min)
    }

    /// How many one step may take away: one at least, where there is one.
    fn step_below(&self, observed: u32) -> u32 {
        let step = replicas_below(f64::from(observed) * self.step_down);
        step.max(1).min(observed)
    }

    /// The demand that is sized for first, the other one in brackets.
    fn demand_in_words(&self, foreseen: &Foreseen) -> String {
        let ahead = format!(
            "{} foreseen in {} at quantile {}",
            rounded(foreseen.value),
            PromDuration::new(foreseen.horizon.get()),
            self.quantile,
        );
        match foreseen.current.filter(|value| value.is_finite()) {
            None => ahead,
            Some(now) if now > foreseen.value => format!("{} now ({ahead})", rounded(now)),
            Some(now) => format!("{ahead} ({} now)", rounded(now)),
        }
    }

    /// The step limit first, then `max`, then `min`, which is a promise that no limit breaks.
    fn bound(&self, needed: u32, observed: Shape, words: &mut Vec<String>) -> u32 {
        let reach = self.reach(observed.replicas);
        let ceiling = observed.ceiling.unwrap_or(u32::MAX);
        let mut target = needed;
        let limits = [
            (reach, "one step"),
            (self.max, "max"),
            (ceiling, "the autoscaler's maximum"),
        ];
        for (limit, name) in limits {
            if target > limit {
                words.push(format!("held to {limit} by {name}"));
                target = limit;
            }
        }
        if target < self.min {
            words.push(format!("raised to {} by min", self.min));
            target = self.min;
        }
        target
    }
}

/// Slack against the rounding of a quotient, so that 360 / 120 does not need four.
const QUOTIENT_SLACK: f64 = 1e-9;

fn replicas(quotient: f64) -> u32 {
    whole((quotient - QUOTIENT_SLACK).ceil())
}

fn replicas_below(product: f64) -> u32 {
    whole((product + QUOTIENT_SLACK).floor())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and what is beyond the range is bounded by `max` next"
)]
fn whole(number: f64) -> u32 {
    number as u32
}

/// Three digits after the point are enough for a sentence.
fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use series::{Horizon, Timestamp};

    fn sizing() -> Sizing {
        Sizing {
            per_replica: 120.0,
            quantile: Quantile::new(0.95).unwrap(),
            min: 3,
            max: 40,
            step_up: 1.0,
            step_down: 0.25,
            lead_time: Duration::from_mins(5),
        }
    }

    fn foreseen(value: f64, current: Option<f64>) -> Foreseen {
        let horizon = Horizon::new(Duration::from_hours(1)).unwrap();
        Foreseen {
            value,
            at: Timestamp::from_seconds(3_600),
            horizon,
            current,
        }
    }

    #[track_caller]
    fn check(value: f64, current: Option<f64>, observed: u32, expect: &str) {
        let sized = sizing().size(&foreseen(value, current), Shape::of(observed));
        let got = match sized {
            Sized::Up { target, why, .. } => format!("{target}: {why}"),
            Sized::Enough { why, .. } => format!("enough: {why}"),
            Sized::Unusable { why } => format!("unusable: {why}"),
        };
        assert_eq!(got, expect);
    }

    #[test]
    fn the_reason_shows_the_arithmetic() {
        let ahead = "foreseen in 1h at quantile 0.95";
        check(
            812.0,
            None,
            4,
            &format!("7: 812 {ahead} needs 7 at 120 per replica"),
        );
        check(
            840.0,
            None,
            4,
            &format!("7: 840 {ahead} needs 7 at 120 per replica"),
        );
        check(
            840.001,
            Some(431.5),
            4,
            &format!("8: 840.001 {ahead} (431.5 now) needs 8 at 120 per replica"),
        );
    }

    #[test]
    fn the_present_need_is_a_floor() {
        check(
            100.0,
            Some(700.0),
            4,
            "6: 700 now (100 foreseen in 1h at quantile 0.95) needs 6 at 120 per replica",
        );
        check(
            812.0,
            Some(f64::INFINITY),
            4,
            "7: 812 foreseen in 1h at quantile 0.95 needs 7 at 120 per replica",
        );
    }

    #[test]
    fn what_suffices_is_left_alone() {
        check(
            400.0,
            None,
            5,
            "enough: 400 foreseen in 1h at quantile 0.95 needs 4 at 120 per replica, and there are 5",
        );
        check(
            1e9,
            None,
            50,
            "enough: 1000000000 foreseen in 1h at quantile 0.95 needs 8333334 at 120 per replica, \
             held to 100 by one step, held to 40 by max, 8333284 missing at the maximum of 40, and there are 50",
        );
    }

    #[test]
    fn steps_and_bounds_hold() {
        check(
            9_999.0,
            None,
            4,
            "8: 9999 foreseen in 1h at quantile 0.95 needs 84 at 120 per replica, held to 8 by one step, \
         44 missing at the maximum of 40",
        );
        check(
            0.0,
            None,
            0,
            "3: 0 foreseen in 1h at quantile 0.95 needs 0 at 120 per replica, raised to 3 by min",
        );
    }

    #[test]
    fn the_maximum_of_an_autoscaler_is_kept_and_what_is_missing_is_said() {
        let check = |floor, expect: &Sized| {
            let observed = Shape {
                floor: Some(floor),
                ceiling: Some(6),
                ..Shape::of(4)
            };
            let sized = sizing().size(&foreseen(960.0, None), observed);
            assert_eq!(&sized, expect);
        };
        let why = "960 foreseen in 1h at quantile 0.95 needs 8 at 120 per replica, \
                   held to 6 by the autoscaler's maximum, 2 missing at the maximum of 6";
        check(
            2,
            &Sized::Up {
                target: 6,
                missing: 2,
                why: why.to_owned(),
            },
        );
        check(
            6,
            &Sized::Enough {
                missing: 2,
                why: format!("{why}, and there are 4 (floor 6)"),
            },
        );
    }

    #[test]
    fn what_is_no_demand_is_not_sized_for() {
        check(
            f64::NAN,
            Some(900.0),
            4,
            "unusable: the demand foreseen is NaN",
        );
        check(
            f64::INFINITY,
            None,
            4,
            "unusable: the demand foreseen is inf",
        );
        check(-5.0, None, 4, "unusable: the demand foreseen is -5");
    }

    #[test]
    fn a_person_is_held_to_the_same_limits() {
        let check = |wanted, observed, expect: Option<&str>| {
            let objection = sizing().objection(wanted, Shape::of(observed));
            assert_eq!(objection.as_deref(), expect);
        };
        check(7, 8, None);
        check(6, 8, None);
        check(5, 8, Some("step_down allows no fewer than 6 of 8"));
        check(16, 8, None);
        check(17, 8, Some("step_up allows no more than 16 from 8"));
        check(2, 3, Some("2 is below min, which is 3"));
        check(41, 30, Some("41 is above max, which is 40"));
        check(8, 8, Some("there are 8 already"));
        check(3, 0, None);
    }

    proptest! {
        #[test]
        fn a_target_is_above_what_there_is_and_within_bounds(
            value in -1e3..1e12_f64, current in proptest::option::of(0.0..1e12_f64), observed in 0..100_u32,
        ) {
            let sized = sizing().size(&foreseen(value, current), Shape::of(observed));
            if let Sized::Up { target, .. } = sized {
                prop_assert!(target > observed);
                prop_assert!((3..=40).contains(&target));
                prop_assert!(target <= (2 * observed).max(3));
                return Ok(());
            }
            // Nothing is done only where the present is served, or more is not allowed.
            let present = current.unwrap_or(0.0);
            prop_assert!(observed >= 40 || present <= f64::from(observed) * 120.0 * (1.0 + 1e-9));
        }
    }
}
