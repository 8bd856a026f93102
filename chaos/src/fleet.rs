//! The fleet: a number of replicas for each workload, set over HTTP, with the journal read at each write.

use crate::{
    event::{Moment, TargetFault},
    findings::{Count, Kind},
    journal::ActionRow,
    listener::Server,
    program::Program,
    scene::{Scene, lock},
    workloads::{START, WORKLOADS, Workload},
};
use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::sleep;

/// Delay of a late answer; the program waits for one second.
const LATE: Duration = Duration::from_millis(1_800);

/// Longest time without an answer.
const HANG: Duration = Duration::from_secs(20);

/// Interval at which a hanging request looks for the end of the fault.
const POLL: Duration = Duration::from_millis(100);

/// The author of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Writer {
    /// The program, for an action.
    Program {
        /// The action; empty where the journal knows of none.
        action: String,
        /// True on the way back.
        is_rollback: bool,
    },
    /// Somebody else.
    Other,
}

/// One change of a workload's replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its author.
    pub by: Writer,
    /// The number before.
    pub before: u32,
    /// The number since.
    pub after: u32,
}

/// One workload in the world.
#[derive(Debug, Default)]
struct App {
    replicas: u32,
    changes: Vec<Change>,
    faults: HashSet<TargetFault>,
    /// Number in the last answer to a read, since the last write.
    last_read: Option<u32>,
}

/// A write that has arrived.
#[derive(Debug)]
struct Order {
    replicas: u32,
    /// Number in the last answer to a read before this write.
    last_read: Option<u32>,
    /// The action in the journal that it is for.
    action: Option<ActionRow>,
}

/// A kill at a moment, and the time until the start.
#[derive(Debug, Clone, Copy)]
pub struct Trap {
    /// At which moment.
    pub moment: Moment,
    /// Time until the start.
    pub down: Duration,
}

/// The fleet's server.
#[derive(Debug)]
pub struct Fleet {
    server: Server,
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    apps: [Mutex<App>; WORKLOADS.len()],
    scene: Arc<Scene>,
    program: std::sync::OnceLock<Arc<Program>>,
    trap: Mutex<Option<Trap>>,
}

impl Fleet {
    /// Serves all workloads, each with what a round begins with.
    pub async fn start(scene: Arc<Scene>) -> anyhow::Result<Self> {
        let app = || App {
            replicas: START,
            ..App::default()
        };
        let inner = Arc::new(Inner {
            apps: std::array::from_fn(|_| Mutex::new(app())),
            scene,
            program: std::sync::OnceLock::new(),
            trap: Mutex::default(),
        });
        let router = Router::new()
            .route("/apps/{name}", get(observe).put(ensure))
            .with_state(inner.clone());
        let server = Server::start(router).await?;
        Ok(Self { server, inner })
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// Names the program that traps are for.
    pub fn watch(&self, program: Arc<Program>) {
        // Named once, right after both were made.
        let _ = self.inner.program.set(program);
    }

    /// A workload begins to do something wrong.
    pub fn begin(&self, workload: usize, fault: TargetFault) {
        lock(&self.inner.apps[workload]).faults.insert(fault);
    }

    /// It stops doing it.
    pub fn end(&self, workload: usize, fault: TargetFault) {
        lock(&self.inner.apps[workload]).faults.remove(&fault);
    }

    /// Everything is right again, and no trap is set.
    pub fn mend(&self) {
        for app in &self.inner.apps {
            lock(app).faults.clear();
        }
        *lock(&self.inner.trap) = None;
    }

    /// Has the program killed at the next such moment.
    pub fn set_trap(&self, trap: Trap) {
        *lock(&self.inner.trap) = Some(trap);
    }

    /// The trap for notifications, if that is the one that is set; it is taken away.
    pub fn take_trap(&self, moment: Moment) -> Option<Trap> {
        self.inner.take_trap(moment)
    }

    /// Somebody else sets a number.
    pub fn set(&self, workload: usize, replicas: u32) {
        let mut app = lock(&self.inner.apps[workload]);
        app.change(Writer::Other, replicas);
    }

    /// The number that is there.
    pub fn replicas(&self, workload: usize) -> u32 {
        lock(&self.inner.apps[workload]).replicas
    }

    /// All changes, oldest first.
    pub fn changes(&self, workload: usize) -> Vec<Change> {
        lock(&self.inner.apps[workload]).changes.clone()
    }
}

impl App {
    fn change(&mut self, by: Writer, after: u32) {
        let before = std::mem::replace(&mut self.replicas, after);
        self.changes.push(Change { by, before, after });
    }

    fn is_ours(&self) -> bool {
        let last = self.changes.last();
        last.is_some_and(|change| matches!(change.by, Writer::Program { .. }))
    }

    /// Status of the answer if a fault refuses the request.
    fn refusal(&self, fails: TargetFault) -> Option<StatusCode> {
        let answers = [
            (TargetFault::Renamed, StatusCode::NOT_FOUND),
            (TargetFault::Forbidden, StatusCode::FORBIDDEN),
            (fails, StatusCode::INTERNAL_SERVER_ERROR),
        ];
        let mut answers = answers.into_iter();
        answers.find_map(|(fault, status)| self.faults.contains(&fault).then_some(status))
    }
}

impl Inner {
    fn find(&self, name: &str) -> Option<(&Workload, &Mutex<App>)> {
        let mut both = WORKLOADS.iter().zip(&self.apps);
        both.find(|(workload, _)| workload.name == name)
    }

    fn take_trap(&self, moment: Moment) -> Option<Trap> {
        lock(&self.trap).take_if(|trap| trap.moment == moment)
    }

    /// Kills the program if this is the moment for it.
    fn spring(&self, moment: Moment) -> bool {
        let (Some(program), Some(trap)) = (self.program.get(), self.take_trap(moment)) else {
            return false;
        };
        let is_killed = program.kill(trap.down);
        if is_killed {
            self.scene.say(&format!("kill -9, {moment:?}"));
            self.scene.count(Count::Kills);
            self.scene.count(Count::AimedKills);
        }
        is_killed
    }

    /// Waits as long as nothing is answered; whether that was so.
    async fn hang(&self, app: &Mutex<App>) -> bool {
        let hangs = || lock(app).faults.contains(&TargetFault::Hangs);
        let has_hung = hangs();
        let mut waited = Duration::ZERO;
        while hangs() && waited < HANG {
            sleep(POLL).await;
            waited += POLL;
        }
        has_hung
    }

    /// Looks for the entry that a write must have in the journal before it.
    async fn announced(&self, workload: &Workload, replicas: u32) -> Option<ActionRow> {
        let name = workload.name;
        let open = match self.scene.journal.open_actions(name).await {
            Ok(open) => open,
            Err(error) => {
                let sentence =
                    format!("{name} → {replicas}: the journal cannot be read: {error:#}");
                self.scene
                    .violation(Kind::Unannounced, sentence, None)
                    .await;
                return None;
            }
        };
        let ordered = |action: &&ActionRow| action.ordered() == Some(u64::from(replicas));
        if let Some(action) = open.iter().find(ordered) {
            return Some(action.clone());
        }
        let states: Vec<_> = open
            .iter()
            .map(|a| format!("{} {}", a.id, a.state))
            .collect();
        let sentence = format!("{name} → {replicas}, while the journal says {states:?}");
        let action = open.first().map(|action| action.id.as_str());
        self.scene
            .violation(Kind::Unannounced, sentence, action)
            .await;
        None
    }
}

async fn observe(State(inner): State<Arc<Inner>>, Path(name): Path<String>) -> Response {
    let Some((_, app)) = inner.find(&name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    inner.spring(Moment::Get);
    if inner.hang(app).await {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let mut app = lock(app);
    if let Some(status) = app.refusal(TargetFault::GetFails) {
        return (status, "out of order").into_response();
    }
    app.last_read = Some(app.replicas);
    Json(json!({ "replicas": app.replicas })).into_response()
}

async fn ensure(
    State(inner): State<Arc<Inner>>,
    Path(name): Path<String>,
    Json(body): Json<Value>,
) -> Response {
    let replicas = body["replicas"].as_u64().and_then(|n| n.try_into().ok());
    let (Some((workload, app)), Some(replicas)) = (inner.find(&name), replicas) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let last_read = lock(app).last_read.take();
    let order = Order {
        replicas,
        last_read,
        action: inner.announced(workload, replicas).await,
    };
    if inner.spring(Moment::BeforePut) || inner.hang(app).await {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let refusal = lock(app).refusal(TargetFault::PutFails);
    if let Some(status) = refusal {
        return (status, "out of order").into_response();
    }
    inner.carry_out(workload, app, order).await;
    inner.spring(Moment::AfterPut);
    let is_late = lock(app).faults.contains(&TargetFault::AnswersLate);
    if is_late {
        sleep(LATE).await;
    }
    Json(json!({ "replicas": replicas })).into_response()
}

impl Inner {
    /// Sets the number, and judges that. It is done twice where the program knew, or did not look, that it was there;
    /// where an earlier write of its own took its time, and was not there when it looked, it could not know.
    async fn carry_out(&self, workload: &Workload, app: &Mutex<App>, order: Order) {
        let (name, scene, replicas) = (workload.name, &self.scene, order.replicas);
        let rolls_back = |action: &ActionRow| action.state == "rolling_back";
        let is_rollback = order.action.as_ref().is_some_and(rolls_back);
        let action = order.action.map(|action| action.id);
        let (before, was_ours) = {
            let mut app = lock(app);
            let was = (app.replicas, app.is_ours());
            let by = Writer::Program {
                action: action.clone().unwrap_or_default(),
                is_rollback,
            };
            app.change(by, replicas);
            was
        };
        scene.count(Count::Effects);
        let who = action.as_deref().unwrap_or("no action");
        scene.say(&format!("{name}: {before} → {replicas} by {who}"));
        let could_know = order.last_read.is_none_or(|read| read == replicas);
        if before == replicas && was_ours && could_know {
            let sentence = format!("{name} is written {replicas} again, which is there already");
            let kind = Kind::Doubled;
            scene.violation(kind, sentence, action.as_deref()).await;
        }
        if replicas > workload.max && !is_rollback {
            let max = workload.max;
            let sentence = format!("{name} is written {replicas}, and its max is {max}");
            let kind = Kind::BeyondMax;
            scene.violation(kind, sentence, action.as_deref()).await;
        }
    }
}
