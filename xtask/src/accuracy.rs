//! How good forecasts are on a folder of series, beside what others reach.

mod references;

use crate::{machine::machine, markdown::table};
use anyhow::{Context as _, ensure};
use references::{REFERENCES, Reference};
use serde_json::Value;
use std::process::Command;

/// The models that are tried on the folder itself, as the command line names them, and what they are.
const MODELS: [(&str, &str); 3] = [
    ("online", "**Foreshadow, online**"),
    ("mstl", "Foreshadow, MSTL + AutoETS by augurs"),
    ("seasonal-naive", "Foreshadow, seasonal naive"),
];

/// The protocol of the reference figures.
const PROTOCOL: &str =
    "--step 5m --horizon 24h --origins 5 --stride 20h50m --history 14d --format json";

/// Backtests every model on the folder with the program that was built for release.
pub fn report(folder: &str) -> anyhow::Result<String> {
    let tried = MODELS.map(|(model, name)| Ok((name, backtest(folder, model)?)));
    let tried: Vec<(&str, Vec<Value>)> = tried.into_iter().collect::<anyhow::Result<_>>()?;
    let mut rows = Vec::new();
    for horizon in ["1h", "24h"] {
        for (name, scores) in &tried {
            rows.push(row(name, horizon, scores)?);
        }
    }
    let titles = [
        "model", "horizon", "series", "rel MASE", "rel SQL", "cov 80", "cov 95", "fit, ms",
    ];
    let references: Vec<Vec<String>> = REFERENCES.iter().map(Reference::row).collect();
    let reference_titles = [
        "model", "horizon", "rel MASE", "rel SQL", "cov 80", "cov 95", "CPU ms",
    ];
    Ok(format!(
        "# Accuracy\n\n{}\n\n{}\n\n{}\n## What others reach\n\n{}\n\n{}",
        "Rolling-origin backtests, five origins a series, at most two weeks of five-minute history, one forecast of a day. \
         `rel MASE` and `rel SQL` are geometric means over series of the ratio to SeasonalNaive on the same windows, lower \
         is better; `cov 80` and `cov 95` are the shares of values inside the central bands, and should be 0.80 and 0.95.",
        machine(),
        table(&titles, &rows),
        references::ORIGIN,
        table(&reference_titles, &references),
    ))
}

/// One object a series and horizon.
fn backtest(folder: &str, model: &str) -> anyhow::Result<Vec<Value>> {
    let program = "target/release/foreshadow";
    let mut command = Command::new(program);
    command.args(["backtest", "--csv", folder, "--model", model]);
    let output = command
        .args(PROTOCOL.split(' '))
        .output()
        .with_context(|| format!("running {program}"))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "the backtest of {model} failed: {complaint}"
    );
    let lines = str::from_utf8(&output.stdout)
        .context("reading the report")?
        .lines();
    lines
        .map(|line| serde_json::from_str(line).context("reading the report"))
        .collect()
}

fn row(name: &str, horizon: &str, scores: &[Value]) -> anyhow::Result<Vec<String>> {
    let of_horizon: Vec<&Value> = scores.iter().filter(|s| s["horizon"] == horizon).collect();
    ensure!(
        !of_horizon.is_empty(),
        "no series is long enough for {horizon}"
    );
    let mean = |of: &dyn Fn(&Value) -> Option<f64>| {
        let sum: Option<f64> = of_horizon.iter().map(|score| of(score)).sum();
        let sum = sum.context("a figure is missing from the report")?;
        anyhow::Ok(sum / of_horizon.len() as f64)
    };
    let geometric = |key: &str| mean(&|s| Some(s[key].as_f64()?.ln())).map(f64::exp);
    let plain = |key: &str| mean(&|s| s[key].as_f64());
    Ok(vec![
        name.to_owned(),
        horizon.to_owned(),
        of_horizon.len().to_string(),
        format!("{:.3}", geometric("rel_mase")?),
        format!("{:.3}", geometric("rel_sql")?),
        format!("{:.3}", plain("cov80")?),
        format!("{:.3}", plain("cov95")?),
        format!("{:.1}", plain("fit_seconds")? * 1e3),
    ])
}
