//! What an action is to bring about.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use crate::Shape;

/// What the configuration says of the thing that an actuator reaches; never anything from an alert.
pub type Target = BTreeMap<String, String>;

/// What is to be done, and the figures that it follows from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What there is to be in the end; absolute, so that ensuring it twice is ensuring it once.
    pub target: Shape,
    /// What was found when the plan was made.
    pub observed: Shape,
    /// What is ensured on the way, the last being the target. Journals of version 0.1 have none.
    #[serde(default)]
    pub stages: Vec<Stage>,
    /// The demand that is sized for, in the unit of the forecast: the one foreseen, or the present one where
    /// that is more.
    pub demand: f64,
    /// When the largest demand is foreseen, in milliseconds since the epoch.
    pub demand_at: i64,
    /// How far ahead that was.
    pub horizon: String,
    /// The level of the forecast that was taken.
    pub quantile: f64,
    /// The arithmetic, as a sentence.
    pub why: String,
    /// What a dry run of the first stage said, where the actuator has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rehearsal: Option<String>,
    /// Demand that one replica carries, as it was sized with. Older journals have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_replica: Option<f64>,
    /// The course of the demand as it was foreseen. For people to look at: nothing follows from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub course: Option<Course>,
}

/// The course foreseen for a demand: its median within its 90 % band, evenly spaced; finite values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Course {
    /// The time of the first values, in milliseconds since the epoch.
    pub start: i64,
    /// From each value to the next, in milliseconds.
    pub spacing: u64,
    /// The quantile 0.05.
    pub low: Vec<f64>,
    /// The median.
    pub median: Vec<f64>,
    /// The quantile 0.95.
    pub high: Vec<f64>,
}

/// One part of the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// What to ensure.
    pub shape: Shape,
    /// Whether its effect is judged before the next stage begins.
    pub judged: bool,
    /// How long the effect stays at least before the next stage begins.
    #[serde(default)]
    pub keep_seconds: u64,
}

impl Stage {
    /// A stage that is judged, and left as soon as it is found good.
    pub fn judged(shape: Shape) -> Self {
        Self {
            shape,
            judged: true,
            keep_seconds: 0,
        }
    }

    /// How long the effect stays at least.
    pub fn keep(self) -> Duration {
        Duration::from_secs(self.keep_seconds)
    }
}

impl Plan {
    /// The plan as the journal keeps it.
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).expect("a plan has texts and finite numbers only")
    }

    /// Reads a plan back from the journal.
    pub fn from_json(json: Option<&Value>) -> Result<Self, String> {
        let json = json.ok_or("the journal holds no plan")?;
        let mut plan = Self::deserialize(json)
            .map_err(|e| format!("the journal's plan cannot be read: {e}"))?;
        if plan.stages.is_empty() {
            plan.stages.push(Stage::judged(plan.target));
        }
        Ok(plan)
    }

    /// SHA-256 of what is to be done, in hexadecimal. An approval is bound to it: it is another one as soon as
    /// the target, a stage or what they follow from is.
    pub fn hash(&self) -> String {
        let decided = Self {
            course: None,
            ..self.clone()
        };
        let digest = Sha256::digest(decided.to_json().to_string());
        digest.iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a String takes all that is written to it");
            text
        })
    }

    /// The stage of this number, or the last one.
    pub fn stage(&self, number: u32) -> Stage {
        let last = Stage::judged(self.target);
        let stage = self.stages.get(number as usize).or(self.stages.last());
        stage.copied().unwrap_or(last)
    }

    /// Whether the target has more instances than there were; such a plan is a floor, one that takes away is a
    /// ceiling.
    pub fn is_upward(&self) -> bool {
        self.target.set_point() >= self.observed.set_point()
    }

    /// Whether what is found is what a stage ensures.
    pub fn is_met(&self, stage: Stage, found: Shape) -> bool {
        let wanted = stage.shape;
        let is_enough = if self.is_upward() {
            found.set_point() >= wanted.set_point()
        } else {
            found.set_point() <= wanted.set_point()
        };
        is_enough
            && wanted.floor.is_some() == found.floor.is_some()
            && wanted.canary == found.canary
            && wanted.fleets.is_none_or(|_| wanted.fleets == found.fleets)
    }

    /// What has come between since the plan was made, so that it cannot be followed; none where it still can.
    pub fn outdated_by(&self, found: Shape) -> Option<&'static str> {
        let planned = self.observed;
        if !found.is_of_same_object(planned) {
            return Some(match found.floor {
                Some(_) => {
                    "the object, or the autoscaler that governs it, was deleted and made anew"
                }
                None => "the object was deleted and made anew",
            });
        }
        match (planned.floor, found.floor) {
            (None, Some(_)) => return Some("an autoscaler governs it"),
            (Some(_), None) => return Some("the autoscaler that governed it is gone"),
            _ => {}
        }
        match (planned.fleets, found.fleets) {
            (Some(before), Some(after)) if before.active != after.active => {
                Some("the other fleet serves")
            }
            (Some(_), None) | (None, Some(_)) => Some("the workload is configured otherwise"),
            _ if planned.canary.is_some() != found.canary.is_some() => {
                Some("the workload is configured otherwise")
            }
            _ => None,
        }
    }

    /// Whether what is found is something that this plan wrote, up to a stage.
    pub fn is_ours(&self, stage: u32, found: Shape) -> bool {
        let begun = self.stages.iter().take(stage as usize + 1);
        begun.into_iter().any(|stage| stage.shape.is_set_as(found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Colour, Fleets, Identity};
    use serde_json::json;

    #[test]
    fn a_plan_of_an_older_journal_is_one_stage() {
        let old = json!({
            "target": {"replicas": 7}, "observed": {"replicas": 4}, "demand": 812.0, "demand_at": 0,
            "horizon": "1h", "quantile": 0.95, "why": "812 foreseen",
        });
        let plan = Plan::from_json(Some(&old)).unwrap();
        assert_eq!(plan.stages, [Stage::judged(Shape::of(7))]);
        assert_eq!(Plan::from_json(Some(&plan.to_json())), Ok(plan));
    }

    #[test]
    fn the_hash_is_of_what_is_to_be_done() {
        let text = json!({
            "target": {"replicas": 7}, "observed": {"replicas": 4}, "demand": 0.1 + 0.2, "demand_at": 0,
            "horizon": "1h", "quantile": 0.95, "why": "w",
        });
        let plan = Plan::from_json(Some(&text)).unwrap();
        let again = Plan::from_json(Some(&plan.to_json())).unwrap();
        assert_eq!(plan.hash(), again.hash());
        assert_eq!(plan.hash().len(), 64);
        let edited = Plan {
            target: Shape::of(8),
            ..plan.clone()
        };
        assert_ne!(edited.hash(), plan.hash());
        let drawn = Plan {
            course: Some(Course {
                start: 0,
                spacing: 60_000,
                low: vec![1.0],
                median: vec![2.0],
                high: vec![3.0],
            }),
            ..plan.clone()
        };
        assert_eq!(drawn.hash(), plan.hash(), "a picture is not what is done");
        assert_eq!(Plan::from_json(Some(&drawn.to_json())), Ok(drawn));
    }

    #[test]
    fn a_plan_is_for_what_was_found_when_it_was_made() {
        let plan = |observed: Shape| {
            Plan {
            observed,
            target: observed.set_to(7),
            ..Plan::from_json(Some(&json!({
                "target": {"replicas": 7}, "observed": {"replicas": 4}, "demand": 0.1, "demand_at": 0,
                "horizon": "1h", "quantile": 0.95, "why": "w",
            })))
            .unwrap()
        }
        };
        let governed = Shape {
            floor: Some(2),
            ..Shape::of(4)
        };
        let served = |active| Shape {
            fleets: Some(Fleets { active, idle: 0 }),
            ..Shape::of(4)
        };
        let named = |uid| Shape {
            identity: Identity::of(uid),
            ..Shape::of(4)
        };
        let (old, new) = (
            "8ab236f4-2f65-46fe-af98-a141a343388d",
            "accb528f-4a8c-40f6-9242-540160de5db0",
        );
        let check = |before, after, expect: &str| {
            let why = plan(before).outdated_by(after).unwrap_or_default();
            assert!(
                why.contains(expect) && why.is_empty() == expect.is_empty(),
                "{why}"
            );
        };
        check(Shape::of(4), Shape::of(9), "");
        check(governed, governed, "");
        check(governed, Shape::of(4), "is gone");
        check(Shape::of(4), governed, "an autoscaler governs it");
        check(
            served(Colour::Blue),
            served(Colour::Green),
            "the other fleet serves",
        );
        check(served(Colour::Blue), Shape::of(4), "configured otherwise");
        check(named(old), named(new), "made anew");
        check(named(old), Shape::of(4), "");
    }
}
