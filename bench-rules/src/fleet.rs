//! The series that the benchmark is about: what they are called, and what they are at any time.

use std::fmt::Write as _;
use std::io::{self, Write};

/// Series of one gauge, as a large fleet's exporters would give them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fleet {
    pub(crate) n_series: usize,
}

/// Seconds after which each series begins its shape anew.
const SEASON: f64 = 3_600.0;

/// Devices of one host.
const DEVICES: usize = 10;

impl Fleet {
    /// The state of all series at a time in seconds, as a target tells it.
    pub(crate) fn exposition(self, seconds: i64) -> String {
        let mut text = String::with_capacity(self.n_series * 112 + 64);
        text.push_str("# TYPE bench_load gauge\n");
        for idx in 0..self.n_series {
            put(&mut text, idx, seconds);
            text.push('\n');
        }
        text
    }

    /// The state of all series at some times, oldest first, as `promtool` reads it.
    pub(crate) fn write_past(
        self,
        times: impl Iterator<Item = i64>,
        to: &mut impl Write,
    ) -> io::Result<()> {
        writeln!(to, "# TYPE bench_load gauge")?;
        let mut line = String::new();
        for seconds in times {
            for idx in 0..self.n_series {
                line.clear();
                put(&mut line, idx, seconds);
                writeln!(to, "{line} {seconds}")?;
            }
        }
        writeln!(to, "# EOF")
    }
}

fn put(to: &mut String, idx: usize, seconds: i64) {
    let (host, device) = (idx / DEVICES, idx % DEVICES);
    let (service, zone) = (host % 97, host % 3);
    let value = value(idx, seconds);
    write!(
        to,
        "bench_load{{device=\"disk{device}\",instance=\"host-{host:05}.example:9100\",job=\"bench\",\
         service=\"service-{service}\",zone=\"eu-{zone}\"}} {value:.3}"
    )
    .expect("a String takes every text");
}

/// A season, a level of its own for each series, and noise.
fn value(idx: usize, seconds: i64) -> f64 {
    let level = 50.0 + (idx % 89) as f64;
    let phase = seconds as f64 / SEASON + (idx % 17) as f64 / 17.0;
    let swing = 0.3 * level * (phase * std::f64::consts::TAU).sin();
    level + swing + noise(idx as u64, seconds.unsigned_abs())
}

/// From -1 to 1, the same each time (the finalizer of `splitmix64`).
fn noise(idx: u64, seconds: u64) -> f64 {
    let mut bits = (idx << 34 ^ seconds).wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    (bits >> 32) as f64 / f64::from(1_u32 << 31) - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_present_goes_on_where_the_past_ended() {
        let fleet = Fleet { n_series: 12 };
        let mut past = Vec::new();
        fleet.write_past([60, 120].into_iter(), &mut past).unwrap();
        let past = String::from_utf8(past).unwrap();
        let last: Vec<_> = past.lines().skip(1 + 12).take(12).collect();
        let now = fleet.exposition(120);
        let now: Vec<_> = now
            .lines()
            .skip(1)
            .map(|line| format!("{line} 120"))
            .collect();
        assert_eq!(last, now);
        assert!(past.ends_with("# EOF\n"));
    }

    #[test]
    fn no_two_series_are_alike() {
        let text = Fleet { n_series: 3_000 }.exposition(0);
        let mut names: Vec<_> = text
            .lines()
            .filter_map(|line| line.split_once("} "))
            .collect();
        names.sort_unstable();
        names.dedup_by_key(|(name, _)| *name);
        assert_eq!(names.len(), 3_000);
    }
}
