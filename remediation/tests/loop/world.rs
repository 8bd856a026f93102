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
use remediation::{Evidence, Foreseen, Foresight, Receipt, Remediation, Report, config::Settings};
use series::{Horizon, Labels, Quantile, Timestamp};
use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
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
            let replicas = fleet.lock().unwrap().replicas;
            format!("{{\"replicas\": {replicas}}}").into_response()
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
struct Oracle(Mutex<Option<f64>>);

impl Foresight for Oracle {
    fn demand(&self, name: &str, labels: &Labels, _: Quantile, now: Timestamp) -> Option<Foreseen> {
        assert_eq!(name, "service:requests:rate5m");
        assert_eq!(labels.len(), 1, "{labels}");
        assert!(["checkout", "search"].contains(&labels.get("service")));
        let value = (*self.0.lock().unwrap())?;
        let horizon = Duration::from_hours(1);
        Some(Foreseen {
            value,
            at: now + horizon,
            horizon: Horizon::new(horizon).unwrap(),
            current: Some(400.0),
        })
    }
}

/// A Prometheus that answers every query with what the test wants.
#[derive(Debug)]
struct Witness(Mutex<Result<Vec<f64>, String>>);

impl Evidence for Witness {
    fn query<'a>(
        &'a self,
        _: &'a str,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<(Labels, f64)>, String>> {
        let answer = self.0.lock().unwrap().clone();
        let labelled = |values: Vec<f64>| values.into_iter().map(|v| (Labels::default(), v));
        Box::pin(async move { answer.map(|values| labelled(values).collect()) })
    }
}

pub(crate) struct World {
    pub(crate) fleet: SharedFleet,
    pub(crate) remediation: Arc<Remediation>,
    pub(crate) kill_switch: PathBuf,
    settings: Settings,
    oracle: Arc<Oracle>,
    witness: Arc<Witness>,
    journal: PathBuf,
    _folder: tempfile::TempDir,
}

/// Four replicas, 812 requests a second foreseen at 120 each: seven are needed.
const WORKLOAD: &str = "
  name: checkout
  match: {alertname: BreachForeseen, service: checkout}
  demand: service:requests:rate5m
  sizing: {per_replica: 120, min: 3, max: 40}
  grace: 90s
  cooldown: {up: 3m}
  rollout: {direct: {wait: 30s, verify: ['service:latency:p99 < 0.5']}}
  actuator: {use: fleet, target: {tier: 'a\"b'}}
";

/// Two workloads on one fleet: the checkout and the search.
fn settings(url: &str, mode: &str, guards: &str) -> Settings {
    let search = WORKLOAD.replace("checkout", "search");
    let text = format!(
        "actuators:
  fleet:
    http:
      url: {url}
      body: '{{\"replicas\": {{{{ replicas }}}}, \"tier\": \"{{{{ target.tier }}}}\"}}'
      headers: {{authorization: Bearer token}}
      timeout: 300ms
workloads:
- {mode}{WORKLOAD}
- {mode}{search}
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
        // Whichever test comes first installs it; to the others it is an error without meaning.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let fleet = SharedFleet::default();
        fleet.lock().unwrap().replicas = 4;
        let url = serve(Arc::clone(&fleet)).await;
        let kill_switch = folder.path().join("STOP");
        let guards = format!(
            "{{max_concurrent: 1, max_actions_per_hour: 3, kill_switch_file: '{}'}}",
            kill_switch.display()
        );
        let settings = settings(&url, mode, &guards);
        let oracle = Arc::new(Oracle(Mutex::new(Some(812.0))));
        let witness = Arc::new(Witness(Mutex::new(Ok(vec![0.3]))));
        let journal = folder.path().join("journal.db");
        let remediation = start(&journal, &settings, &oracle, &witness).await;
        Self {
            fleet,
            remediation,
            kill_switch,
            settings,
            oracle,
            witness,
            journal,
            _folder: folder,
        }
    }

    /// Throws the running program away, as a crash does, and starts another on the same file.
    pub(crate) async fn restart(&mut self) {
        let next = start(&self.journal, &self.settings, &self.oracle, &self.witness).await;
        self.remediation = next;
    }

    /// Puts a changed configuration in place.
    pub(crate) fn reload(&mut self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settings);
        self.remediation.reload(self.settings.clone());
    }

    pub(crate) fn fleet(&self) -> MutexGuard<'_, Fleet> {
        self.fleet.lock().unwrap()
    }

    /// How often something was set, or was to be.
    pub(crate) fn n_puts(&self) -> usize {
        self.fleet().puts.len()
    }

    pub(crate) fn foresee(&self, demand: Option<f64>) {
        *self.oracle.0.lock().unwrap() = demand;
    }

    pub(crate) fn witness(&self, answer: Result<Vec<f64>, String>) {
        *self.witness.0.lock().unwrap() = answer;
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
        self.remediation.action(id).await.unwrap().1
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

async fn start(
    journal: &Path,
    settings: &Settings,
    oracle: &Arc<Oracle>,
    witness: &Arc<Witness>,
) -> Arc<Remediation> {
    let journal = Journal::open(journal).await.unwrap();
    let (oracle, witness) = (Arc::clone(oracle), Arc::clone(witness));
    Arc::new(Remediation::new(journal, settings.clone(), oracle, witness).unwrap())
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
