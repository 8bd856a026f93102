//! The places of everything in the picture.

use super::{
    Capacity, Chart, FRAME, Mark, Peak, Span,
    axis::{self, Axis, round, written},
};
use crate::figures::number;
use remediation::{Course, Plan, Shape};
use series::{Sample, Timestamp};
use std::{fmt::Write as _, time::Duration};
use store::Action;

/// Where times and values are in the picture.
#[derive(Clone, Copy)]
struct Scale {
    span: Span,
    values: Axis,
}

impl Scale {
    fn x(self, at: Timestamp) -> f64 {
        let Span { start, end } = self.span;
        let at = at.clamp(start, end);
        let share = at.since(start).as_secs_f64() / end.since(start).as_secs_f64();
        round(FRAME.left + share * (FRAME.right - FRAME.left))
    }

    fn y(self, value: f64) -> f64 {
        self.values.place(value)
    }

    /// A line through some values.
    fn path(self, values: impl Iterator<Item = (Timestamp, f64)>) -> String {
        let places = values.map(|(at, value)| (self.x(at), self.y(value)));
        let mut path = String::new();
        for (n, (x, y)) in places.enumerate() {
            let command = if n == 0 { 'M' } else { 'L' };
            write!(path, "{command}{x} {y}").expect("a String takes all that is written to it");
        }
        path
    }
}

/// Draws an action with what was measured since, or the reason why that is not known.
pub(super) fn draw(
    (action, plan, course): (&Action, &Plan, &Course),
    span: Span,
    measured: Result<Vec<Sample>, String>,
) -> Chart {
    let (measured, missing) = match measured {
        Ok(measured) => (measured, None),
        Err(why) => (Vec::new(), Some(why)),
    };
    let measured: Vec<_> = measured
        .into_iter()
        .filter(|s| s.value.is_finite())
        .collect();
    let foreseen = course.low.iter().chain(&course.high).copied();
    let carried = plan
        .per_replica
        .map(|each| [plan.observed, plan.target].map(|s| f64::from(s.set_point()) * each));
    let all = foreseen
        .chain(measured.iter().map(|sample| sample.value))
        .chain(carried.into_iter().flatten())
        .chain([plan.demand]);
    let scale = Scale {
        span,
        values: Axis::new(all, FRAME.top, FRAME.bottom),
    };
    let peak_at = Timestamp::from_millis(plan.demand_at);
    Chart {
        frame: FRAME,
        description: plan.why.clone(),
        values: scale.values.ticks(),
        times: axis::times(span.start, span.end, |at| scale.x(at)),
        band: band(course, scale),
        median: scale.path(timed(course, &course.median)),
        measured: scale.path(measured.iter().map(|sample| (sample.at, sample.value))),
        capacities: capacities(action, plan, scale),
        marks: marks(action, scale),
        peak: Peak {
            x: scale.x(peak_at),
            y: scale.y(plan.demand),
            text: format!(
                "sized for {} at {}",
                number(plan.demand),
                written(peak_at, "%H:%M")
            ),
        },
        days: days(span),
        missing,
    }
}

/// The values of a course at their times.
fn timed<'a>(
    course: &'a Course,
    values: &'a [f64],
) -> impl DoubleEndedIterator<Item = (Timestamp, f64)> + ExactSizeIterator + 'a {
    let (start, spacing) = (
        Timestamp::from_millis(course.start),
        Duration::from_millis(course.spacing),
    );
    let at = move |n: usize| start + spacing.saturating_mul(u32::try_from(n).unwrap_or(u32::MAX));
    values
        .iter()
        .enumerate()
        .map(move |(n, value)| (at(n), *value))
}

/// There along the upper end, and back along the lower.
fn band(course: &Course, scale: Scale) -> String {
    let there = timed(course, &course.high);
    let back = timed(course, &course.low).rev();
    format!("{}Z", scale.path(there.chain(back)))
}

/// The demand that was carried before, and the one that is to be from the effect on.
fn capacities(action: &Action, plan: &Plan, scale: Scale) -> Vec<Capacity> {
    let Some(each) = plan.per_replica else {
        return Vec::new();
    };
    let changed = scale.x(action.applied_at.unwrap_or(action.created_at));
    let capacity = |replicas: u32, (from, to), is_planned| {
        let carried = f64::from(replicas) * each;
        Capacity {
            from,
            to,
            place: scale.y(carried),
            text: format!("{replicas} replicas: {}", number(carried)),
            is_planned,
        }
    };
    let [before, after] = [plan.observed, plan.target].map(Shape::set_point);
    let until = if before == after {
        FRAME.right
    } else {
        changed
    };
    let mut capacities = vec![capacity(before, (FRAME.left, until), false)];
    if before != after {
        let is_planned = action.applied_at.is_none();
        capacities.push(capacity(after, (changed, FRAME.right), is_planned));
    }
    capacities
}

fn marks(action: &Action, scale: Scale) -> Vec<Mark> {
    let mark = |at, text| Mark {
        place: scale.x(at),
        text,
    };
    let proposed = mark(action.created_at, "proposed");
    match action.applied_at.map(|at| mark(at, "effect ordered")) {
        // Their texts would lie on each other.
        Some(ordered) if ordered.place - proposed.place < 70.0 => {
            vec![mark(action.created_at, "proposed, effect ordered")]
        }
        ordered => [proposed].into_iter().chain(ordered).collect(),
    }
}

fn days(span: Span) -> String {
    let [first, last] = [span.start, span.end].map(|at| written(at, "%Y-%m-%d"));
    if first == last {
        first
    } else {
        format!("{first} to {last}")
    }
}
