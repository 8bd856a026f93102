//! `foreshadow-demo`: one command that runs the whole loop and ends by telling what happened.

use anyhow::{Context, bail, ensure};
use clap::Parser;
use demo::{
    demand::Demand,
    evidence::{self, Evidence},
    picture, report, restart,
    server::Clock,
    sources::Sources,
    stack::{Plan, Stack},
    terminal::{Paint, clock_time},
    verdict,
    watch::{self, Patience},
};
use series::Timestamp;
use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};
use testbed::find_binary;
use tokio::signal::unix::{SignalKind, signal};
use url::Url;

/// From the opening until the demo gives up on waiting for the breach.
const PATIENCE: Duration = Duration::from_secs(145);
/// How long the breach without Foreshadow is looked at; longer for a picture, so that the load reaches its height.
const BREACH: Duration = Duration::from_secs(25);
const BREACH_FOR_PICTURE: Duration = Duration::from_mins(2);
/// What a shell expects of a program that was interrupted.
const INTERRUPTED: u8 = 130;

/// A simulated shop on a real Prometheus and Alertmanager: Foreshadow sees a breach coming and averts it.
#[derive(Debug, Parser)]
#[command(name = "foreshadow-demo", version, about)]
struct Arguments {
    /// Leave everything running at the end, until Ctrl-C
    #[arg(long)]
    keep: bool,
    /// What the noise in the load is drawn from; the same seed brings the same load
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// The program `foreshadow` [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    foreshadow: Option<PathBuf>,
    /// Where to keep data, configuration and logs [default: a folder that is removed at the end]
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// Seconds from now until the sale opens
    #[arg(long, value_name = "SECONDS", default_value_t = 80)]
    opening_after: u64,
    /// Draw what happened as an SVG; the run is then a minute and a half longer
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match perform(&arguments).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("foreshadow-demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs everything in a folder that is kept when the user chose it, or when something went wrong.
async fn perform(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let foreshadow = find_programs(arguments)?;
    if let Some(file) = &arguments.picture {
        check_folder_of(file)?;
    }
    let home = match &arguments.dir {
        Some(dir) => Home::Chosen(empty_folder(dir)?),
        None => Home::Temporary(
            tempfile::Builder::new()
                .prefix("foreshadow-demo-")
                .tempdir()
                .context("cannot create a temporary folder")?,
        ),
    };
    let clock: Clock = Arc::new(now);
    let opening = clock() + Duration::from_secs(arguments.opening_after);
    let plan = Plan {
        dir: home.path().to_owned(),
        foreshadow,
        demand: Demand::new(opening.align_down(Duration::from_secs(1)), arguments.seed),
        clock,
        paint: paint(),
    };
    let outcome = tokio::select! {
        outcome = play(&plan, arguments.picture.as_deref()) => outcome,
        ended = interrupted() => ended.map(|()| (Outcome::Interrupted, None)),
    };
    let outcome = match outcome {
        Ok((outcome, Some(stack))) => end(stack, &plan, arguments.keep).await.map(|()| outcome),
        outcome => outcome.map(|(outcome, _)| outcome),
    };
    match outcome {
        Ok(Outcome::Averted) => Ok(ExitCode::SUCCESS),
        Ok(Outcome::Interrupted) => Ok(ExitCode::from(INTERRUPTED)),
        Ok(Outcome::Missing) => {
            println!("  The logs are in {}", home.keep().display());
            Ok(ExitCode::FAILURE)
        }
        Err(error) => {
            let dir = home.keep();
            Err(error.context(format!(
                "the demo broke off; the logs are in {}",
                dir.display()
            )))
        }
    }
}

/// How a run ended.
enum Outcome {
    Averted,
    Missing,
    Interrupted,
}

/// Shows it all, and leaves the programs running.
async fn play(plan: &Plan, picture: Option<&Path>) -> anyhow::Result<(Outcome, Option<Stack>)> {
    println!("{}\n", introduction(plan));
    let mut stack = Stack::start(plan).await?;
    let start = (plan.clock)();
    let opening = plan.demand.opening();
    ensure!(
        start < opening,
        "the preparation took longer than --opening-after: give it more seconds on a slow machine"
    );
    let sources = Sources::of(&stack)?;
    let restart = restart::restart(&mut stack, plan, &sources).await?;
    let patience = patience(opening, picture.is_some());
    let mut seen = watch::watch(&sources, &plan.clock, patience, plan.paint).await?;
    seen.restart = Some(restart);
    let curve = seen.curve.clone();
    let changes = stack.server.fleet().changes().to_vec();
    let changes = changes
        .into_iter()
        .filter(|change| change.at >= start)
        .collect();
    let window = (start, (plan.clock)());
    let evidence = evidence::gather(&sources, window, seen, (opening, changes)).await?;
    println!("\n{}", report::render(&evidence, plan.paint));
    if let Some(file) = picture {
        let picture = picture::read(&sources, &evidence, curve, window.1).await?;
        std::fs::write(file, picture::render(&picture))
            .with_context(|| format!("cannot write {}", file.display()))?;
        println!("  Drawn in {}\n", file.display());
    }
    Ok((judge(&evidence, plan.paint), Some(stack)))
}

/// Says what is missing from what the demo promises, or that nothing is.
fn judge(evidence: &Evidence, paint: Paint) -> Outcome {
    let missing = verdict::missing(evidence);
    if missing.is_empty() {
        let sentence = "The breach that happened without the action did not happen with it.";
        println!("  {}", paint.green(sentence));
        return Outcome::Averted;
    }
    for sentence in &missing {
        println!("  {} {sentence}", paint.red("Missing:"));
    }
    Outcome::Missing
}

/// How long to look on; a picture takes longer.
fn patience(opening: Timestamp, for_picture: bool) -> Patience {
    let breach = if for_picture {
        BREACH_FOR_PICTURE
    } else {
        BREACH
    };
    Patience {
        breach,
        deadline: opening + PATIENCE + breach,
    }
}

/// Ends the programs, at once or when the user has looked around.
async fn end(mut stack: Stack, plan: &Plan, keep: bool) -> anyhow::Result<()> {
    if keep {
        println!("\n{}", addresses(&stack, plan.demand.opening())?);
        interrupted().await?;
    }
    stack.stop().await
}

fn introduction(plan: &Plan) -> String {
    let opening = clock_time(plan.demand.opening());
    format!(
        "{}\n\
         A shop's service `checkout` has run on four replicas since Tuesday. Each evening at six, shop time, a sale\n\
         opens and triples the load. Today is Thursday, the busy day: at {opening} UTC comes the first opening that four\n\
         cannot serve. Its twin `checkout-unmanaged` gets the same load, and nobody acts for it.",
        plan.paint.bold("Foreshadow: a breach, seen coming")
    )
}

/// Where to look around while it is left running.
fn addresses(stack: &Stack, opening: Timestamp) -> anyhow::Result<String> {
    let mut graph = stack.prometheus.url().join("graph")?;
    let curve =
        "service:http_requests:rate2m:forecast_curve{service=\"checkout\",source=\"foreshadow\"}";
    let end = opening + Duration::from_hours(1);
    let end = jiff::Timestamp::from_millisecond(end.as_millis())?;
    graph.query_pairs_mut().extend_pairs([
        ("g0.expr", curve),
        ("g0.tab", "0"),
        ("g0.range_input", "2h"),
        (
            "g0.end_input",
            &end.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        ),
        ("g1.expr", "service:http_requests:rate2m"),
        ("g1.tab", "0"),
        ("g1.range_input", "1d"),
    ]);
    let foreshadow = |path: &str| -> anyhow::Result<Url> { Ok(stack.foreshadow_url.join(path)?) };
    Ok(format!(
        "  Still running; Ctrl-C ends it.\n\
         \n  the curve      {graph}\
         \n  Alertmanager   {}\
         \n  predictions    {}\
         \n  actions        {}\
         \n  the fleet      http://{}/metrics",
        stack.alertmanager.url(),
        foreshadow("predictions")?,
        foreshadow("api/v1/actions")?,
        stack.server.address(),
    ))
}

/// Finds every program before anything is begun.
fn find_programs(arguments: &Arguments) -> anyhow::Result<PathBuf> {
    for name in ["prometheus", "promtool", "prometheus-alertmanager"] {
        find_binary(name)?;
    }
    let beside = || {
        let own = std::env::current_exe().context("cannot find this program's own folder")?;
        anyhow::Ok(own.with_file_name("foreshadow"))
    };
    let foreshadow = arguments.foreshadow.clone().map_or_else(beside, Ok)?;
    // It is started in a folder of its own.
    foreshadow.canonicalize().ok().with_context(|| {
        format!(
            "{} is not there: build it, or name it with --foreshadow",
            foreshadow.display()
        )
    })
}

/// Whether a file can be put there, asked before minutes are spent on it.
fn check_folder_of(file: &Path) -> anyhow::Result<()> {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    ensure!(
        folder.is_none_or(Path::is_dir),
        "cannot draw {}: its folder is not there",
        file.display()
    );
    Ok(())
}

fn empty_folder(dir: &Path) -> anyhow::Result<PathBuf> {
    let attempt = || format!("cannot use the folder {}", dir.display());
    std::fs::create_dir_all(dir).with_context(attempt)?;
    if std::fs::read_dir(dir)
        .with_context(attempt)?
        .next()
        .is_some()
    {
        bail!("{} is not empty: name a new folder", dir.display());
    }
    dir.canonicalize().with_context(attempt)
}

/// Where a run keeps its files.
enum Home {
    Chosen(PathBuf),
    Temporary(tempfile::TempDir),
}

impl Home {
    fn path(&self) -> &Path {
        match self {
            Self::Chosen(dir) => dir,
            Self::Temporary(dir) => dir.path(),
        }
    }

    /// The folder, which stays from now on.
    fn keep(self) -> PathBuf {
        match self {
            Self::Chosen(dir) => dir,
            Self::Temporary(dir) => dir.keep(),
        }
    }
}

/// Returns when the user, the terminal or the system wants an end.
async fn interrupted() -> anyhow::Result<()> {
    let attempt = "cannot listen for signals";
    let mut terminate = signal(SignalKind::terminate()).context(attempt)?;
    let mut hang_up = signal(SignalKind::hangup()).context(attempt)?;
    tokio::select! {
        ended = tokio::signal::ctrl_c() => ended.context(attempt),
        _ = terminate.recv() => Ok(()),
        _ = hang_up.recv() => Ok(()),
    }
}

/// The one clock of the demo.
#[expect(clippy::disallowed_methods, reason = "the binary owns the clock")]
fn now() -> Timestamp {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    // A clock before 1970 is broken enough to be taken for its beginning.
    Timestamp::default() + since_epoch.unwrap_or_default()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the binary reads the environment"
)]
fn paint() -> Paint {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if refused || !std::io::stdout().is_terminal() {
        Paint::Plain
    } else {
        Paint::Colour
    }
}
