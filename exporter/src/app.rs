//! What is running: the parts wired together, and replaced together on reload.

use crate::{
    beginning::{FirstForecasts, Summary},
    bridges::Live,
    clock,
    config::{Config, Upstream},
    door::Door,
    http::{Desk, Places},
    keeper::{self, Folder},
    metrics::{HistoryMetrics, Metrics, Shown},
    push::{Planned, Push},
    report,
    rotating::Rotating,
    sources::{self, PromSource},
};
use anyhow::{Context as _, anyhow};
use remediation::{Ports, Remediation, config::Settings};
use rules::Engine;
use series::Timestamp;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use store::{ActionFilter, Journal};
use tokio::{
    sync::{Mutex, Notify},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, info, warn};

/// Remote reads that are answered at once; Prometheus limits its own to as many by default.
const CONCURRENT_READS: usize = 10;

/// Exports that run at once; each reads the whole journal.
const CONCURRENT_EXPORTS: usize = 4;

/// Newest actions that are shown as metrics; each is a series of its own.
const ACTIONS_SHOWN: u32 = 20;

/// The file of the journal inside the storage folder.
const JOURNAL_FILE: &str = "journal.sqlite";

/// Time to read the configuration and all files that it names.
const LOAD_LIMIT: Duration = Duration::from_secs(15);

/// The whole program, shared by all of its tasks.
pub(crate) struct App {
    config_file: PathBuf,
    /// Where journal and models lie; a reload does not move it.
    storage: PathBuf,
    pub(crate) models: Folder,
    pub(crate) door: Door,
    pub(crate) metrics: Metrics,
    /// Answers that hold memory while they are sent.
    pub(crate) reads: Arc<Places>,
    pub(crate) scrapes: Arc<Places>,
    pub(crate) exports: Arc<Places>,
    pub(crate) read_limits: remote_read::Limits,
    /// Woken when an alert or a decision came in, so that an action need not wait for the next tick.
    pub(crate) wake: Notify,
    pub(crate) remediation: Remediation,
    pub(crate) journal: Journal,
    pub(crate) desk: Desk,
    push: Arc<Push>,
    running: Live,
    first_forecasts: FirstForecasts,
    reloading: Mutex<()>,
    evaluations: TaskTracker,
    stopping: CancellationToken,
}

/// What one configuration set up.
pub(crate) struct Running {
    pub(crate) engine: Arc<Engine<PromSource>>,
    pub(crate) source: PromSource,
    alertmanager: Option<Rotating<alertmanager_client::Client>>,
    /// Between two saves of the models.
    pub(crate) save_interval: Duration,
    /// Ends the evaluation of this configuration's groups.
    stop: CancellationToken,
}

impl App {
    /// Loads the files, opens the journal, goes on from saved models and starts evaluating.
    pub(crate) async fn start(config_file: PathBuf, door: Door) -> anyhow::Result<Arc<Self>> {
        let file = config_file.clone();
        let config = loaded(&config_file, move || Ok(Config::load(&file)?)).await?;
        Summary::of(&config).tell(&config_file);
        let storage = config.storage.path.clone();
        let models = Folder::inside(&storage);
        // Two programs on one journal could both act on what it holds.
        models.claim().await?;
        let journal = Journal::open(&storage.join(JOURNAL_FILE)).await?;
        let (metrics, stopping) = (Metrics::new()?, CancellationToken::new());
        let push = Arc::new(Push::default());
        let next = {
            let (push, history) = (Arc::clone(&push), metrics.history.clone());
            let stop = stopping.child_token();
            let next = move || Next::new(config, None, (&push, &history, stop));
            loaded(&config_file, next).await?
        };
        let Next {
            running,
            settings,
            planned,
        } = next;
        metrics.prepare(running.engine.groups(), &settings.workloads);
        let restore = move || {
            keeper::restore(&models, &running.engine, &metrics.state);
            (running, metrics, models)
        };
        let restored = tokio::task::spawn_blocking(restore).await;
        let (running, metrics, models) = restored.context("taking up saved models")?;
        let running = Live::new(running);
        let live = Arc::new(running.clone());
        let ports = Ports::new(live.clone(), live.clone()).with_alerting(live);
        let ports = ports.with_steady_clock(clock::steady());
        push.adopt(planned, running.get().engine.groups());
        let app = Arc::new(Self {
            config_file,
            storage,
            models,
            door,
            metrics,
            reads: Places::new(CONCURRENT_READS),
            scrapes: Places::new(CONCURRENT_READS),
            exports: Places::new(CONCURRENT_EXPORTS),
            read_limits: remote_read::Limits::default(),
            wake: Notify::new(),
            remediation: Remediation::new(journal.clone(), settings, ports)?,
            journal,
            desk: Desk::default(),
            push,
            first_forecasts: FirstForecasts::of(running.get().engine.groups()),
            running,
            reloading: Mutex::default(),
            evaluations: TaskTracker::new(),
            stopping,
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

    /// Reads all files again. When anything is wrong with them, what runs goes on as it was.
    pub(crate) async fn reload(self: &Arc<Self>) -> anyhow::Result<()> {
        let turn = timeout(LOAD_LIMIT, self.reloading.lock()).await;
        let outcome = match turn {
            Ok(_one_at_a_time) => self.load_again().await,
            Err(_) => Err(anyhow!("another reload is still under way")),
        };
        match &outcome {
            Ok(()) => {
                self.note_reload();
            }
            Err(problems) => {
                self.metrics.reload_successful.set(0);
                let error = format!("{problems:#}");
                error!(file = %self.config_file.display(), error, "configuration not loaded");
            }
        }
        outcome
    }

    async fn load_again(self: &Arc<Self>) -> anyhow::Result<()> {
        let (app, before) = (Arc::clone(self), self.running());
        let read = move || {
            let admission = app.door.read_again()?;
            let config = Config::load(&app.config_file)?;
            let summary = Summary::of(&config);
            app.warn_of_moved_storage(&config.storage.path);
            let stop = app.stopping.child_token();
            let setting = (&*app.push, &app.metrics.history, stop);
            let next = Next::new(config, Some(&before), setting)?;
            Ok((admission, next, summary))
        };
        let (admission, next, summary) = loaded(&self.config_file, read).await?;
        let Next {
            running,
            settings,
            planned,
        } = next;
        let before = self.running();
        let workloads = settings.workloads.clone();
        // Before anything that cannot be taken back.
        self.remediation.reload(settings)?;
        before.stop.cancel();
        self.metrics.prepare(running.engine.groups(), &workloads);
        self.door.admit(admission);
        self.push.adopt(planned, running.engine.groups());
        self.running.replace(running);
        self.evaluate_groups();
        summary.tell(&self.config_file);
        Ok(())
    }

    fn warn_of_moved_storage(&self, storage: &Path) {
        if *storage != self.storage {
            let (now, next) = (self.storage.display(), storage.display());
            warn!(%now, %next, "`storage` takes effect at the next start");
        }
    }

    /// The program's own metrics, with the journal's present content among them, as far as it can be read.
    pub(crate) async fn gather(&self) -> anyhow::Result<String> {
        let newest = self
            .remediation
            .actions(&ActionFilter::default(), ACTIONS_SHOWN)
            .await;
        let learned = self.remediation.all_learned().await;
        let is_stopped = self.remediation.is_stopped().await;
        self.metrics.actions.kill_switch.set(i64::from(is_stopped));
        let is_writable = self.journal.trouble().is_none();
        self.metrics.journal_writable.set(i64::from(is_writable));
        let state = Shown {
            newest: newest.as_deref().ok(),
            learned: learned.as_deref().ok(),
            unattended: &self.remediation.unattended(),
            pushed: &self.push.figures(),
            now: self.now(),
        };
        self.metrics.encode(&state)
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
                let report = |group| {
                    report::group(&app.metrics, &group);
                    app.first_forecasts.note(&group);
                    app.push.note(&engine, idx, &group);
                };
                let engine = engine.clone();
                stop.run_until_cancelled(rules::run(engine, idx, clock::now, report))
                    .await
            });
        }
    }

    /// Ends the evaluation of rules; open actions are left in the journal for the next start.
    pub(crate) fn begin_to_stop(&self) {
        // Whatever a reload starts from now on is a child of this token, and ends at once.
        self.stopping.cancel();
        for places in [&self.reads, &self.scrapes, &self.exports] {
            places.close();
        }
        self.wake.notify_one();
    }

    /// Whether the program is on its way out.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Cancelled when the program is on its way out.
    pub(crate) fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    /// Waits until no evaluation is under way.
    pub(crate) async fn evaluated(&self) {
        self.evaluations.close();
        self.evaluations.wait().await;
    }

    /// Waits until no evaluation is under way, and what they gave is delivered or given up.
    pub(crate) async fn stopped(&self) {
        self.evaluated().await;
        self.push.shut_down().await;
    }
}

impl Running {
    /// The client for the next question to Alertmanager; `None` where none is configured.
    pub(crate) async fn alertmanager(&self) -> Option<alertmanager_client::Client> {
        match &self.alertmanager {
            Some(client) => Some(client.client().await),
            None => None,
        }
    }
}

/// Reads files where that may block. What runs goes on meanwhile, and for good where they hang.
async fn loaded<T: Send + 'static>(
    config_file: &Path,
    read: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    files::within(config_file, LOAD_LIMIT, read)
        .await
        .context("loading the files of the configuration")?
}

/// What a configuration comes to before anything of it is at work.
struct Next {
    running: Running,
    settings: Settings,
    planned: Vec<Planned>,
}

impl Next {
    fn new(
        config: Config,
        before: Option<&Running>,
        (push, history, stop): (&Push, &HistoryMetrics, CancellationToken),
    ) -> anyhow::Result<Self> {
        if config.prometheus.history.remote_read.is_some() {
            for way in sources::ways(&config.groups) {
                info!("{way}");
            }
        }
        let source_before = before.map(|before| &before.source);
        let source = PromSource::new(config.prometheus, source_before, history);
        let source = source.context("prometheus")?;
        let options = rules::Options {
            default_interval: config.evaluation_interval,
            external_labels: config.external_labels,
            ..rules::Options::default()
        };
        let before = before.map(|before| &*before.engine);
        let engine = Arc::new(Engine::new(source.clone(), config.groups, options, before));
        let alertmanager = config.alertmanager.map(|upstream| {
            let build = |upstream: &Upstream, http| {
                alertmanager_client::Client::new(upstream.url.clone(), http)
            };
            Rotating::new(upstream, build).context("alertmanager")
        });
        let running = Running {
            engine,
            source,
            alertmanager: alertmanager.transpose()?,
            save_interval: config.storage.save_interval,
            stop,
        };
        Ok(Self {
            running,
            settings: config.remediation,
            planned: push.plan(config.remote_write)?,
        })
    }
}
