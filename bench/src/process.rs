//! What a process has taken so far, as `/proc` tells it.

use anyhow::Context;
use std::{fs, time::Duration};

/// Ticks a second in `/proc/PID/stat`; Linux shows that many whatever its own clock does.
const USER_HZ: u64 = 100;

/// Time on the processor, of the program and of the kernel for it.
pub(crate) fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let stat = read(pid, "stat")?;
    let ticks = ticks(&stat).with_context(|| format!("/proc/{pid}/stat has no times"))?;
    Ok(Duration::from_millis(ticks * 1_000 / USER_HZ))
}

/// Fields 14 and 15 of proc(5); the second is the program's name, which may have spaces.
fn ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut times = fields.split(' ').skip(11);
    let mut next = || times.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

/// Forgets the peak of resident memory, so that the next one counts from now.
pub(crate) fn forget_peak(pid: u32) -> anyhow::Result<()> {
    let file = format!("/proc/{pid}/clear_refs");
    fs::write(&file, "5").with_context(|| format!("cannot write {file}"))
}

/// The most resident memory since the peak was forgotten, in bytes.
pub(crate) fn peak(pid: u32) -> anyhow::Result<u64> {
    let status = read(pid, "status")?;
    let kibibytes = status.lines().find_map(|line| {
        let rest = line.strip_prefix("VmHWM:")?;
        rest.split_whitespace().next()?.parse::<u64>().ok()
    });
    let kibibytes = kibibytes.with_context(|| format!("/proc/{pid}/status has no VmHWM"))?;
    Ok(kibibytes << 10)
}

fn read(pid: u32, name: &str) -> anyhow::Result<String> {
    let file = format!("/proc/{pid}/{name}");
    fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_are_found_behind_any_name() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 111 22 0 0 20 0 1";
        assert_eq!(ticks(stat), Some(133));
        assert_eq!(ticks("7 (a) S 1"), None);
    }

    #[test]
    fn our_own_process_takes_memory() {
        let pid = std::process::id();
        assert!(peak(pid).unwrap() > 1 << 16);
        cpu(pid).unwrap();
    }
}
