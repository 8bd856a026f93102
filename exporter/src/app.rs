//! What is running: the parts wired together, and replaced together on reload.

use crate::{
    bridges::{Demand, PromEvidence},
    clock,
    config::{Config, WebConfig},
    http::Gate,
    metrics::Metrics,
    report,
};
use anyhow::Context as _;
use arc_swap::ArcSwap;
use prometheus_api::Client;
use remediation::Remediation;
use rules::Engine;
use series::Timestamp;
use std::{path::PathBuf, sync::Arc};
use store::Journal;
use tokio::sync::{Mutex, Notify, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, info};

/// Remote reads that are answered at once; Prometheus limits its own to as many by default.
const CONCURRENT_READS: usize = 10;

/// The file of the journal inside the storage folder.
const JOURNAL_FILE: &str = "journal.sqlite";

/// The whole program, shared by all of its tasks.
pub(crate) struct App {
    files: Files,
    pub(crate) metrics: Metrics,
    pub(crate) reads: Semaphore,
    pub(crate) read_limits: remote_read::Limits,
    /// Woken when an alert or a decision came in, so that an action need not wait for the next tick.
    pub(crate) wake: Notify,
    journal: Journal,
    gate: ArcSwap<Gate>,
    running: ArcSwap<Running>,
    reloading: Mutex<()>,
    tasks: TaskTracker,
}

/// The files that a reload reads again.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    pub(crate) config: PathBuf,
    pub(crate) web: Option<PathBuf>,
}

/// What one configuration set up.
pub(crate) struct Running {
    pub(crate) engine: Arc<Engine<Client>>,
    pub(crate) remediation: Remediation,
    pub(crate) alertmanager: Option<alertmanager_client::Client>,
    /// Ends the evaluation of this configuration's groups.
    stop: CancellationToken,
}

impl App {
    /// Loads the files, opens the journal and starts evaluating.
    pub(crate) async fn start(files: Files, web: WebConfig) -> anyhow::Result<Arc<Self>> {
        let config = Config::load(&files.config)?;
        let journal = config.storage.join(JOURNAL_FILE);
        let journal = Journal::open(&journal).await?;
        let running = Running::new(config, journal.clone(), None)?;
        let app = Arc::new(Self {
            files,
            metrics: Metrics::new()?,
            reads: Semaphore::new(CONCURRENT_READS),
            read_limits: remote_read::Limits::default(),
            wake: Notify::new(),
            journal,
            gate: ArcSwap::from_pointee(Gate::new(web.users)),
            running: ArcSwap::from_pointee(running),
            reloading: Mutex::default(),
            tasks: TaskTracker::new(),
        });
        app.note_reload();
        app.evaluate_groups();
        Ok(app)
    }

    /// The present time.
    #[expect(clippy::unused_self, reason = "handlers ask the program for the time, not the machine")]
    pub(crate) fn now(&self) -> Timestamp {
        clock::now()
    }

    /// What runs at present. Hold it for one request at most: a reload replaces it.
    pub(crate) fn running(&self) -> Arc<Running> {
        self.running.load_full()
    }

    /// Who is let in.
    pub(crate) fn gate(&self) -> Arc<Gate> {
        self.gate.load_full()
    }

    /// Reads all files again. When anything is wrong with them, what runs goes on as it was.
    pub(crate) async fn reload(self: &Arc<Self>) -> anyhow::Result<()> {
        let _one_at_a_time = self.reloading.lock().await;
        let outcome = self.load_again();
        match &outcome {
            Ok(()) => {
                self.note_reload();
                info!(file = %self.files.config.display(), "configuration loaded");
            }
            Err(problems) => {
                self.metrics.reload_successful.set(0);
                error!(file = %self.files.config.display(), error = %format!("{problems:#}"), "configuration not loaded");
            }
        }
        outcome
    }

    fn load_again(self: &Arc<Self>) -> anyhow::Result<()> {
        let web = self.files.web.as_deref().map(WebConfig::load).transpose()?.unwrap_or_default();
        let config = Config::load(&self.files.config)?;
        let before = self.running();
        let next = Running::new(config, self.journal.clone(), Some(&before.engine))?;
        self.gate.store(Arc::new(Gate::new(web.users)));
        self.running.store(Arc::new(next));
        before.stop.cancel();
        self.evaluate_groups();
        Ok(())
    }

    fn note_reload(&self) {
        self.metrics.reload_successful.set(1);
        self.metrics.reload_success_time.set(clock::now().as_seconds_f64());
    }

    fn evaluate_groups(self: &Arc<Self>) {
        let running = self.running();
        for idx in 0..running.engine.groups().len() {
            let (app, engine, stop) = (self.clone(), running.engine.clone(), running.stop.clone());
            self.tasks.spawn(async move {
                let report = |group| report::group(&app.metrics.rules, &group);
                stop.run_until_cancelled(rules::run(engine, idx, clock::now, report)).await
            });
        }
    }

    /// Stops evaluating and waits for what is under way.
    pub(crate) async fn stop(&self) {
        self.running().stop.cancel();
        self.reads.close();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Running {
    fn new(
        config: Config,
        journal: Journal,
        before: Option<&Engine<Client>>,
    ) -> anyhow::Result<Self> {
        let http = config.prometheus.client().context("prometheus")?;
        let limits = prometheus_api::Limits::default();
        let client = Client::new(config.prometheus.url, http, limits);
        let options = rules::Options {
            default_interval: config.evaluation_interval,
            external_labels: config.external_labels,
        };
        let engine = Arc::new(Engine::new(client.clone(), config.groups, options, before));
        let alertmanager = config.alertmanager.map(|upstream| {
            let http = upstream.client().context("alertmanager")?;
            anyhow::Ok(alertmanager_client::Client::new(upstream.url, http))
        });
        let foresight = Box::new(Demand(engine.clone()));
        let evidence = Box::new(PromEvidence(client));
        let remediation = Remediation::new(journal, config.policy, foresight, evidence)?;
        let stop = CancellationToken::new();
        Ok(Self { engine, remediation, alertmanager: alertmanager.transpose()?, stop })
    }
}
