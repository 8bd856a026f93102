//! Remote read side by side: Prometheus serves stored series, Foreshadow as many curves, computed as they are asked for.

mod data;
mod load;
mod process;
mod servers;
mod table;

use clap::Parser;
use load::{Load, Outcome};
use remote_read::ResponseKind;
use series::Timestamp;
use servers::Served;
use std::{
    path::PathBuf,
    process::ExitCode,
    time::{Duration, SystemTime},
};

/// What is compared, and how often.
#[derive(Debug, Parser)]
struct Args {
    /// The program `foreshadow`, built for release
    #[arg(long, default_value = "target/release/foreshadow")]
    foreshadow: PathBuf,
    /// Series that are forecast; each gives as many curves as it takes to make 10,000
    #[arg(long, default_value_t = 2_000, value_parser = divides)]
    models: u32,
    /// Requests of each kind that are measured
    #[arg(long, default_value_t = 20)]
    requests: u32,
}

fn divides(text: &str) -> Result<u32, String> {
    let models: u32 = text.parse().map_err(|_| "not a number".to_owned())?;
    match data::N_SERIES.checked_rem(models) {
        Some(0) if data::N_SERIES / models <= data::MAX_QUANTILES => Ok(models),
        _ => Err(format!(
            "{} curves cannot be made of so many series",
            data::N_SERIES
        )),
    }
}

/// What one server did in one kind of answer.
struct Row {
    server: String,
    kind: ResponseKind,
    outcome: Outcome,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Args::parse()).await {
        Ok(rows) => {
            print!("{}", table::render(&rows));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench-remote-read: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the servers live in the real time"
)]
fn clock() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Timestamp::default() + since_epoch.expect("the clock is set")
}

async fn run(args: &Args) -> anyhow::Result<Vec<Row>> {
    let dir = tempfile::tempdir()?;
    let now = clock().align_down(Duration::from_mins(1));
    eprintln!(
        "making {} series and the history of {}",
        data::N_SERIES,
        args.models
    );
    let mut rows = Vec::new();
    let prometheus = servers::prometheus(dir.path(), now, args.models).await?;
    // Measured before Foreshadow asks it for history, whose memory would be counted as its own.
    measure(&prometheus, args, &mut rows).await?;
    let foreshadow = servers::foreshadow(dir.path(), args, prometheus).await?;
    measure(&foreshadow, args, &mut rows).await?;
    Ok(rows)
}

async fn measure(served: &Served, args: &Args, rows: &mut Vec<Row>) -> anyhow::Result<()> {
    for kind in [ResponseKind::Samples, ResponseKind::StreamedXorChunks] {
        eprintln!(
            "asking {} for {kind:?}, {} times",
            served.name, args.requests
        );
        let load = Load::new(served, kind)?;
        rows.push(Row {
            server: served.name.clone(),
            kind,
            outcome: load.run(args.requests).await?,
        });
    }
    Ok(())
}
