//! What is running: the parts wired together, and replaced together on reload.

use crate::{
    bridges::{Live, PromSource},
    clock,
    config::{Config, WebConfig},
    http::Gate,
    metrics::Metrics,
    report,
};
use anyhow::Context as _;
use arc_swap::ArcSwap;
use remediation::{Remediation, config::Settings};
use rules::Engine;
use series::Timestamp;
use std::{path::PathBuf, sync::Arc};
use store::{ActionFilter, Journal};
use tokio::sync::{Mutex, Notify, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, info};

/// Remote reads that are answered at once; Prometheus limits its own to as many by default.
const CONCURRENT_READS: usize = 10;

/// Newest actions that are shown as metrics; each is a series of its own.
const ACTIONS_SHOWN: u32 = 20;

/// The file of the journal inside the storage folder.
const JOURNAL_FILE: &str = "journal.sqlite";

/// The whole program, shared by all of its tasks.
pub(crate) struct App {
    files: Files,
    pub(crate) metrics: Metrics,
    pub(crate) reads: Arc<Semaphore>,
    pub(crate) read_limits: remote_read::Limits,
    /// Woken when an alert or a decision came in, so that an action need not wait for the next tick.
    pub(crate) wake: Notify,
    pub(crate) remediation: Remediation,
    gate: ArcSwap<Gate>,
    running: Live,
    reloading: Mutex<()>,
    evaluations: TaskTracker,
    stopping: CancellationToken,
}

/// The files that a reload reads again.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    pub(crate) config: PathBuf,
    pub(crate) web: Option<PathBuf>,
}

/// What one configuration set up.
pub(crate) struct Running {
    pub(crate) engine: Arc<Engine<PromSource>>,
    pub(crate) source: PromSource,
    pub(crate) alertmanager: Option<alertmanager_client::Client>,
    /// Ends the evaluation of this configuration's groups.
    stop: CancellationToken,
}

impl App {
    /// Loads the files, opens the journal and starts evaluating.
    pub(crate) async fn start(files: Files, web: WebConfig) -> anyhow::Result<Arc<Self>> {
        let config = Config::load(&files.config)?;
        let journal = Journal::open(&config.storage.join(JOURNAL_FILE)).await?;
        let metrics = Metrics::new()?;
        metrics.prepare(&config);
        let (running, settings) = Running::new(config, None)?;
        let running = Live::new(running);
        let (foresight, evidence) = (Arc::new(running.clone()), Arc::new(running.clone()));
        let app = Arc::new(Self {
            files,
            metrics,
            reads: Arc::new(Semaphore::new(CONCURRENT_READS)),
            read_limits: remote_read::Limits::default(),
            wake: Notify::new(),
            remediation: Remediation::new(journal, settings, foresight, evidence)?,
            gate: ArcSwap::from_pointee(Gate::new(web.users)),
            running,
            reloading: Mutex::default(),
            evaluations: TaskTracker::new(),
            stopping: CancellationToken::new(),
        });
        app.note_reload();
        app.evaluate_groups();
        Ok(app)
    }

    /// The present time.
    #[expect(
        clippy::unused_self,
        reason = "handlers ask the program for the time, not the machine"
    )]
    pub(crate) fn now(&self) -> Timestamp {
        clock::now()
    }

    /// What runs at present. Hold it for one request at most: a reload replaces it.
    pub(crate) fn running(&self) -> Arc<Running> {
        self.running.get()
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
        let web = self
            .files
            .web
            .as_deref()
            .map(WebConfig::load)
            .transpose()?
            .unwrap_or_default();
        let config = Config::load(&self.files.config)?;
        self.metrics.prepare(&config);
        let before = self.running();
        let (next, settings) = Running::new(config, Some(&before.engine))?;
        self.gate.store(Arc::new(Gate::new(web.users)));
        self.running.replace(next);
        self.remediation.reload(settings);
        before.stop.cancel();
        self.evaluate_groups();
        Ok(())
    }

    /// The program's own metrics, with the journal's present content among them.
    pub(crate) async fn gather(&self) -> anyhow::Result<String> {
        let newest = self
            .remediation
            .actions(&ActionFilter::default(), ACTIONS_SHOWN)
            .await?;
        self.metrics.encode(&newest)
    }

    fn note_reload(&self) {
        self.metrics.reload_successful.set(1);
        self.metrics
            .reload_success_time
            .set(clock::now().as_seconds_f64());
    }

    fn evaluate_groups(self: &Arc<Self>) {
        let running = self.running();
        for idx in 0..running.engine.groups().len() {
            let (app, engine, stop) = (self.clone(), running.engine.clone(), running.stop.clone());
            self.evaluations.spawn(async move {
                let report = |group| report::group(&app.metrics.rules, &group);
                stop.run_until_cancelled(rules::run(engine, idx, clock::now, report))
                    .await
            });
        }
    }

    /// Ends the evaluation of rules; open actions are left in the journal for the next start.
    pub(crate) fn begin_to_stop(&self) {
        self.stopping.cancel();
        self.running().stop.cancel();
        self.reads.close();
        self.wake.notify_one();
    }

    /// Whether the program is on its way out.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Waits until no evaluation is under way.
    pub(crate) async fn stopped(&self) {
        self.evaluations.close();
        self.evaluations.wait().await;
    }
}

impl Running {
    fn new(
        config: Config,
        before: Option<&Engine<PromSource>>,
    ) -> anyhow::Result<(Self, Settings)> {
        let source = PromSource::new(config.prometheus)?;
        let options = rules::Options {
            default_interval: config.evaluation_interval,
            external_labels: config.external_labels,
            ..rules::Options::default()
        };
        let engine = Arc::new(Engine::new(source.clone(), config.groups, options, before));
        let alertmanager = config.alertmanager.map(|upstream| {
            let http = upstream.client().context("alertmanager")?;
            anyhow::Ok(alertmanager_client::Client::new(upstream.url, http))
        });
        let stop = CancellationToken::new();
        let running = Self {
            engine,
            source,
            alertmanager: alertmanager.transpose()?,
            stop,
        };
        Ok((running, config.remediation))
    }
}
