//! What is held in memory does not grow with time.

use crate::world::{NOW, World, at, engine, load, online};
use rules::Engine;
use series::{MatchOp, Matcher, Selector};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// What an engine holds, counted.
#[derive(Debug, Clone, Copy)]
struct Held {
    /// Of models, records and issued curves.
    state_bytes: usize,
    gauges: usize,
    curves: usize,
}

impl Held {
    fn of(engine: &Engine<World>, now: i64) -> Self {
        let origins = Matcher::new(MatchOp::Regex, "origin", ".*").unwrap();
        let state = engine.savings(at(now)).into_iter().flatten().flatten();
        Self {
            state_bytes: state.count(),
            gauges: engine.predictions(at(now)).len(),
            curves: engine
                .curve_labels(&Selector::new([origins]), at(now))
                .len(),
        }
    }

    fn max(self, other: Self) -> Self {
        Self {
            state_bytes: self.state_bytes.max(other.state_bytes),
            gauges: self.gauges.max(other.gauges),
            curves: self.curves.max(other.curves),
        }
    }
}

/// Of four series: three quantiles and a record of three figures for both horizons, and the score of the last sample.
/// Records of the longer horizon take most of a day to come.
const MAX_GAUGES: usize = 4 * (2 * (3 + 3) + 1);

/// Three that stay, and one after the other that lives for two hours, as the instances of a deployment do.
fn changing_fleet() -> World {
    let world = World::default();
    for app in ["shop", "blog", "pay"] {
        world.add("load", &[("app", app)], |t| Some(load(t)));
    }
    for n in -60..100 {
        let begin = NOW + 7_200 * n;
        world.add("load", &[("app", &format!("pod-{n}"))], move |t| {
            (begin..begin + 7_200).contains(&t).then(|| load(t))
        });
    }
    world
}

#[tokio::test(start_paused = true)]
async fn a_thousand_evaluations_hold_no_more_than_the_first_hundreds() {
    let rule = online()
        .replace("step: 10m", "step: 1m")
        .replace("history: 4d", "history: 1d");
    let rule = rule.replace("seasons: [1d], ", "");
    let engine = Arc::new(engine(&changing_fleet(), &[&rule]));
    let begun = Instant::now();
    let clock = move || at(NOW) + begun.elapsed();
    let run = rules::run(Arc::clone(&engine), 0, clock, |report| {
        assert_eq!(report.missed, 0);
        report.rules[0].outcome.as_ref().unwrap();
    });
    let run = tokio::spawn(run);
    // Until as many issued curves are kept as ever will be.
    tokio::time::sleep(Duration::from_mins(500)).await;
    let mut peaks = Vec::new();
    for _ in 0..2 {
        let mut peak: Option<Held> = None;
        // Six hours, after which fleet and issued curves are in step again.
        for _ in 0..36 {
            tokio::time::sleep(Duration::from_mins(10)).await;
            let now = NOW + i64::try_from(begun.elapsed().as_secs()).unwrap();
            let held = Held::of(&engine, now);
            peak = Some(peak.map_or(held, |peak| peak.max(held)));
        }
        peaks.push(peak.unwrap());
    }
    assert!(!run.is_finished(), "every evaluation succeeded");
    run.abort();
    let (early, late) = (peaks[0], peaks[1]);
    assert!(
        early.state_bytes > 1_000 && early.gauges > 18 && early.curves > 9,
        "{early:?}"
    );
    // A model's state depends a little on what it saw.
    assert!(
        late.state_bytes <= early.state_bytes + early.state_bytes / 10,
        "{early:?} {late:?}"
    );
    assert!(
        late.gauges <= MAX_GAUGES && late.curves <= early.curves,
        "{early:?} {late:?}"
    );
}
