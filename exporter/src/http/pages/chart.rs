//! The picture of one action: the demand foreseen, the capacity decided, and the demand measured since.

mod axis;
mod drawing;
mod measured;

use crate::app::App;
use drawing::draw;
use remediation::{Course, Plan};
use serde::Serialize;
use series::Timestamp;
use std::time::Duration;
use store::Action;

/// The content of the picture: places in pixels, paths as SVG writes them.
#[derive(Debug, Serialize)]
pub(super) struct Chart {
    frame: Frame,
    /// For those who cannot see it.
    description: String,
    values: Vec<Tick>,
    times: Vec<Tick>,
    /// The 90 % band of the forecast, a closed path.
    band: String,
    median: String,
    measured: String,
    capacities: Vec<Capacity>,
    marks: Vec<Mark>,
    peak: Peak,
    /// The days that the scale of times is about.
    days: String,
    /// The reason why no measured demand is shown.
    missing: Option<String>,
}

/// The size of the picture, and the part of it that values are drawn in.
#[derive(Debug, Clone, Copy, Serialize)]
struct Frame {
    width: f64,
    height: f64,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

/// The page scales it to its width.
const FRAME: Frame = Frame {
    width: 960.0,
    height: 300.0,
    left: 64.0,
    right: 944.0,
    top: 26.0,
    bottom: 266.0,
};

/// A line of a scale.
#[derive(Debug, PartialEq, Serialize)]
struct Tick {
    place: f64,
    text: String,
}

/// The demand that a number of replicas carries, for as long as there are so many.
#[derive(Debug, Serialize)]
struct Capacity {
    from: f64,
    to: f64,
    place: f64,
    text: String,
    is_planned: bool,
}

/// A moment of the action.
#[derive(Debug, Serialize)]
struct Mark {
    place: f64,
    text: &'static str,
}

/// The value that was sized for.
#[derive(Debug, Serialize)]
struct Peak {
    x: f64,
    y: f64,
    text: String,
}

/// The picture of an action; `None` where its plan kept no course, as plans of older journals did not.
pub(super) async fn chart(app: &App, action: &Action) -> Option<Chart> {
    let plan = Plan::from_json(action.plan.as_ref()).ok()?;
    let course = plan.course.as_ref()?;
    let span = Span::of(course)?;
    let measured = measured::measured(app, &action.workload, span).await;
    Some(draw((action, &plan, course), span, measured))
}

/// The range of time that is shown: the course, and half as much before it.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: Timestamp,
    end: Timestamp,
}

impl Span {
    fn of(course: &Course) -> Option<Self> {
        let n_steps = u32::try_from(course.median.len().checked_sub(1)?).ok()?;
        let length = Duration::from_millis(course.spacing).saturating_mul(n_steps);
        let begin = Timestamp::from_millis(course.start);
        Some(Self {
            start: begin - length / 2,
            end: begin + length.max(Duration::from_secs(1)),
        })
    }
}
