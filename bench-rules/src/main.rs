//! What one rule over very many series costs, measured against a real Prometheus that holds them.

mod fleet;
mod measure;
mod report;
mod service;
mod usage;
mod world;

use anyhow::ensure;
use clap::Parser;
use std::{path::PathBuf, time::Duration};

/// Runs one forecast rule over many series and prints what it costs.
#[derive(Debug, Parser)]
struct Args {
    /// Series in the rule.
    #[arg(long, default_value_t = 100_000)]
    series: usize,
    /// Iterations to measure after the first.
    #[arg(long, default_value_t = 5)]
    iterations: u64,
    /// Seconds between two scrapes, two steps and two iterations.
    #[arg(long, default_value_t = 60)]
    interval: u64,
    /// The program to measure.
    #[arg(long, default_value = "target/release/foreshadow")]
    program: PathBuf,
}

impl Args {
    fn interval(&self) -> Duration {
        Duration::from_secs(self.interval)
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    ensure!(
        args.series > 0 && args.interval > 0,
        "there must be series and an interval"
    );
    ensure!(
        args.program.is_file(),
        "{} is not built",
        args.program.display()
    );
    let folder = tempfile::tempdir()?;
    let figures = measure::measure(&args, folder.path()).await?;
    print!("{}", report::report(&args, &figures));
    Ok(())
}
