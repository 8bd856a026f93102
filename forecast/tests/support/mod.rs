//! A service's request rate as it might have been measured, for tests: seeded, the same on every machine.

use series::{Sample, Step, Timestamp};
use std::time::Duration;

/// Minutes in a day.
pub(crate) const DAY: usize = 1_440;

/// The minute of the day at which the load starts to triple, within three minutes, for twenty.
pub(crate) const RAMP: usize = 14 * 60;

/// The grid of the series.
pub(crate) fn minute() -> Step {
    Step::new(Duration::from_mins(1)).unwrap()
}

/// The time of a minute of the series; the first is a Monday's midnight.
pub(crate) fn time(idx: usize) -> Timestamp {
    let monday = Timestamp::from_seconds(1_700_438_400);
    monday + Duration::from_mins(1) * u32::try_from(idx).unwrap()
}

/// Requests per second in each minute: a daily profile, weekends, growth, a steep daily ramp and noise.
pub(crate) fn request_rate(n_minutes: usize, seed: u64) -> Vec<f64> {
    let mut noise = Noise(seed);
    (0..n_minutes)
        .map(|idx| expected_rate(idx) * (0.025 * noise.next()).exp())
        .collect()
}

/// The request rate without its noise.
pub(crate) fn expected_rate(idx: usize) -> f64 {
    let days = idx as f64 / DAY as f64;
    let profile = 1.0 - 0.45 * (std::f64::consts::TAU * (days - 0.1)).cos();
    let weekday = if (idx / DAY) % 7 < 5 { 1.0 } else { 0.75 };
    100.0 * 1.015_f64.powf(days) * profile * weekday * ramp(idx % DAY)
}

/// From one to three within three minutes, twenty minutes there, and five minutes back.
fn ramp(minute: usize) -> f64 {
    let since = minute as f64 - RAMP as f64;
    let up = (since / 3.0).clamp(0.0, 1.0);
    let down = ((since - 23.0) / 5.0).clamp(0.0, 1.0);
    1.0 + 2.0 * (up - down)
}

/// The samples of a series that starts at the first minute.
pub(crate) fn samples(values: &[f64]) -> Vec<Sample> {
    let at = |(idx, value): (usize, &f64)| Sample {
        at: time(idx),
        value: *value,
    };
    values.iter().enumerate().map(at).collect()
}

/// Standard normal numbers from a linear congruential generator (Knuth's MMIX constants).
struct Noise(u64);

impl Noise {
    /// The next number, as good as normal: twelve uniform ones, added.
    fn next(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }

    fn uniform(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}
