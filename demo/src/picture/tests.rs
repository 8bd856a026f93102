//! The picture as a whole: of a run that went well, and of runs that have next to nothing to show.

use super::*;
use crate::demand::Demand;

const OPENING: i64 = 1_790_000_000;

pub(super) fn at(since_opening: i64) -> Timestamp {
    Timestamp::from_seconds(OPENING + since_opening)
}

pub(super) fn sample(since_opening: i64, value: f64) -> Sample {
    Sample {
        at: at(since_opening),
        value,
    }
}

/// A run as it is supposed to go: four minutes of it, drawn up to ten minutes ahead.
pub(super) fn picture() -> Picture {
    let demand = Demand::new(at(0), 1);
    let over = |value: &dyn Fn(i64) -> f64| {
        let times = (-180..=240).step_by(5);
        times.map(|s| sample(s, value(s))).collect::<Vec<_>>()
    };
    let ahead = (0..15).map(|minute| {
        let median = demand.expected(at(60 * minute - 60));
        Ahead {
            at: at(60 * minute),
            lower: 0.97 * median,
            median,
            upper: 1.03 * median,
        }
    });
    let moment = |s: i64, what: &str| Moment {
        at: at(s),
        what: what.to_owned(),
    };
    Picture {
        from: at(-180),
        until: at(840),
        now: at(240),
        title: "A breach, seen coming and averted".to_owned(),
        subtitle: "Two services, one load.".to_owned(),
        load: over(&|s| demand.at(at(s - 60))),
        capacity: over(&|s| if s < -15 { 400.0 } else { 600.0 }),
        control_capacity: over(&|_| 400.0),
        forecast: Some(Curve {
            read_at: at(-45),
            ahead: ahead.collect(),
        }),
        managed: over(&|s| if s < 120 { 0.09 } else { 0.22 }),
        control: over(&|s| if s < 120 { 0.09 } else { 2.4 }),
        moments: vec![
            moment(-45, "alert on the forecast fires"),
            moment(-38, "action: 4 → 6 replicas"),
            moment(-15, "replicas ready"),
            moment(0, "the sale opens"),
            moment(240, "now"),
        ],
    }
}

/// The values of an attribute.
fn attributes<'t>(text: &'t str, name: &str) -> Vec<&'t str> {
    let begin = format!(" {name}=\"");
    let rest = text.split(begin.as_str()).skip(1);
    rest.map(|rest| rest.split('"').next().unwrap()).collect()
}

/// All places of a path, and whether it is closed.
fn places(path: &str) -> (Vec<Place>, bool) {
    let closed = path.strip_suffix('Z');
    let steps = closed.unwrap_or(path).split(['M', 'L']).skip(1);
    let place = |step: &str| {
        let (x, y) = step.split_once(' ').unwrap();
        (x.parse().unwrap(), y.parse().unwrap())
    };
    (steps.map(place).collect(), closed.is_some())
}

type Place = (f64, f64);

/// Every coordinate is a number inside the view box, and every text ends inside, too.
#[track_caller]
fn check(picture: &Picture) -> String {
    let text = render(picture);
    let lower = text.to_lowercase();
    for bad in ["nan", "inf,", "inf ", "inf\"", "<script", "href", "url("] {
        assert!(!lower.contains(bad), "{bad}");
    }
    let inside = |(x, y): Place| (0.0..=WIDTH).contains(&x) && (0.0..=HEIGHT).contains(&y);
    for path in attributes(&text, "d") {
        let outside: Vec<_> = places(path).0.into_iter().filter(|p| !inside(*p)).collect();
        assert_eq!(outside, [], "{path}");
    }
    for line in text.lines().filter(|line| line.starts_with("<text")) {
        let of = |name| attributes(line, name)[0];
        let place: Place = (of("x").parse().unwrap(), of("y").parse().unwrap());
        let words = line.split(['<', '>']).nth(2).unwrap();
        let length = 7.8 * words.chars().count() as f64;
        let (begins, ends) = match of("text-anchor") {
            "start" => (place.0, place.0 + length),
            "end" => (place.0 - length, place.0),
            _ => (place.0 - length / 2.0, place.0 + length / 2.0),
        };
        assert!(
            inside((begins, place.1)) && inside((ends, place.1)),
            "{line}"
        );
    }
    text
}

#[test]
fn the_picture_of_a_good_run_stays_as_it_is() {
    insta::assert_snapshot!(check(&picture()));
}

#[test]
fn the_band_is_closed_and_goes_there_and_back() {
    let text = check(&picture());
    let band = text
        .lines()
        .find(|line| line.contains("class=\"band\""))
        .unwrap();
    let (places, is_closed) = places(attributes(band, "d")[0]);
    assert!(is_closed);
    let n_ahead = picture().forecast.unwrap().ahead.len();
    assert_eq!(places.len(), 2 * n_ahead);
    let (there, back) = places.split_at(n_ahead);
    for (upper, lower) in there.iter().zip(back.iter().rev()) {
        assert!(
            (upper.0 - lower.0).abs() < 1e-9 && upper.1 < lower.1,
            "{upper:?} {lower:?}"
        );
    }
}

#[test]
fn the_capacity_goes_up_in_a_step() {
    let text = check(&picture());
    let line = text
        .lines()
        .find(|line| line.starts_with("<path class=\"capacity\""))
        .unwrap();
    let (places, _) = places(attributes(line, "d")[0]);
    let level = |one: &Place, next: &Place| (one.1 - next.1).abs() < 1e-9;
    let upright = |one: &Place, next: &Place| (one.0 - next.0).abs() < 1e-9;
    let pairs: Vec<_> = places
        .windows(2)
        .map(|p| (level(&p[0], &p[1]), upright(&p[0], &p[1])))
        .collect();
    assert_eq!(pairs, [(true, false), (false, true), (true, false)]);
}

#[test]
fn gaps_and_what_is_no_number_tear_a_line() {
    let mut torn = picture();
    torn.load[20].value = f64::NAN;
    torn.load[40].value = f64::INFINITY;
    let n_lines = |text: &str| text.matches("<path class=\"measured\"").count();
    assert_eq!(
        (n_lines(&check(&picture())), n_lines(&check(&torn))),
        (1, 3)
    );
    torn.load.drain(10..80);
    assert_eq!(n_lines(&check(&torn)), 2);
}

#[test]
fn a_run_without_anything_is_an_empty_frame() {
    let empty = Picture {
        load: Vec::new(),
        capacity: Vec::new(),
        control_capacity: Vec::new(),
        forecast: None,
        managed: Vec::new(),
        control: vec![sample(0, f64::NAN)],
        moments: Vec::new(),
        ..picture()
    };
    let text = check(&empty);
    assert!(!text.contains("class=\"band\"") && !text.contains("Foreshadow:"));
    let backwards = Picture {
        until: at(-1_000),
        ..picture()
    };
    check(&backwards);
}
