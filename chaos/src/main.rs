//! `foreshadow-chaos`: throws random faults at the program for some minutes, and tells what it did wrong.

use anyhow::Context as _;
use chaos::{findings::Findings, quiet::Patience, run::Run, schedule::Lengths, world::Means};
use clap::Parser;
use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};
use tokio::signal::unix::{SignalKind, signal};

/// Time for capacity to follow where a metric tells of an attempt to come; the first pause is half a minute.
const TOLD: Duration = Duration::from_secs(45);

/// Throws random faults at `foreshadow serve`, with a stub fleet, and reads the journal at each effect.
#[derive(Debug, Parser)]
struct Arguments {
    /// After so many minutes no round begins
    #[arg(long, default_value_t = 20.0)]
    minutes: f64,
    /// Decides on all faults and their times; the same seed gives the same ones
    #[arg(long)]
    seed: Option<u64>,
    /// Worlds side by side
    #[arg(long, default_value_t = 3)]
    worlds: u32,
    /// The program; beside this one unless told
    #[arg(long, value_name = "FILE")]
    foreshadow: Option<PathBuf>,
    /// Folder for the worlds; a temporary folder unless told
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// Leave out faults that need root or libfaketime
    #[arg(long)]
    plain: bool,
    /// Seconds that everything may take to come to rest once nothing is wrong any more
    #[arg(long, default_value_t = 150)]
    bound: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let run = plan(&arguments)?;
    let findings = Arc::new(Findings::default());
    println!(
        "seed {}, {} worlds, {:?}, in {}",
        run.seed,
        run.n_worlds,
        run.lasts,
        run.dir.display()
    );
    let mut terminated = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let ended = tokio::select! {
        ended = run.go(findings.clone()) => ended,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
        _ = terminated.recv() => Err(anyhow::anyhow!("terminated")),
    };
    println!("{}", findings.table());
    for remark in findings.remarks() {
        println!("{remark}");
    }
    let is_clean = findings.violations().is_empty();
    for violation in findings.violations() {
        println!("{violation}\n");
    }
    ended.with_context(|| format!("the run with seed {} broke off", run.seed))?;
    if is_clean {
        // What clean worlds leave is removed; this is the empty folder around them.
        let _ = std::fs::remove_dir(&run.dir);
        println!("nothing was wrong");
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "seed {}; logs and journals are in {}",
        run.seed,
        run.dir.display()
    );
    Ok(ExitCode::FAILURE)
}

fn plan(arguments: &Arguments) -> anyhow::Result<Run> {
    let own = std::env::current_exe().context("cannot find the own program")?;
    let beside = || own.with_file_name("foreshadow");
    let binary = arguments.foreshadow.clone().unwrap_or_else(beside);
    anyhow::ensure!(
        binary.is_file(),
        "{} is not there: cargo build -p exporter, or name it with --foreshadow",
        binary.display()
    );
    let binary = binary.canonicalize().context("cannot find the program")?;
    let dir = match &arguments.dir {
        Some(dir) => dir.clone(),
        None => tempfile::Builder::new()
            .prefix("foreshadow-chaos-")
            .tempdir()
            .context("cannot make a temporary folder")?
            .keep(),
    };
    std::fs::create_dir_all(&dir)
        .with_context(|| format!("cannot create the folder {}", dir.display()))?;
    let lasts = Duration::try_from_secs_f64(arguments.minutes * 60.0)
        .with_context(|| format!("--minutes {} is no time", arguments.minutes))?;
    Ok(Run {
        binary,
        dir: dir.canonicalize().context("cannot find the folder")?,
        seed: arguments
            .seed
            .unwrap_or_else(|| chaos::clock::now_millis().unsigned_abs()),
        lasts,
        n_worlds: arguments.worlds,
        lengths: Lengths::Mixed,
        means: if arguments.plain {
            Means::Plain
        } else {
            Means::All
        },
        patience: Patience {
            bound: Duration::from_secs(arguments.bound),
            told: TOLD,
        },
    })
}
