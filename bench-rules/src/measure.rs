//! The course of the benchmark, and the figures that it gives.

use crate::{
    Args,
    fleet::Fleet,
    service::{Scrape, Service, configure},
    usage::Usage,
    world,
};
use anyhow::Context as _;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use testbed::Prometheus;
use tokio::time::{Instant, sleep};

/// The program is given so long to save its models and end.
const STOP: Duration = Duration::from_mins(2);

/// What was found.
#[derive(Debug)]
pub(crate) struct Figures {
    /// The iteration that reads the history.
    pub(crate) first: Duration,
    /// What Prometheus takes of a processor in an interval before anybody asks it anything.
    pub(crate) prometheus_alone: Duration,
    pub(crate) steady: Steady,
    pub(crate) restart: Restart,
}

/// From the second iteration on.
#[derive(Debug)]
pub(crate) struct Steady {
    /// Each iteration.
    pub(crate) took: Vec<Duration>,
    pub(crate) missed: f64,
    /// Series with a forecast.
    pub(crate) n_forecast: f64,
    /// Before and after, of Foreshadow and of Prometheus.
    pub(crate) foreshadow: [Usage; 2],
    pub(crate) prometheus: [Usage; 2],
    /// How many intervals it lasted.
    pub(crate) n_intervals: f64,
    pub(crate) scrape: Scrape,
}

/// What a restart takes.
#[derive(Debug)]
pub(crate) struct Restart {
    pub(crate) saved_bytes: u64,
    /// From the signal to stop until the models were saved and the program had ended.
    pub(crate) stop: Duration,
    /// From the start until it answered, with its models.
    pub(crate) start: Duration,
    pub(crate) restored: f64,
}

/// Runs everything in a folder.
pub(crate) async fn measure(args: &Args, folder: &Path) -> anyhow::Result<Figures> {
    let (n_series, interval) = (args.series, args.interval());
    eprintln!("making and loading {n_series} series");
    let begun = Instant::now();
    let prometheus = world::start(folder, Fleet { n_series }, interval).await?;
    let loaded = begun.elapsed();
    eprintln!("loaded in {loaded:.0?}; Prometheus alone for two intervals");
    let prometheus_alone = alone(&prometheus, interval).await?;

    let program = std::path::absolute(&args.program).context("no path to the program")?;
    configure(folder, prometheus.url().as_str(), interval)?;
    let service = Service::start(&program, folder).await?;
    let first = service.iteration(1).await?;
    eprintln!("first iteration: {first:.2?}");
    let steady = steady(args, &service, &prometheus).await?;
    Ok(Figures {
        first,
        prometheus_alone,
        steady,
        restart: restart(service, program, folder).await?,
    })
}

/// Processor time that Prometheus takes for scrapes alone.
async fn alone(prometheus: &Prometheus, interval: Duration) -> anyhow::Result<Duration> {
    // The first scrape makes the series; from the second on it is like ever after.
    sleep(interval).await;
    let before = usage(prometheus)?;
    sleep(interval).await;
    Ok(usage(prometheus)?.cpu_since(before))
}

async fn steady(args: &Args, service: &Service, prometheus: &Prometheus) -> anyhow::Result<Steady> {
    let begun = Instant::now();
    let before = [service.usage()?, usage(prometheus)?];
    let mut took = Vec::new();
    for n in 2..=args.iterations + 1 {
        took.push(service.iteration(n).await?);
        if n < 10 || n % 50 == 0 {
            let (last, resident) = (took[took.len() - 1], service.usage()?.resident >> 20);
            eprintln!("iteration {n}: {last:.2?}, {resident} MiB resident");
        }
    }
    let fitted = service.metric("rule_series").await?;
    Ok(Steady {
        took,
        missed: service.metric("rule_group_iterations_missed_total").await?,
        n_forecast: fitted - service.metric("rule_unfitted_series").await?,
        foreshadow: [before[0], service.usage()?],
        prometheus: [before[1], usage(prometheus)?],
        n_intervals: begun.elapsed().as_secs_f64() / args.interval().as_secs_f64(),
        scrape: service.scrape().await?,
    })
}

async fn restart(mut service: Service, program: PathBuf, folder: &Path) -> anyhow::Result<Restart> {
    let begun = Instant::now();
    service.process.terminate(STOP).await?;
    let (stop, saved_bytes) = (begun.elapsed(), service.saved()?);
    let begun = Instant::now();
    let service = Service::start(&program, folder).await?;
    Ok(Restart {
        saved_bytes,
        stop,
        start: begun.elapsed(),
        restored: service.metric("state_series_restored").await?,
    })
}

fn usage(prometheus: &Prometheus) -> anyhow::Result<Usage> {
    Usage::of(prometheus.process.pid().context("Prometheus has ended")?)
}
