//! A world to act on: a fleet behind HTTP, a journal on disk, and forecasts and evidence that tests set.

use alertmanager_client::webhook::Webhook;
use axum::{
    Router,
    body::Bytes,
    extract::State as Shared,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use futures::future::BoxFuture;
use remediation::{
    Alerting, Evidence, Foreseen, Foresight, Ports, Question, Receipt, Remediation, Report,
    Silence, Standing, Warning, config::Settings,
};
use series::{Horizon, Labels, Timestamp};
use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use store::{Action, ActionFilter, Journal, State, Transition};

pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

pub(crate) fn after(seconds: u64) -> Timestamp {
    NOW + Duration::from_secs(seconds)
}

/// How the fleet answers one request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    /// As it should.
    Ok,
    /// With this status and `Retry-After: 5`, doing nothing.
    Status(u16),
    /// Never, having done nothing.
    Hang,
    /// Never, having done what was asked.
    DoneButSilent,
    /// With more than is read, having done what was asked.
    DoneAndVerbose,
}

#[derive(Debug, Default)]
pub(crate) struct Fleet {
    pub(crate) replicas: u32,
    /// Which of two fleets serves and how many the other has, where there are two.
    pub(crate) fleets: Option<(String, u32)>,
    /// The answers to come, in order; afterwards all is well.
    pub(crate) on_get: VecDeque<Answer>,
    pub(crate) on_put: VecDeque<Answer>,
    pub(crate) n_gets: usize,
    /// The bodies of all that was to be set.
    pub(crate) puts: Vec<String>,
    pub(crate) headers: HeaderMap,
}

type SharedFleet = Arc<Mutex<Fleet>>;

async fn read(Shared(fleet): Shared<SharedFleet>) -> Response {
    let answer = {
        let mut fleet = fleet.lock().unwrap();
        fleet.n_gets += 1;
        fleet.on_get.pop_front().unwrap_or(Answer::Ok)
    };
    reply(&fleet, answer).await
}

async fn write(Shared(fleet): Shared<SharedFleet>, headers: HeaderMap, body: Bytes) -> Response {
    let answer = {
        let mut fleet = fleet.lock().unwrap();
        let answer = fleet.on_put.pop_front().unwrap_or(Answer::Ok);
        if !matches!(answer, Answer::Status(_) | Answer::Hang) {
            let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
            fleet.replicas = json["replicas"].as_u64().unwrap().try_into().unwrap();
            if let Some(active) = json["active"].as_str() {
                let idle = json["idle"].as_u64().unwrap().try_into().unwrap();
                fleet.fleets = Some((active.to_owned(), idle));
            }
        }
        fleet.puts.push(String::from_utf8(body.to_vec()).unwrap());
        fleet.headers = headers;
        answer
    };
    reply(&fleet, answer).await
}

async fn reply(fleet: &SharedFleet, answer: Answer) -> Response {
    match answer {
        Answer::Ok => {
            let fleet = fleet.lock().unwrap();
            let (active, idle) = fleet.fleets.clone().unwrap_or_default();
            let replicas = fleet.replicas;
            let body = serde_json::json!({"replicas": replicas, "active": active, "idle": idle});
            body.to_string().into_response()
        }
        Answer::Status(code) => {
            let status = StatusCode::from_u16(code).unwrap();
            (status, [("retry-after", "5")], "not now").into_response()
        }
        Answer::DoneAndVerbose => " ".repeat(2 << 20).into_response(),
        Answer::Hang | Answer::DoneButSilent => std::future::pending().await,
    }
}

async fn serve(fleet: SharedFleet) -> String {
    let app = Router::new()
        .route("/replicas", get(read).put(write))
        .with_state(fleet);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}/replicas")
}

/// A forecast that says what the test wants.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    demand: Mutex<Option<f64>>,
    standing: Mutex<Option<Standing>>,
    /// How far ahead was asked for last.
    pub(crate) within: Mutex<Duration>,
}

impl Foresight for Oracle {
    fn demand(&self, question: Question<'_>, now: Timestamp) -> Option<Foreseen> {
        let labels = question.labels;
        assert_eq!(question.forecast, "service:requests:rate5m");
        assert_eq!(labels.len(), 1, "{labels}");
        assert!(["checkout", "search"].contains(&labels.get("service")));
        *self.within.lock().unwrap() = question.within;
        let value = (*self.demand.lock().unwrap())?;
        let horizon = Duration::from_hours(1);
        Some(Foreseen {
            value,
            at: now + horizon,
            horizon: Horizon::new(horizon).unwrap(),
            current: Some(400.0),
        })
    }

    fn standing(&self, _: Question<'_>, _: Timestamp) -> Option<Standing> {
        *self.standing.lock().unwrap()
    }
}

pub(crate) type Answered = Result<Vec<f64>, String>;

/// A Prometheus that answers every query with what the test wants.
#[derive(Debug)]
struct Witness {
    answer: Mutex<Answered>,
    /// Answers to queries with these words in them, the first that fits.
    special: Mutex<Vec<(String, Answered)>>,
    asked: Mutex<Vec<String>>,
}

impl Evidence for Witness {
    fn query<'a>(
        &'a self,
        expr: &'a str,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<(Labels, f64)>, String>> {
        self.asked.lock().unwrap().push(expr.to_owned());
        let special = self.special.lock().unwrap();
        let fitting = special.iter().find(|(words, _)| expr.contains(words));
        let answer = match fitting {
            Some((_, answer)) => answer.clone(),
            None => self.answer.lock().unwrap().clone(),
        };
        let labelled = |values: Vec<f64>| values.into_iter().map(|v| (Labels::default(), v));
        Box::pin(async move { answer.map(|values| labelled(values).collect()) })
    }
}

/// An Alertmanager that notes what it is told.
#[derive(Debug, Default)]
pub(crate) struct Herald {
    pub(crate) silenced: Mutex<Option<Result<String, String>>>,
    pub(crate) silences: Mutex<Vec<Silence>>,
    pub(crate) warnings: Mutex<Vec<Warning>>,
}

impl Alerting for Herald {
    fn silenced<'a>(
        &'a self,
        fingerprints: &'a [String],
    ) -> BoxFuture<'a, Result<Option<String>, String>> {
        assert!(!fingerprints.is_empty());
        let answer = self.silenced.lock().unwrap().clone();
        Box::pin(async move { answer.transpose() })
    }

    fn silence<'a>(&'a self, silence: &'a Silence) -> BoxFuture<'a, Result<(), String>> {
        self.silences.lock().unwrap().push(silence.clone());
        Box::pin(async { Ok(()) })
    }

    fn warn<'a>(&'a self, warning: &'a Warning) -> BoxFuture<'a, Result<(), String>> {
        self.warnings.lock().unwrap().push(warning.clone());
        Box::pin(async { Err("nobody is listening".to_owned()) })
    }
}

pub(crate) struct World {
    pub(crate) fleet: SharedFleet,
    pub(crate) remediation: Arc<Remediation>,
    pub(crate) kill_switch: PathBuf,
    pub(crate) oracle: Arc<Oracle>,
    pub(crate) herald: Arc<Herald>,
    settings: Settings,
    witness: Arc<Witness>,
    /// How many milliseconds the clock was put back by.
    put_back: Arc<AtomicU64>,
    journal: PathBuf,
    _folder: tempfile::TempDir,
}

/// What differs from test to test.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup<'a> {
    pub(crate) mode: &'a str,
    pub(crate) rollout: &'a str,
    /// Further keys of the workload, each line with two spaces before it.
    pub(crate) more: &'a str,
    pub(crate) guards: &'a str,
    /// Further keys of `observe`.
    pub(crate) observe: &'a str,
    pub(crate) body: &'a str,
}

/// One look after half a minute; several looks have tests of their own.
pub(crate) const SETUP: Setup<'static> = Setup {
    mode: "mode: auto",
    rollout: "{direct: {wait: 30s, count: 1, verify: ['service:latency:p99 < 0.5']}}",
    more: "",
    guards: "",
    observe: "",
    body: r#"{"replicas": {{ replicas }}, "tier": "{{ target.tier }}"}"#,
};

/// Four replicas, 812 requests a second foreseen at 120 each: seven are needed.
const WORKLOAD: &str = "
  name: checkout
  match: {alertname: BreachForeseen, service: checkout}
  demand: service:requests:rate5m
  sizing: {per_replica: 120, min: 3, max: 40}
  grace: 90s
  cooldown: {up: 3m}
  actuator: {use: fleet, target: {tier: 'a\"b'}}
";

/// Two workloads on one fleet: the checkout and the search.
fn settings(url: &str, setup: Setup<'_>, guards: &str) -> Settings {
    let search = WORKLOAD.replace("checkout", "search");
    let Setup {
        mode,
        rollout,
        more,
        observe,
        body,
        ..
    } = setup;
    let text = format!(
        "actuators:
  fleet:
    http:
      url: {url}
      body: '{body}'
      headers: {{authorization: Bearer token}}
      timeout: 300ms
      observe: {{{observe}}}
workloads:
- {mode}{WORKLOAD}  rollout: {rollout}
{more}
- {mode}{search}  rollout: {rollout}
{more}
guards: {guards}
"
    );
    let document = yaml::Document::parse("foreshadow.yml", &text).unwrap();
    let settings = document
        .check(|node| node.map(|fields| Settings::read(fields, &["service:requests:rate5m"])));
    settings.unwrap()
}

impl World {
    pub(crate) async fn new(mode: &str) -> Self {
        Self::of(Setup { mode, ..SETUP }).await
    }

    pub(crate) async fn of(setup: Setup<'_>) -> Self {
        // Whichever test comes first installs it; to the others it is an error without meaning.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let fleet = SharedFleet::default();
        fleet.lock().unwrap().replicas = 4;
        let url = serve(Arc::clone(&fleet)).await;
        let kill_switch = folder.path().join("STOP");
        let guards = format!(
            "{{max_concurrent: 1, max_actions_per_hour: 3, kill_switch_file: '{}'{}}}",
            kill_switch.display(),
            setup.guards,
        );
        let settings = settings(&url, setup, &guards);
        let oracle = Arc::new(Oracle::default());
        *oracle.demand.lock().unwrap() = Some(812.0);
        let witness = Arc::new(Witness {
            answer: Mutex::new(Ok(vec![0.3])),
            special: Mutex::default(),
            asked: Mutex::default(),
        });
        let herald = Arc::new(Herald::default());
        let put_back = Arc::new(AtomicU64::new(0));
        let ports = Ports::new(oracle.clone(), witness.clone()).with_alerting(herald.clone());
        let ports = ports.with_steady_clock(steady(&put_back));
        let journal = folder.path().join("journal.db");
        let remediation = start(&journal, &settings, &ports).await;
        Self {
            fleet,
            remediation,
            kill_switch,
            oracle,
            herald,
            settings,
            witness,
            put_back,
            journal,
            _folder: folder,
        }
    }

    fn ports(&self) -> Ports {
        let ports = Ports::new(self.oracle.clone(), self.witness.clone());
        let ports = ports.with_alerting(self.herald.clone());
        ports.with_steady_clock(steady(&self.put_back))
    }

    /// Throws the running program away, as a crash does, and starts another on the same file.
    pub(crate) async fn restart(&mut self) {
        self.remediation = start(&self.journal, &self.settings, &self.ports()).await;
    }

    /// Puts a changed configuration in place.
    pub(crate) fn reload(&mut self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settings);
        self.remediation.reload(self.settings.clone()).unwrap();
    }

    pub(crate) fn fleet(&self) -> MutexGuard<'_, Fleet> {
        self.fleet.lock().unwrap()
    }

    /// How often something was set, or was to be.
    pub(crate) fn n_puts(&self) -> usize {
        self.fleet().puts.len()
    }

    pub(crate) fn foresee(&self, demand: Option<f64>) {
        *self.oracle.demand.lock().unwrap() = demand;
    }

    pub(crate) fn standing(&self, standing: Standing) {
        *self.oracle.standing.lock().unwrap() = Some(standing);
    }

    /// What Prometheus answers to all that is not special.
    pub(crate) fn witness(&self, answer: Answered) {
        *self.witness.answer.lock().unwrap() = answer;
    }

    /// What Prometheus answers to queries with these words in them.
    pub(crate) fn answer(&self, words: &str, answer: Answered) {
        let mut special = self.witness.special.lock().unwrap();
        special.insert(0, (words.to_owned(), answer));
    }

    /// The queries so far that have these words in them.
    pub(crate) fn asked(&self, words: &str) -> Vec<String> {
        let asked = self.witness.asked.lock().unwrap();
        asked
            .iter()
            .filter(|expr| expr.contains(words))
            .cloned()
            .collect()
    }

    pub(crate) async fn deliver(&self, alerts: &[String], seconds: u64) -> Receipt {
        let webhook = notification(alerts);
        let receipt = self.remediation.receive(&webhook, after(seconds)).await;
        receipt.unwrap()
    }

    pub(crate) async fn tick(&self, seconds: u64) -> Report {
        let report = self.remediation.tick(after(seconds)).await.unwrap();
        assert_eq!(report.faults, []);
        report
    }

    /// Ticks at a time that the machine's clock shows.
    pub(crate) async fn tick_at(&self, now: Timestamp) {
        let report = self.remediation.tick(now).await.unwrap();
        assert_eq!(report.faults, []);
    }

    /// From now on the machine's clock is behind; waits are not measured by it.
    pub(crate) fn put_clock_back(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).unwrap();
        self.put_back.fetch_add(millis, Relaxed);
    }

    /// Ticks every second, as the program does.
    pub(crate) async fn ticks(&self, seconds: std::ops::RangeInclusive<u64>) {
        for second in seconds {
            self.tick(second).await;
        }
    }

    pub(crate) async fn actions(&self) -> Vec<Action> {
        let all = ActionFilter::default();
        self.remediation.actions(&all, 100).await.unwrap()
    }

    /// The only action that there is.
    pub(crate) async fn action(&self) -> Action {
        let mut actions = self.actions().await;
        assert_eq!(actions.len(), 1, "{actions:?}");
        actions.remove(0)
    }

    pub(crate) async fn history(&self) -> Vec<Transition> {
        let id = self.action().await.id;
        self.remediation.record(id).await.unwrap().transitions
    }

    #[track_caller]
    pub(crate) fn assert_state<'a>(
        &'a self,
        state: State,
        reason: &'a str,
    ) -> impl Future<Output = ()> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            let action = self.action().await;
            assert!(
                action.state == state && action.reason.contains(reason),
                "{caller}: {}: {}, not {state}: {reason}",
                action.state,
                action.reason
            );
        }
    }
}

fn steady(put_back: &Arc<AtomicU64>) -> remediation::SteadyClock {
    let put_back = Arc::clone(put_back);
    Arc::new(move |now| {
        let shown = now.as_millis().unsigned_abs();
        Duration::from_millis(shown + put_back.load(Relaxed))
    })
}

async fn start(journal: &Path, settings: &Settings, ports: &Ports) -> Arc<Remediation> {
    let journal = Journal::open(journal).await.unwrap();
    Arc::new(Remediation::new(journal, settings.clone(), ports.clone()).unwrap())
}

/// An alert about the checkout, as Alertmanager writes it; `labels` are added to its own.
pub(crate) fn alert(status: &str, fingerprint: &str, starts_at: &str, service: &str) -> String {
    format!(
        r#"{{"status": "{status}", "labels": {{"alertname": "BreachForeseen", "service": "{service}"}},
            "annotations": {{}}, "startsAt": "{starts_at}", "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "", "fingerprint": "{fingerprint}"}}"#
    )
}

pub(crate) const BEGUN: &str = "2027-01-15T07:59:00Z";

pub(crate) fn firing() -> Vec<String> {
    vec![alert("firing", "f1", BEGUN, "checkout")]
}

pub(crate) fn resolved() -> Vec<String> {
    vec![alert("resolved", "f1", BEGUN, "checkout")]
}

pub(crate) fn notification(alerts: &[String]) -> Webhook {
    let body = format!(
        r#"{{"version": "4", "groupKey": "g", "status": "firing", "receiver": "foreshadow",
            "externalURL": "http://one:9093", "alerts": [{}]}}"#,
        alerts.join(",")
    );
    Webhook::parse(body.as_bytes()).unwrap()
}
