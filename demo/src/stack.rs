//! The real programs around the fleet, each with ports and a folder of its own.

use crate::{
    config::{self, Located, Place, locate},
    demand::Demand,
    fleet::Fleet,
    history::{self, History},
    server::{Clock, Server},
    terminal::{Paint, Step, whole},
};
use anyhow::Context;
use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};
use testbed::{Alertmanager, Process, Prometheus, create_blocks, free_port};
use url::Url;

/// How long Foreshadow may take until it is ready.
const START: Duration = Duration::from_mins(1);
/// Where Foreshadow's files are, inside the folder of a run.
const FORESHADOW_DIR: &str = "foreshadow";
/// How long a program may take to end by itself.
const STOP: Duration = Duration::from_secs(5);

/// What one run of the demo is made of.
#[derive(Clone)]
pub struct Plan {
    /// Where everything is kept.
    pub dir: PathBuf,
    /// The program `foreshadow`.
    pub foreshadow: PathBuf,
    /// The load of the past, and of what is to come.
    pub demand: Demand,
    /// The time.
    pub clock: Clock,
    /// How progress is shown.
    pub paint: Paint,
}

/// All programs, running. Dropping it kills them; whoever asks ends before whoever answers.
pub struct Stack {
    /// Foreshadow itself.
    pub foreshadow: Process,
    /// Its address, with a slash at the end; the same after a restart.
    pub foreshadow_url: Url,
    /// The Prometheus that watches the fleet.
    pub prometheus: Prometheus,
    /// Between Prometheus and Foreshadow.
    pub alertmanager: Alertmanager,
    /// The fleet.
    pub server: Server,
}

impl Stack {
    /// Makes up the past, loads it, and starts everything.
    pub async fn start(plan: &Plan) -> anyhow::Result<Self> {
        let prometheus_dir = plan.dir.join("prometheus");
        let fleet = make_history(plan, &prometheus_dir).await?;

        let step = Step::begin(plan.paint, "fleet");
        let server = Server::start(fleet, plan.clock.clone()).await?;
        step.done(&format!("http://{}/", server.address()));

        let foreshadow_at = format!("127.0.0.1:{}", free_port()?);
        let fleet_at = server.address().to_string();
        let at = |place, address| Located { place, address };
        let mut run = vec![
            at(Place::Foreshadow, foreshadow_at.clone()),
            at(Place::Fleet, fleet_at),
        ];

        let step = Step::begin(plan.paint, "Alertmanager");
        let text = locate(config::ALERTMANAGER, &run)?;
        let alertmanager = Alertmanager::start(&plan.dir.join("alertmanager"), &text).await?;
        step.done(alertmanager.url().as_str());
        let address = alertmanager.url().authority().to_owned();
        run.push(at(Place::Alertmanager, address));

        let step = Step::begin(plan.paint, "Prometheus");
        write(&prometheus_dir.join("alerts.yml"), config::ALERTS)?;
        let text = locate(config::PROMETHEUS, &run)?;
        let prometheus = Prometheus::start(&prometheus_dir, &text, &[]).await?;
        step.done(prometheus.url().as_str());
        let address = prometheus.url().authority().to_owned();
        run.push(at(Place::Prometheus, address));

        let step = Step::begin(plan.paint, "Foreshadow");
        let foreshadow_url = Url::parse(&format!("http://{foreshadow_at}/"))?;
        let dir = plan.dir.join(FORESHADOW_DIR);
        let config = locate(config::FORESHADOW, &run)?;
        write(&dir.join("foreshadow.yml"), &config)?;
        write(&dir.join("rules.yml"), config::RULES)?;
        let foreshadow = start_foreshadow(plan, "foreshadow", &foreshadow_at).await?;
        step.done(foreshadow_url.as_str());
        Ok(Self {
            foreshadow,
            foreshadow_url,
            prometheus,
            alertmanager,
            server,
        })
    }

    /// Stops Foreshadow as any service is stopped, and starts it again where it was.
    pub async fn restart_foreshadow(&mut self, plan: &Plan) -> anyhow::Result<()> {
        self.foreshadow.terminate(STOP).await?;
        let address = self.foreshadow_url.authority();
        // The log of the first start stays beside that of the second.
        self.foreshadow = start_foreshadow(plan, "foreshadow-restarted", address).await?;
        Ok(())
    }

    /// Ends all programs, politely at first.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        let (one, two, three) = tokio::join!(
            self.foreshadow.terminate(STOP),
            self.prometheus.process.terminate(STOP),
            self.alertmanager.process.terminate(STOP),
        );
        one.and(two).and(three)
    }
}

/// Simulates the past and loads it into Prometheus' folder; returns the fleet as it is at the past's end.
async fn make_history(plan: &Plan, prometheus_dir: &Path) -> anyhow::Result<Fleet> {
    let step = Step::begin(plan.paint, "history");
    let file = plan.dir.join("history.om");
    std::fs::create_dir_all(&plan.dir)
        .with_context(|| format!("cannot create the folder {}", plan.dir.display()))?;
    let data = Prometheus::data_dir(prometheus_dir);
    let second = Duration::from_secs(1);
    let (demand, target) = (plan.demand.clone(), file.clone());
    let end = (plan.clock)().align_down(second) - history::RECENT;
    let past = move || {
        let (fleet, history) = history::simulate(demand, end);
        write_history(&history, &target).map(|()| (fleet, history.n_samples()))
    };
    let (mut fleet, n_samples) = tokio::task::spawn_blocking(past)
        .await
        .context("the simulation of the past broke off")??;
    step.done(&format!("21 days, {} samples", whole(n_samples as f64)));

    let step = Step::begin(plan.paint, "loading");
    create_blocks(&file, &data).await?;
    // The loading took its time: what has passed meanwhile is past now, too.
    let recent = history::simulate_recent(&mut fleet, (plan.clock)().align_down(second));
    write_history(&recent, &file)?;
    create_blocks(&file, &data).await?;
    std::fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
    step.done("by promtool tsdb create-blocks-from openmetrics");
    Ok(fleet)
}

fn write_history(history: &History, file: &Path) -> anyhow::Result<()> {
    let attempt = || format!("cannot write {}", file.display());
    let mut out = BufWriter::new(File::create(file).with_context(attempt)?);
    history.write(&mut out).with_context(attempt)?;
    out.flush().with_context(attempt)
}

async fn start_foreshadow(plan: &Plan, name: &str, address: &str) -> anyhow::Result<Process> {
    let dir = plan.dir.join(FORESHADOW_DIR);
    let config = dir.join("foreshadow.yml");
    let args = [
        "serve".to_owned(),
        format!("--config.file={}", config.display()),
        format!("--web.listen-address={address}"),
    ];
    let mut process = Process::spawn(&dir, name, &plan.foreshadow, args)?;
    process
        .wait_until_up(&format!("http://{address}/-/ready"), START)
        .await?;
    Ok(process)
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot create the folder {}", folder.display()))?;
    }
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}
