//! Three weeks of a request rate with a steep ramp once a day, minute by minute: the history, and the days after.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod support;

use forecast::{Bounds, Distribution, Fitted, History, ModelKind, Settings, fit};
use series::{Quantile, Sample};
use std::time::Duration;
use support::{DAY, RAMP, expected_rate, minute, request_rate, samples, time};

const THREE_WEEKS: usize = 21 * DAY;

/// The models that are held to the same promises.
const KINDS: [ModelKind; 2] = [ModelKind::Online, ModelKind::Auto];

fn fitted(values: &[f64], model: ModelKind) -> Box<dyn Fitted> {
    let history = History::from_samples(&samples(values), minute()).unwrap();
    let settings = Settings {
        model,
        seasons: None,
        bounds: Bounds {
            lower: 0.0,
            upper: f64::INFINITY,
        },
        max_horizon: Duration::from_hours(1),
    };
    fit(&history, &settings).unwrap()
}

fn quantile(distribution: &Distribution, level: f64) -> f64 {
    distribution.quantile(Quantile::new(level).unwrap())
}

/// The model after the minutes from the end of the three weeks up to `until`, which it has not seen.
fn live(model: &mut dyn Fitted, values: &[f64], until: usize) {
    for (idx, value) in values.iter().enumerate().take(until).skip(THREE_WEEKS) {
        let (at, value) = (time(idx), *value);
        model.update(Sample { at, value }).unwrap();
    }
}

/// What became of the forecasts for one horizon.
#[derive(Default)]
struct Score {
    n: f64,
    inside_80: f64,
    inside_95: f64,
    miss: f64,
    naive_miss: f64,
}

impl Score {
    fn add(&mut self, foreseen: &Distribution, naive: &Distribution, came: f64) {
        let inside = |lower, upper| {
            let band = quantile(foreseen, lower)..=quantile(foreseen, upper);
            f64::from(u8::from(band.contains(&came)))
        };
        self.n += 1.0;
        self.inside_80 += inside(0.1, 0.9);
        self.inside_95 += inside(0.025, 0.975);
        self.miss += (quantile(foreseen, 0.5) - came).abs();
        self.naive_miss += (quantile(naive, 0.5) - came).abs();
    }
}

#[test]
fn bands_hold_their_promise_over_a_day_and_the_median_beats_the_seasonal_naive() {
    for kind in KINDS {
        let values = request_rate(THREE_WEEKS + DAY + 60, 1);
        let mut model = fitted(&values[..THREE_WEEKS], kind);
        let mut naive = fitted(&values[..THREE_WEEKS], ModelKind::SeasonalNaive);
        let name = if kind == ModelKind::Online {
            "online"
        } else {
            "mstl"
        };
        assert_eq!((model.model(), naive.model()), (name, "seasonal_naive"));

        let horizons = [1, 5, 15, 60];
        let mut scores: [Score; 4] = Default::default();
        for next in THREE_WEEKS..THREE_WEEKS + DAY {
            for (score, ahead) in scores.iter_mut().zip(horizons) {
                let (at, came) = (time(next + ahead - 1), values[next + ahead - 1]);
                score.add(&model.predict(at), &naive.predict(at), came);
            }
            let (at, value) = (time(next), values[next]);
            model.update(Sample { at, value }).unwrap();
            naive.update(Sample { at, value }).unwrap();
        }
        for (score, ahead) in scores.iter().zip(horizons) {
            let (in_80, in_95) = (score.inside_80 / score.n, score.inside_95 / score.n);
            assert!(
                (0.75..=0.93).contains(&in_80),
                "{kind:?}, {ahead}m: 80 % held {in_80}"
            );
            assert!(
                (0.92..=0.998).contains(&in_95),
                "{kind:?}, {ahead}m: 95 % held {in_95}"
            );
            let relative = score.miss / score.naive_miss;
            assert!(
                relative < 0.5,
                "{ahead}m: {relative} of the seasonal naive's error"
            );
        }
    }
}

#[test]
fn three_minutes_before_the_ramp_its_full_height_is_foreseen() {
    for kind in KINDS {
        for seed in [2, 3] {
            let start = THREE_WEEKS + RAMP;
            let values = request_rate(start + 30, seed);
            let mut model = fitted(&values[..THREE_WEEKS], kind);
            live(model.as_mut(), &values, start - 2);
            assert_eq!(model.origin(), time(start - 3));

            for idx in [start, start + 1, start + 2, start + 3, start + 20] {
                let foreseen = model.predict(time(idx));
                let median = quantile(&foreseen, 0.5) / expected_rate(idx);
                assert!(
                    (median - 1.0).abs() < 0.1,
                    "minute {idx}: median off by {median}"
                );
                let band = quantile(&foreseen, 0.005)..=quantile(&foreseen, 0.995);
                assert!(
                    band.contains(&values[idx]),
                    "{} not in {band:?}",
                    values[idx]
                );
                let width = (band.end() - band.start()) / values[idx];
                assert!(width < 0.4, "minute {idx}: a band {width} wide says little");
            }
        }
    }
}

#[test]
fn a_doubled_load_is_believed_within_a_quarter_of_an_hour() {
    for kind in KINDS {
        let until = THREE_WEEKS + 90;
        let mut values = request_rate(until + 10, 4);
        for value in &mut values[THREE_WEEKS + 10..] {
            *value *= 2.0;
        }
        let mut model = fitted(&values[..THREE_WEEKS], kind);
        for (next, value) in values.iter().enumerate().take(until).skip(THREE_WEEKS) {
            // Beyond the first quarter of an hour, and across the refits on a history that now has a step in it.
            if next >= THREE_WEEKS + 25 {
                let foreseen = quantile(&model.predict(time(next + 4)), 0.5);
                let relative = foreseen / (2.0 * expected_rate(next + 4));
                assert!((relative - 1.0).abs() < 0.15, "{next}: {relative}");
            }
            let (at, value) = (time(next), *value);
            model.update(Sample { at, value }).unwrap();
        }
    }
}

#[test]
fn one_wild_sample_does_not_move_the_forecast() {
    for kind in KINDS {
        let values = request_rate(THREE_WEEKS, 5);
        let mut model = fitted(&values, kind);
        let at = time(THREE_WEEKS + 5);
        let before = quantile(&model.predict(at), 0.5);
        let wild = Sample {
            at: time(THREE_WEEKS),
            value: 1e9,
        };
        model.update(wild).unwrap();
        let after = quantile(&model.predict(at), 0.5);
        assert!(
            (after / before - 1.0).abs() < 0.1,
            "{before} became {after}"
        );
    }
}

#[test]
fn an_hour_without_samples_leaves_the_forecast_on_its_path() {
    for kind in KINDS {
        let resumed = THREE_WEEKS + 60;
        let values = request_rate(resumed + 1, 6);
        let mut model = fitted(&values[..THREE_WEEKS], kind);
        let (at, value) = (time(resumed), values[resumed]);
        model.update(Sample { at, value }).unwrap();
        let median = quantile(&model.predict(time(resumed + 5)), 0.5);
        let relative = median / expected_rate(resumed + 5);
        assert!((relative - 1.0).abs() < 0.1, "{relative}");
    }
}
