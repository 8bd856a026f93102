//! The lower panel: latency with Foreshadow and without, against the objective.

use super::{
    Picture,
    panel::{Panel, last},
    svg::{Anchor, Svg},
};
use crate::{terminal::minutes, watch::OBJECTIVE_SECONDS};
use series::{Sample, Timestamp};
use std::time::Duration;

/// The highest value to make room for; the objective is always in the picture.
pub(super) fn highest(picture: &Picture) -> f64 {
    let both = picture.managed.iter().chain(&picture.control);
    both.map(|sample| sample.value)
        .filter(|value| value.is_finite())
        .fold(2.0 * OBJECTIVE_SECONDS, f64::max)
}

/// Draws the breaches below everything, and the managed service above everything.
pub(super) fn draw(svg: &mut Svg, panel: &Panel, picture: &Picture) {
    let (without, with) = (
        breaches(picture, &picture.control),
        breaches(picture, &picture.managed),
    );
    for (class, breaches) in [("without", &without), ("with", &with)] {
        for (from, until) in breaches {
            let (top, bottom) = (panel.place(*from, f64::INFINITY), panel.place(*until, 0.0));
            svg.rect(&format!("breach {class}"), top, bottom);
        }
    }
    let objective = (
        panel.place(picture.from, OBJECTIVE_SECONDS),
        panel.place(picture.until, OBJECTIVE_SECONDS),
    );
    svg.line("objective", objective.0, objective.1);
    let (x, y) = objective.1;
    let words = format!("objective: {OBJECTIVE_SECONDS} s");
    svg.text("objective", (x - 8.0, y - 6.0), Anchor::End, &words);
    panel.lines(svg, "without", picture, &picture.control);
    panel.lines(svg, "with", picture, &picture.managed);
    label(svg, panel, ("without", &picture.control), &without);
    label(svg, panel, ("with", &picture.managed), &with);
}

fn label(
    svg: &mut Svg,
    panel: &Panel,
    (word, samples): (&str, &[Sample]),
    breaches: &[(Timestamp, Timestamp)],
) {
    let Some(end) = last(samples) else {
        return;
    };
    let length: Duration = breaches
        .iter()
        .map(|(from, until)| until.since(*from))
        .sum();
    let kept = if breaches.is_empty() {
        "objective kept".to_owned()
    } else {
        format!("in breach for {}, so far", minutes(length))
    };
    let words = format!("{word} Foreshadow: {:.2} s, {kept}", end.value);
    let (x, y) = panel.place(end.at, end.value);
    svg.text(word, (x + 10.0, y + 4.0), Anchor::Start, &words);
}

/// The times during which the objective was missed; each lasts until it was seen kept again.
fn breaches(picture: &Picture, samples: &[Sample]) -> Vec<(Timestamp, Timestamp)> {
    let is_breach = |sample: &Sample| sample.value > OBJECTIVE_SECONDS;
    let mut found = Vec::new();
    for run in picture.runs(samples) {
        let mut begun = None;
        for sample in run {
            match (begun, is_breach(sample)) {
                (None, true) => begun = Some(sample.at),
                (Some(from), false) => {
                    found.push((from, sample.at));
                    begun = None;
                }
                _ => {}
            }
        }
        found.extend(begun.zip(run.last().map(|sample| sample.at)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::tests::{at, picture, sample};

    #[test]
    fn a_breach_lasts_until_the_objective_is_kept_again() {
        let picture = picture();
        let values = [0.4, 0.6, f64::NAN, 0.7, 0.8, 0.5, 0.9];
        let samples: Vec<_> = (0..).zip(values).map(|(n, v)| sample(5 * n, v)).collect();
        let expect = [(at(5), at(5)), (at(15), at(25)), (at(30), at(30))];
        assert_eq!(breaches(&picture, &samples), expect);
    }
}
