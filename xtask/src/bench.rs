//! What the online model costs, as ratios to others in the same run.

use crate::{machine::machine, markdown::table};
use anyhow::{Context as _, ensure};
use cargo_metadata::MetadataCommand;
use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

/// Runs the benchmarks of the crate `forecast` and reads what criterion measured.
pub fn report() -> anyhow::Result<String> {
    let mut command = Command::new("cargo");
    command.args(["bench", "--locked", "-p", "forecast", "--bench", "online"]);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .context("running cargo bench")?;
    ensure!(output.status.success(), "the benchmarks failed");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let state = said
        .lines()
        .find(|line| line.starts_with("state: "))
        .context("the benchmarks do not tell the size of the state")?;

    let rows = rows()?;
    Ok(format!(
        "# Speed\n\n{}\n\n{}\n\n{}\n{}\n",
        "The online model with a daily and a weekly season at five minutes, on one core; 100,000 series in memory. \
         Ratios are to the line of 1 above them, in the same run.",
        machine(),
        table(&["what", "time", "ratio"], &rows),
        sentence(state),
    ))
}

/// What criterion measured, a line each.
fn rows() -> anyhow::Result<[Vec<String>; 6]> {
    let metadata = MetadataCommand::new().no_deps().exec()?;
    let folder = metadata.target_directory.join("criterion");
    let mean = |group: &str, function: &str| mean(folder.as_std_path(), group, function);
    let (start, fleet) = (
        "start from three weeks of five minutes",
        "a fleet of 100,000 series",
    );
    let online = mean(start, "online")?;
    let augurs = mean(start, "augurs MSTL + AutoETS")?;
    let update = mean(fleet, "update")?;
    let recorded = mean(fleet, "update with a track record")?;
    let both = mean(fleet, "update, then 3 horizons with 3 quantiles")?;
    Ok([
        row(
            "start from three weeks, a series",
            format!("{:.2} ms", online / 1e6),
            None,
        ),
        row(
            "the same with MSTL + AutoETS by augurs",
            format!("{:.1} ms", augurs / 1e6),
            Some(augurs / online),
        ),
        row(
            "update, a series",
            format!("{:.0} ns", update / FLEET),
            None,
        ),
        row(
            "update and forecast 3 horizons × 3 quantiles, a series",
            format!("{:.0} ns", both / FLEET),
            Some(both / update),
        ),
        row(
            "update with a track record of 3 horizons, a series",
            format!("{:.0} ns", recorded / FLEET),
            Some(recorded / update),
        ),
        row(
            "update and forecast, series a second",
            format!("{:.2} million", FLEET / both * 1e3),
            None,
        ),
    ])
}

/// Series that the benchmark holds in memory.
const FLEET: f64 = 100_000.0;

fn row(what: &str, time: String, ratio: Option<f64>) -> Vec<String> {
    let ratio = ratio.map_or("1".to_owned(), |ratio| format!("{ratio:.1}"));
    vec![what.to_owned(), time, ratio]
}

/// The mean of one iteration, in nanoseconds.
fn mean(folder: &Path, group: &str, function: &str) -> anyhow::Result<f64> {
    let file = folder.join(group).join(function).join("new/estimates.json");
    let reading = || format!("reading {}", file.display());
    let text = fs::read_to_string(&file).with_context(reading)?;
    let estimates: Value = serde_json::from_str(&text).with_context(reading)?;
    estimates["mean"]["point_estimate"]
        .as_f64()
        .with_context(reading)
}

/// `state: A, B` as a sentence.
fn sentence(state: &str) -> String {
    let sizes = state.trim_start_matches("state: ");
    format!("State of one series: {sizes}.")
}
