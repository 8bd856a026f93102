//! The upper panel: what was foreseen, what came, and what the replicas could serve.

use super::{
    Ahead, Curve, Picture,
    panel::{Panel, last},
    svg::{Anchor, Path, Svg},
};
use crate::terminal::clock_time;
use series::Sample;

/// Room above the highest line, for the words beside it.
const HEADROOM: f64 = 1.05;

/// The highest value to make room for; NaN when there is none.
pub(super) fn highest(picture: &Picture) -> f64 {
    let measured = picture.load.iter().chain(&picture.capacity);
    let foreseen = picture.forecast.iter().flat_map(|curve| &curve.ahead);
    measured
        .map(|sample| sample.value)
        .chain(foreseen.map(|ahead| ahead.upper))
        .filter(|value| value.is_finite())
        .fold(f64::NAN, f64::max)
        * HEADROOM
}

/// Draws the band below everything, and the measured load above everything.
pub(super) fn draw(svg: &mut Svg, panel: &Panel, picture: &Picture) {
    if let Some(curve) = &picture.forecast {
        forecast(svg, panel, picture, curve);
    }
    panel.steps(svg, "twin", picture, &picture.control_capacity);
    panel.steps(svg, "capacity", picture, &picture.capacity);
    panel.lines(svg, "measured", picture, &picture.load);
    for (class, of, down, samples) in [
        ("capacity", "the ready replicas", 4.0, &picture.capacity),
        // Below its line, as the forecast runs just above it.
        ("twin", "the twin", 16.0, &picture.control_capacity),
    ] {
        if let Some(end) = last(samples) {
            let (x, y) = panel.place(end.at, end.value);
            let words = format!("capacity of {of}: {:.0}", end.value);
            svg.text(class, (x + 10.0, y + down), Anchor::Start, &words);
        }
    }
    if let Some(sample) = on_the_way_up(&picture.load) {
        let (x, y) = panel.place(sample.at, sample.value);
        svg.text("measured", (x + 12.0, y + 4.0), Anchor::Start, "measured");
    }
}

fn forecast(svg: &mut Svg, panel: &Panel, picture: &Picture, curve: &Curve) {
    let is_number = |a: &&Ahead| [a.lower, a.median, a.upper].iter().all(|v| v.is_finite());
    let ahead: Vec<_> = curve.ahead.iter().filter(|a| picture.spans(a.at)).collect();
    let ahead: Vec<_> = ahead.into_iter().filter(is_number).collect();
    let (mut band, mut median) = (Path::default(), Path::default());
    for one in &ahead {
        band.go_on(panel.place(one.at, one.upper));
        median.go_on(panel.place(one.at, one.median));
    }
    for one in ahead.iter().rev() {
        band.go_on(panel.place(one.at, one.lower));
    }
    band.close();
    svg.path("band", &band);
    svg.path("median", &median);
    if let Some(end) = ahead.last() {
        let highest = ahead.iter().map(|one| one.upper);
        let (_, y) = panel.place(end.at, highest.fold(f64::NEG_INFINITY, f64::max));
        let words = format!(
            "forecast of {}, when the alert fired: median and 90 % band",
            clock_time(curve.read_at)
        );
        svg.text(
            "median",
            (panel.right() - 8.0, y - 8.0),
            Anchor::End,
            &words,
        );
    }
}

/// A sample a third of the way from the lowest to the highest, where the line leaves room to its right.
fn on_the_way_up(load: &[Sample]) -> Option<&Sample> {
    let values = || load.iter().map(|s| s.value).filter(|v| v.is_finite());
    let low = values().fold(f64::INFINITY, f64::min);
    let high = values().fold(f64::NEG_INFINITY, f64::max);
    load.iter()
        .rev()
        .find(|sample| sample.value <= low + (high - low) / 3.0)
}
