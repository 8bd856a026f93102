//! The clients against servers that stand in for others, and against the real Prometheus.

#![expect(
    clippy::unwrap_used,
    reason = "shared test code may stop the test where it stands"
)]

mod reading;
mod real_prometheus;
mod receiver;
mod serving;
mod writing;

use series::{Labels, Sample, Series, Timestamp};

fn series(
    name: &str,
    instance: &str,
    samples: impl IntoIterator<Item = (Timestamp, f64)>,
) -> Series {
    let samples = samples.into_iter().map(|(at, value)| Sample { at, value });
    Series {
        labels: Labels::new([("__name__", name), ("instance", instance)]).unwrap(),
        samples: samples.collect(),
    }
}

/// Values at successive seconds.
fn counting(instance: &str, seconds: std::ops::Range<i64>) -> Series {
    let samples = seconds.map(|at| (Timestamp::from_seconds(at), at as f64));
    series("counting", instance, samples)
}
