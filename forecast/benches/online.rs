//! What the online model costs: a start from history, an update with forecasts for a whole fleet, its memory; and
//! the same start with MSTL and `AutoETS` from augurs, in the same run.

#![expect(clippy::unwrap_used, reason = "a benchmark may panic as tests do")]

use criterion::{
    BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use forecast::{Bounds, Fitted, History, ModelKind, Online, Settings, TrackRecord, fit};
use series::{Quantile, Sample, Step, Timestamp};
use std::{hint::black_box, time::Duration};

const DAY: usize = 288;
const WEEKS_3: usize = 21 * DAY;

/// Series in memory at a time.
const FLEET: usize = 100_000;

/// Horizons in steps: a quarter of an hour, an hour, a day.
const HORIZONS: [u32; 3] = [3, 12, 288];

fn step() -> Step {
    Step::new(Duration::from_mins(5)).unwrap()
}

fn time(idx: usize) -> Timestamp {
    Timestamp::from_seconds(1_704_067_200) + step().get() * u32::try_from(idx).unwrap()
}

/// Requests per second: a day, weekends, noise that lasts a while.
fn requests(seed: u64, n: usize) -> Vec<f64> {
    let mut state = seed;
    let mut lasting = 0.0;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
    };
    let value = |idx: usize| {
        lasting = 0.8 * lasting + 10.0 * next();
        let day = (idx as f64 * std::f64::consts::TAU / DAY as f64).sin();
        let week = if (idx / DAY) % 7 < 5 { 1.0 } else { 0.7 };
        week * (150.0 + 100.0 * day) + lasting + 20.0
    };
    (0..n).map(value).collect()
}

fn history(seed: u64) -> History {
    let values = requests(seed, WEEKS_3);
    let samples: Vec<Sample> = values
        .into_iter()
        .enumerate()
        .map(|(idx, value)| Sample {
            at: time(idx),
            value,
        })
        .collect();
    History::from_samples(&samples, step()).unwrap()
}

fn settings(model: ModelKind) -> Settings {
    Settings {
        model,
        seasons: Some(vec![Duration::from_hours(24), Duration::from_hours(168)]),
        bounds: Bounds {
            lower: 0.0,
            upper: f64::INFINITY,
        },
        max_horizon: Duration::from_hours(24),
    }
}

fn start(c: &mut Criterion) {
    let history = history(1);
    let mut group = c.benchmark_group("start from three weeks of five minutes");
    group.sample_size(10);
    for (name, model) in [
        ("online", ModelKind::Online),
        ("augurs MSTL + AutoETS", ModelKind::Mstl),
    ] {
        let settings = settings(model);
        group.bench_function(name, |b| {
            b.iter(|| fit(black_box(&history), &settings).unwrap());
        });
    }
    group.finish();
}

/// Updates that also judge what was foreseen, and what they leave behind.
fn observe(
    group: &mut BenchmarkGroup<'_, WallTime>,
    (fleet, values): (&mut [Online], &[f64]),
    now: &mut usize,
) -> Vec<TrackRecord> {
    let horizons = HORIZONS.map(|ahead| step().get() * ahead);
    let record = TrackRecord::new(&history(1), &horizons);
    let mut records = vec![record; FLEET];
    group.bench_function("update with a track record", |b| {
        b.iter(|| {
            let sample = Sample {
                at: time(*now),
                value: values[*now],
            };
            *now += 1;
            for (model, record) in fleet.iter_mut().zip(&mut records) {
                record.observe(model, sample).unwrap();
            }
        });
    });
    records
}

fn serve(c: &mut Criterion) {
    let levels = [0.05, 0.5, 0.95].map(|level| Quantile::new(level).unwrap());
    let kinds: Vec<Online> = (0..32)
        .map(|seed| Online::fit(&history(seed), &settings(ModelKind::Online)).unwrap())
        .collect();
    let mut fleet: Vec<Online> = (0..FLEET)
        .map(|idx| kinds[idx % kinds.len()].clone())
        .collect();
    let values = requests(99, WEEKS_3 + 100 * DAY);
    let mut now = WEEKS_3;
    let mut group = c.benchmark_group("a fleet of 100,000 series");
    group
        .throughput(Throughput::Elements(FLEET as u64))
        .sample_size(20);
    group.bench_function("update, then 3 horizons with 3 quantiles", |b| {
        b.iter(|| {
            let sample = Sample {
                at: time(now),
                value: values[now],
            };
            now += 1;
            for model in &mut fleet {
                model.update(sample).unwrap();
                for ahead in HORIZONS {
                    black_box(model.quantiles(ahead, &levels));
                }
            }
        });
    });
    group.bench_function("update", |b| {
        b.iter(|| {
            let sample = Sample {
                at: time(now),
                value: values[now],
            };
            now += 1;
            for model in &mut fleet {
                model.update(sample).unwrap();
            }
        });
    });
    let records = observe(&mut group, (&mut fleet, &values), &mut now);
    group.finish();
    let (model, record) = (&fleet[0], &records[0]);
    println!(
        "state: {} bytes in memory and {} saved, with the track record of three horizons {} and {}",
        model.size(),
        model.save().unwrap().len(),
        model.size() + size_of::<TrackRecord>() + record.heap_size(),
        model.save().unwrap().len() + record.to_bytes().len(),
    );
}

criterion_group!(benches, start, serve);
criterion_main!(benches);
