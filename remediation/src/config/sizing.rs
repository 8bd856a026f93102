//! The key `sizing` of a workload.

use super::scalars::{count, positive_duration, share};
use crate::sizing::Sizing;
use series::Quantile;
use std::time::Duration;
use yaml::Fields;

/// Doubling catches up with any growth in a few actions, and a wild forecast costs at most as much again.
const STEP_UP: f64 = 1.0;

/// A quarter, so that a wrong step down leaves three quarters to carry the load.
const STEP_DOWN: f64 = 0.25;

/// Sized so that one time in twenty the demand is higher.
const QUANTILE: f64 = 0.95;

/// What an image to pull, a start and a few health checks take together.
const LEAD_TIME: Duration = Duration::from_mins(5);

pub(super) fn sizing(fields: &Fields) -> Option<Sizing> {
    let per_replica = fields.required("per_replica", |node| {
        let number = node.number()?;
        if !(number.is_finite() && number > 0.0) {
            node.problem(format!("must be above 0, got {number}"));
            return None;
        }
        Some(number)
    });
    let quantile = fields.optional("quantile", |node| {
        node.accept(Quantile::new(node.number()?))
    });
    let min = fields.required("min", count);
    let max = fields.required("max", count);
    if let (Some(min), Some(max)) = (min, max)
        && min > max
    {
        fields.problem("min", format!("min {min} is above max {max}"));
    }
    let step_up = fields.optional("step_up", share);
    let step_down = fields.optional("step_down", share);
    let lead_time = fields.optional("lead_time", positive_duration);
    if step_down.is_some_and(|share| share > 1.0) {
        fields.problem("step_down", "no more than 100% can be taken away");
    }
    Some(Sizing {
        per_replica: per_replica?,
        quantile: quantile.unwrap_or(Quantile::new(QUANTILE).expect("0.95 is a level")),
        min: min?,
        max: max?,
        step_up: step_up.unwrap_or(STEP_UP),
        step_down: step_down.unwrap_or(STEP_DOWN),
        lead_time: lead_time.unwrap_or(LEAD_TIME),
    })
}
