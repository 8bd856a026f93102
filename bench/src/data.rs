//! The series that are served, and those that are forecast, as OpenMetrics.

use anyhow::Context;
use series::Timestamp;
use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
    time::Duration,
};

/// Series in every answer.
pub(crate) const N_SERIES: u32 = 10_000;
/// Samples of each: four hours, one a minute, and one more at the end.
pub(crate) const N_SAMPLES: u32 = 241;
/// The most curves that one series is made to give.
pub(crate) const MAX_QUANTILES: u32 = 9;

/// The name of what Prometheus serves; as long as that of a curve.
pub(crate) const STORED: &str = "instance:node_cpu_utilisation:recorded_rate5m";
/// The name of what Foreshadow forecasts.
pub(crate) const INPUT: &str = "instance:node_cpu_utilisation:rate5m";

const MINUTE: Duration = Duration::from_mins(1);
/// The history of each series that is forecast, in minutes: three times the horizon.
const HISTORY: u32 = 720;

/// Writes everything up to a time.
pub(crate) fn write(file: &Path, now: Timestamp, n_models: u32) -> anyhow::Result<()> {
    let open = File::create(file).with_context(|| format!("cannot write {}", file.display()))?;
    let mut out = BufWriter::new(open);
    for idx in 0..N_SERIES {
        let curve = format!(",quantile=\"0.{}\",source=\"prometheus\"", idx % 9 + 1);
        write_series(&mut out, STORED, &curve, idx, (now, N_SAMPLES))?;
    }
    for idx in 0..n_models {
        write_series(&mut out, INPUT, "", idx, (now, HISTORY))?;
    }
    writeln!(out, "# EOF")?;
    out.flush()?;
    Ok(())
}

fn write_series(
    out: &mut impl Write,
    name: &str,
    more: &str,
    idx: u32,
    (end, n_samples): (Timestamp, u32),
) -> std::io::Result<()> {
    for n_back in (0..n_samples).rev() {
        let at = (end - MINUTE * n_back).as_millis() / 1_000;
        let value = utilisation(idx, at);
        writeln!(
            out,
            "{name}{{instance=\"node-{idx:05}.example.net:9100\",job=\"node\"{more}}} {value} {at}"
        )?;
    }
    Ok(())
}

/// An hourly wave with noise, so that no bit of a value can be told from the one before.
fn utilisation(idx: u32, at: i64) -> f64 {
    let phase = (at as f64 / 3_600.0 + f64::from(idx) / 100.0) * std::f64::consts::TAU;
    let mut mixed = at.cast_unsigned() ^ (u64::from(idx) << 40);
    for _ in 0..3 {
        mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    let noise = (mixed >> 11) as f64 / (1_u64 << 53) as f64;
    0.5 + 0.3 * phase.sin() + 0.05 * (noise - 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_samples_are_written_and_none_lies_ahead() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let now = Timestamp::from_seconds(1_800_000_000);
        write(file.path(), now, 2).unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines.len(),
            (N_SERIES * N_SAMPLES + 2 * HISTORY + 1) as usize
        );
        assert_eq!(lines.last(), Some(&"# EOF"));
        let times = lines
            .iter()
            .filter_map(|line| line.rsplit(' ').next()?.parse().ok());
        assert_eq!(times.max(), Some(1_800_000_000_i64));
    }
}
