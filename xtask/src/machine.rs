//! What a report was measured on.

use std::{fs, process::Command, thread::available_parallelism};

/// Processor, cores, system and compiler, as one sentence.
pub fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, name)| name.trim());
    let n_cores = available_parallelism().map_or(1, std::num::NonZero::get);
    let system = said("uname", &["-s"]);
    let compiler = said("rustc", &["--version"]);
    format!("Measured on: {cpu}, {n_cores} cores, {system}, {compiler}.")
}

fn said(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.unwrap_or_else(|_| format!("no {program}"))
}
