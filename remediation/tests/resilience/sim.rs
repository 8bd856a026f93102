//! The simulated world: every call that leaves the program can be made to fail, or to be the last one.

use alertmanager_client::webhook::Webhook;
use futures::future::BoxFuture;
use remediation::{
    Alerting, Colour, Drivers, Evidence, Fleets, Foreseen, Foresight, Plan, Ports, Question,
    Remediation, RemediationError, Report, Shape, Silence, Warning,
    actuator::{Actuator, ActuatorError, Occasion},
    config::{ActuatorConfig, Settings},
};
use series::{Horizon, Labels, Timestamp};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use store::{Action, ActionFilter, ActionId, Journal, State};
use tokio::sync::{Notify, OnceCell};

pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// What a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Observe,
    Set,
    Query,
    Alertmanager,
}

/// One call that leaves the program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    pub(crate) kind: Kind,
    /// Counts all calls from 0.
    pub(crate) idx: usize,
    /// Counts those of this kind from 0.
    pub(crate) nth: usize,
}

/// How the world takes a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reaction {
    /// The program dies before anything happens.
    DieBefore,
    /// The program dies when it has happened.
    DieAfter,
    /// Nothing happens, and the caller is told so.
    Refuse(Failure),
    /// It happens, and the caller is told that it did not.
    Deceive(Failure),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    TimeOut,
    Status(u16),
}

/// None is as it should be.
type React = Box<dyn Fn(Call) -> Option<Reaction> + Send + Sync>;

/// What must never happen, counted where it is seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sins {
    /// The world was told to be what it was already.
    pub(crate) doubled: usize,
    /// The world was changed without a line in the journal that says so.
    pub(crate) unannounced: usize,
}

struct Inner {
    fleets: BTreeMap<String, Shape>,
    react: React,
    n_calls: usize,
    n_of_kind: [usize; 4],
    demand: Option<f64>,
    is_healthy: bool,
    /// How many milliseconds the machine's clock is behind the steady one.
    put_back_ms: i64,
    sins: Sins,
    n_changes: usize,
}

/// The world, shared by the program and the test.
pub(crate) struct World {
    inner: Mutex<Inner>,
    died: Notify,
    /// Reads what the program has written down.
    audit: Journal,
}

impl World {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// Takes a call, does what it asks for, and answers; or never answers.
    async fn take<T>(&self, kind: Kind, act: impl FnOnce(&mut Inner) -> T) -> Result<T, Failure> {
        let reaction = {
            let mut inner = self.lock();
            let call = Call {
                kind,
                idx: inner.n_calls,
                nth: inner.n_of_kind[kind as usize],
            };
            inner.n_calls += 1;
            inner.n_of_kind[kind as usize] += 1;
            (inner.react)(call)
        };
        match reaction {
            None => Ok(act(&mut self.lock())),
            Some(Reaction::Refuse(failure)) => Err(failure),
            Some(Reaction::Deceive(failure)) => {
                act(&mut self.lock());
                Err(failure)
            }
            Some(Reaction::DieBefore) => self.die().await,
            Some(Reaction::DieAfter) => {
                act(&mut self.lock());
                self.die().await
            }
        }
    }

    async fn die<T>(&self) -> T {
        self.died.notify_one();
        std::future::pending().await
    }

    /// Whether the journal says that this is about to be written.
    async fn is_announced(&self, id: ActionId, shape: Shape) -> bool {
        let action = self.audit.current(id).await.unwrap();
        let plan = Plan::from_json(action.plan.as_ref()).unwrap();
        match action.state {
            State::Applying => plan.stage(action.stage).shape == shape,
            State::RollingBack => Shape::from_json(action.pre_image.as_ref()) == Ok(shape),
            _ => false,
        }
    }
}

fn actuator_error(failure: Failure) -> ActuatorError {
    match failure {
        Failure::TimeOut => ActuatorError::TimedOut(Duration::from_secs(1)),
        Failure::Status(status) => ActuatorError::Refused {
            status,
            message: "no".to_owned(),
            retry_after: None,
        },
    }
}

struct SimActuator(Arc<World>);

impl Actuator for SimActuator {
    fn observe<'a>(
        &'a self,
        occasion: Occasion<'a>,
    ) -> BoxFuture<'a, Result<Shape, ActuatorError>> {
        Box::pin(async move {
            let read = |inner: &mut Inner| inner.fleets[occasion.workload];
            let taken = self.0.take(Kind::Observe, read).await;
            taken.map_err(actuator_error)
        })
    }

    fn ensure<'a>(
        &'a self,
        occasion: Occasion<'a>,
        shape: Shape,
    ) -> BoxFuture<'a, Result<(), ActuatorError>> {
        Box::pin(async move {
            if !self.0.is_announced(occasion.action, shape).await {
                self.0.lock().sins.unannounced += 1;
            }
            let write = |inner: &mut Inner| {
                let before = inner.fleets.insert(occasion.workload.to_owned(), shape);
                inner.sins.doubled += usize::from(before == Some(shape));
                inner.n_changes += 1;
            };
            let taken = self.0.take(Kind::Set, write).await;
            taken.map_err(actuator_error)
        })
    }
}

struct SimPorts(Arc<World>);

impl Drivers for SimPorts {
    fn driver(&self, _: &ActuatorConfig) -> Result<Arc<dyn Actuator>, RemediationError> {
        Ok(Arc::new(SimActuator(Arc::clone(&self.0))))
    }
}

impl Foresight for SimPorts {
    fn demand(&self, _: Question<'_>, now: Timestamp) -> Option<Foreseen> {
        let horizon = Duration::from_hours(1);
        Some(Foreseen {
            value: self.0.lock().demand?,
            at: now + horizon,
            horizon: Horizon::new(horizon).unwrap(),
            current: Some(400.0),
        })
    }
}

impl Evidence for SimPorts {
    fn query<'a>(
        &'a self,
        _: &'a str,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<(Labels, f64)>, String>> {
        Box::pin(async {
            let read = |inner: &mut Inner| {
                let holds = inner.is_healthy.then(|| (Labels::default(), 0.3));
                holds.into_iter().collect()
            };
            let taken = self.0.take(Kind::Query, read).await;
            taken.map_err(|failure| format!("{failure:?}"))
        })
    }
}

impl SimPorts {
    fn tell<'a, T: Default + Send + 'a>(&'a self) -> BoxFuture<'a, Result<T, String>> {
        Box::pin(async {
            let taken = self.0.take(Kind::Alertmanager, |_| T::default()).await;
            taken.map_err(|failure| format!("{failure:?}"))
        })
    }
}

impl Alerting for SimPorts {
    fn silenced<'a>(&'a self, _: &'a [String]) -> BoxFuture<'a, Result<Option<String>, String>> {
        self.tell()
    }

    fn silence<'a>(&'a self, _: &'a Silence) -> BoxFuture<'a, Result<(), String>> {
        self.tell()
    }

    fn warn<'a>(&'a self, _: &'a Warning) -> BoxFuture<'a, Result<(), String>> {
        self.tell()
    }
}

/// The program on its world.
pub(crate) struct Sim {
    pub(crate) world: Arc<World>,
    pub(crate) remediation: Arc<Remediation>,
    pub(crate) kill_switch: PathBuf,
    pub(crate) path: PathBuf,
    /// How often the program died, and in which state its action was then.
    pub(crate) deaths: Vec<Option<State>>,
    settings: Settings,
    _folder: tempfile::TempDir,
}

const WORKLOADS: [&str; 2] = ["checkout", "search"];

/// A folder in memory, where there is one. It is the program that dies here and not the machine, and what a
/// program has handed to the system outlives it on any file system; waiting for a disk would show nothing more.
fn memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

pub(crate) const CHECK: &str = "count: 2, interval: 10s, failure_limit: 0, verify: [p99]";

fn settings(mode: &str, rollout: &str, kill_switch: &str) -> Settings {
    let workload = |name: &str| {
        format!(
            "- name: {name}
  match: {{service: {name}}}
  demand: d
  mode: {mode}
  sizing: {{per_replica: 120, min: 3, max: 40}}
  grace: 20s
  approval: {{timeout: 40s}}
  cooldown: {{up: 1m, down: 1m}}
  rollout: {rollout}
  silence: {{selector: '{{alertname=\"x\"}}', for: 1m}}
  actuator: {{use: fleet}}
"
        )
    };
    let text = format!(
        "actuators: {{fleet: {{http: {{url: 'http://127.0.0.1:1/', body: '{{\"n\": {{{{ replicas }}}}}}',
  observe: {{active: /a, idle: /i}}}}}}}}
workloads:
{}{}
guards: {{max_actions_per_hour: 1000, kill_switch_file: '{kill_switch}'}}
",
        workload(WORKLOADS[0]),
        workload(WORKLOADS[1]),
    );
    let document = yaml::Document::parse("c.yml", &text).unwrap();
    let settings = document.check(|node| node.map(|fields| Settings::read(fields, &["d"])));
    settings.map_err(|problems| problems.to_string()).unwrap()
}

/// A journal in which nothing stands yet; to set up its tables takes longer than most runs.
static EMPTY: OnceCell<Vec<u8>> = OnceCell::const_new();

async fn empty_journal() -> Vec<u8> {
    let folder = memory();
    let path = folder.path().join("journal.db");
    Journal::open(&path).await.unwrap().close().await;
    std::fs::read(path).unwrap()
}

impl Sim {
    pub(crate) async fn new(mode: &str, rollout: &str) -> Self {
        let folder = memory();
        let kill_switch = folder.path().join("STOP");
        let settings = settings(mode, rollout, &kill_switch.display().to_string());
        let path = folder.path().join("journal.db");
        std::fs::write(&path, EMPTY.get_or_init(empty_journal).await).unwrap();
        let journal = Journal::open(&path).await.unwrap();
        let fleets = rollout.contains("blue_green").then_some(Fleets {
            active: Colour::Blue,
            idle: 0,
        });
        let shape = Shape {
            fleets,
            ..Shape::of(4)
        };
        let inner = Inner {
            fleets: WORKLOADS.map(|name| (name.to_owned(), shape)).into(),
            react: Box::new(|_| None),
            n_calls: 0,
            n_of_kind: [0; 4],
            demand: Some(812.0),
            is_healthy: true,
            put_back_ms: 0,
            sins: Sins::default(),
            n_changes: 0,
        };
        let world = Arc::new(World {
            inner: Mutex::new(inner),
            died: Notify::new(),
            audit: journal.clone(),
        });
        let remediation = start(&world, &settings, journal);
        Self {
            world,
            remediation,
            kill_switch,
            path,
            deaths: Vec::new(),
            settings,
            _folder: folder,
        }
    }

    /// Decides how the world takes calls from now on.
    pub(crate) fn react(&self, react: impl Fn(Call) -> Option<Reaction> + Send + Sync + 'static) {
        self.world.lock().react = Box::new(react);
    }

    pub(crate) fn set_healthy(&self, is_healthy: bool) {
        self.world.lock().is_healthy = is_healthy;
    }

    /// The machine's clock is put back by so many seconds, which changes no wait.
    pub(crate) fn put_back(&self, seconds: i64) {
        self.world.lock().put_back_ms = 1_000 * seconds;
    }

    pub(crate) fn foresee(&self, demand: Option<f64>) {
        self.world.lock().demand = demand;
    }

    pub(crate) fn sins(&self) -> Sins {
        self.world.lock().sins
    }

    pub(crate) fn n_calls(&self) -> usize {
        self.world.lock().n_calls
    }

    pub(crate) fn n_changes(&self) -> usize {
        self.world.lock().n_changes
    }

    pub(crate) fn shape(&self, workload: &str) -> Shape {
        self.world.lock().fleets[workload]
    }

    /// Somebody else scales.
    pub(crate) fn meddle(&self, workload: &str, replicas: u32) {
        let mut inner = self.world.lock();
        inner.fleets.get_mut(workload).unwrap().replicas = replicas;
    }

    /// Throws the program away, as a crash does, and starts another on the same file.
    pub(crate) async fn restart(&mut self) {
        let journal = Journal::open(&self.path).await.unwrap();
        self.remediation = start(&self.world, &self.settings, journal);
    }

    /// From now on the journal answers nothing.
    pub(crate) async fn break_journal(&self) {
        self.world.audit.close().await;
    }

    /// Delivers one alert; false when the journal could not take it.
    pub(crate) async fn deliver(&self, status: &str, workload: &str, now: Timestamp) -> bool {
        let webhook = notification(status, workload);
        self.remediation.receive(&webhook, now).await.is_ok()
    }

    /// One tick. When the program dies in it, another one is started.
    pub(crate) async fn tick(&mut self, now: Timestamp) -> Option<Report> {
        let remediation = Arc::clone(&self.remediation);
        let mut task = tokio::spawn(async move { remediation.tick(now).await });
        let world = Arc::clone(&self.world);
        tokio::select! {
            report = &mut task => report.unwrap().ok(),
            () = world.died.notified() => {
                task.abort();
                let _ = task.await;
                let open = world.audit.open_actions().await.unwrap();
                self.deaths.push(open.first().map(|action| action.state));
                self.react(|_| None);
                self.restart().await;
                None
            }
        }
    }

    pub(crate) async fn open_actions(&self) -> Vec<Action> {
        self.world.audit.open_actions().await.unwrap()
    }

    pub(crate) async fn actions(&self) -> Vec<Action> {
        let all = ActionFilter::default();
        self.world.audit.actions(&all, 1_000).await.unwrap()
    }
}

fn start(world: &Arc<World>, settings: &Settings, journal: Journal) -> Arc<Remediation> {
    let lent = Arc::new(SimPorts(Arc::clone(world)));
    let ports = Ports {
        foresight: lent.clone(),
        evidence: lent.clone(),
        alerting: lent.clone(),
        ..Ports::new(lent.clone(), lent.clone())
    };
    let world = Arc::clone(world);
    let ports = Ports {
        drivers: lent,
        steady: Arc::new(move |now: Timestamp| {
            let shown = now.as_millis() + world.lock().put_back_ms;
            Duration::from_millis(shown.unsigned_abs())
        }),
        ..ports
    };
    Arc::new(Remediation::new(journal, settings.clone(), ports).unwrap())
}

fn notification(status: &str, workload: &str) -> Webhook {
    let body = format!(
        r#"{{"version": "4", "groupKey": "g", "status": "{status}", "receiver": "r",
            "alerts": [{{"status": "{status}", "labels": {{"service": "{workload}"}},
                "startsAt": "2027-01-15T07:59:00Z", "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "", "fingerprint": "{workload}"}}]}}"#
    );
    Webhook::parse(body.as_bytes()).unwrap()
}
