//! One picture of what happened: load and forecast above, latency with and without Foreshadow below.

mod axis;
mod latency;
mod load;
mod moments;
mod panel;
mod reading;
mod svg;

pub use reading::{curve, read};

use crate::terminal::clock_time;
use axis::{Axis, time_ticks};
use panel::{Area, Panel};
use series::{Sample, Timestamp};
use std::time::Duration;
use svg::{Anchor, Svg};

/// Everything that is drawn. What lies outside `from` and `until` is left out, and so is what is not finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// Where the time axis begins.
    pub from: Timestamp,
    /// Where it ends; after `from`.
    pub until: Timestamp,
    /// Where the past ends.
    pub now: Timestamp,
    /// The outcome in one line.
    pub title: String,
    /// What to know beside it, in one line.
    pub subtitle: String,
    /// Requests per second that the managed service was asked, oldest first.
    pub load: Vec<Sample>,
    /// Requests per second that its ready replicas serve, oldest first.
    pub capacity: Vec<Sample>,
    /// The same of its twin, for which nobody acts.
    pub control_capacity: Vec<Sample>,
    /// What was foreseen of the load, when an alert fired.
    pub forecast: Option<Curve>,
    /// Seconds within which 99 in 100 requests to the managed service were answered, oldest first.
    pub managed: Vec<Sample>,
    /// The same of its twin.
    pub control: Vec<Sample>,
    /// What happened, oldest first.
    pub moments: Vec<Moment>,
}

/// A forecast curve as Prometheus showed it at one time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Curve {
    /// When it was read.
    pub read_at: Timestamp,
    /// Oldest first.
    pub ahead: Vec<Ahead>,
}

/// What was foreseen for one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ahead {
    /// The time that it is foreseen for.
    pub at: Timestamp,
    /// The 5 % quantile.
    pub lower: f64,
    /// The median.
    pub median: f64,
    /// The 95 % quantile.
    pub upper: f64,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// When.
    pub at: Timestamp,
    /// What, in a few words.
    pub what: String,
}

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 664.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = WIDTH - 32.0;
const LOAD: Area = Area {
    left: LEFT,
    right: RIGHT,
    top: 184.0,
    bottom: 404.0,
};
const LATENCY: Area = Area {
    top: 446.0,
    bottom: 606.0,
    ..LOAD
};

/// Draws it as one self-contained SVG for light and dark pages.
pub fn render(picture: &Picture) -> String {
    let mut svg = Svg::new((WIDTH, HEIGHT), &picture.title, &picture.subtitle);
    svg.text("title", (LEFT, 34.0), Anchor::Start, &picture.title);
    svg.text("quiet", (LEFT, 58.0), Anchor::Start, &picture.subtitle);
    let time = Axis::new(
        (seconds(picture.from), seconds(picture.until)),
        (LEFT, RIGHT),
    );
    let load = Panel::new(&LOAD, &time, load::highest(picture));
    let latency = Panel::new(&LATENCY, &time, latency::highest(picture));
    let ticks = time_ticks(picture.from, picture.until);
    for (panel, title) in [
        (
            &load,
            "Load of checkout, in requests per second (2 min rate)",
        ),
        (
            &latency,
            "99 % quantile of the latency, in seconds (1 min rate)",
        ),
    ] {
        panel.frame(&mut svg, &ticks, picture.now);
        let above = if panel.is(&LOAD) { 92.0 } else { 10.0 };
        svg.text("heading", (LEFT, panel.top() - above), Anchor::Start, title);
    }
    load::draw(&mut svg, &load, picture);
    latency::draw(&mut svg, &latency, picture);
    moments::draw(&mut svg, &time, picture);
    time_labels(&mut svg, &time, &ticks, picture.now);
    svg.finish()
}

fn time_labels(svg: &mut Svg, time: &Axis, ticks: &[Timestamp], now: Timestamp) {
    for tick in ticks {
        let at = (time.at(seconds(*tick)), LATENCY.bottom + 18.0);
        svg.text("quiet", at, Anchor::Middle, &clock_time(*tick)[..5]);
    }
    let day = jiff::Timestamp::from_millisecond(now.as_millis()).unwrap_or_default();
    let title = format!("time of day in UTC, {}", day.strftime("%-d %B %Y"));
    let at = (f64::midpoint(LEFT, RIGHT), LATENCY.bottom + 40.0);
    svg.text("quiet", at, Anchor::Middle, &title);
}

/// Where a time lies on the time axis, before it is placed.
fn seconds(at: Timestamp) -> f64 {
    at.as_seconds_f64()
}

impl Picture {
    fn spans(&self, at: Timestamp) -> bool {
        (self.from..=self.until).contains(&at)
    }

    /// The parts of a series that can be drawn, each without a gap.
    fn runs<'s>(&'s self, samples: &'s [Sample]) -> impl Iterator<Item = &'s [Sample]> {
        let follows = |one: &Sample, next: &Sample| {
            one.value.is_finite() && next.value.is_finite() && next.at.since(one.at) <= LONGEST_GAP
        };
        let inside = samples.iter().position(|sample| sample.at >= self.from);
        let until = samples.partition_point(|sample| sample.at <= self.until);
        let inside = inside.map_or(&[][..], |first| &samples[first.min(until)..until]);
        inside
            .chunk_by(follows)
            .filter(|run| run.iter().all(|sample| sample.value.is_finite()))
    }
}

/// What is further apart is not joined by a line: Prometheus' own look-back ends here, too.
const LONGEST_GAP: Duration = Duration::from_mins(5);

#[cfg(test)]
mod tests;
