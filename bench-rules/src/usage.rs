//! What a process takes of the machine, as Linux counts it.

use anyhow::{Context as _, bail};
use std::{fs, time::Duration};

/// Ticks of `/proc/PID/stat` in a second, the same on every Linux that Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// Memory in bytes, and processor time since the start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) resident: u64,
    /// The most that was resident at any time.
    pub(crate) peak: u64,
    cpu: Duration,
}

impl Usage {
    /// Of a running process.
    pub(crate) fn of(pid: u32) -> anyhow::Result<Self> {
        let read = |file: &str| {
            let path = format!("/proc/{pid}/{file}");
            fs::read_to_string(&path).with_context(|| format!("reading {path}"))
        };
        let (status, stat) = (read("status")?, read("stat")?);
        Ok(Self {
            resident: kibibytes(&status, "VmRSS:")?,
            peak: kibibytes(&status, "VmHWM:")?,
            cpu: cpu(&stat)?,
        })
    }

    /// Processor time since an earlier look.
    pub(crate) fn cpu_since(self, earlier: Self) -> Duration {
        self.cpu.saturating_sub(earlier.cpu)
    }
}

fn kibibytes(status: &str, key: &str) -> anyhow::Result<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let number = line.and_then(|line| line.split_whitespace().next());
    let number = number.with_context(|| format!("no {key} in the status of the process"))?;
    Ok(number.parse::<u64>().context("not a size")? * 1_024)
}

/// User and system time: the fields 14 and 15, counted after the name, which may hold spaces.
fn cpu(stat: &str) -> anyhow::Result<Duration> {
    let fields = stat.rsplit_once(") ").map(|(_, rest)| rest.split(' '));
    let times: Vec<f64> = fields
        .into_iter()
        .flatten()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse().ok())
        .collect();
    let [user, system] = times[..] else {
        bail!("cannot read the times of the process");
    };
    Ok(Duration::from_secs_f64((user + system) / TICKS_PER_SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_does_not_shift_the_times() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 1 2 3 4 250 50 0 0 20 0 4 0 9 9 9";
        assert_eq!(cpu(stat).unwrap(), Duration::from_secs(3));
        assert!(cpu("7 (a) S").is_err());
    }

    #[test]
    fn this_process_takes_memory() {
        let usage = Usage::of(std::process::id()).unwrap();
        assert!(
            usage.peak >= usage.resident && usage.resident > 100_000,
            "{usage:?}"
        );
    }
}
