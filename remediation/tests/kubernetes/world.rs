//! The whole way from an alert to the cluster, with a journal on disk.

use crate::server::Server;
use alertmanager_client::webhook::Webhook;
use futures::future::BoxFuture;
use remediation::{Evidence, Foreseen, Foresight, Ports, Question, Remediation, config::Settings};
use series::{Horizon, Labels, Timestamp};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use store::{Action, ActionFilter, Journal, State};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// Seven replicas are needed, and all is well as long as nothing else is said.
struct Lender {
    is_well: Mutex<bool>,
}

impl Foresight for Lender {
    fn demand(&self, _: Question<'_>, now: Timestamp) -> Option<Foreseen> {
        let horizon = Duration::from_hours(1);
        Some(Foreseen {
            value: 812.0,
            at: now + horizon,
            horizon: Horizon::new(horizon).unwrap(),
            current: Some(400.0),
        })
    }
}

impl Evidence for Lender {
    fn query<'a>(
        &'a self,
        _: &'a str,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<(Labels, f64)>, String>> {
        let is_well = *self.is_well.lock().unwrap();
        let answer = if is_well {
            vec![(Labels::default(), 0.3)]
        } else {
            Vec::new()
        };
        Box::pin(async move { Ok(answer) })
    }
}

/// A running program that acts on the Deployment `checkout`.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) remediation: Arc<Remediation>,
    lender: Arc<Lender>,
    settings: Settings,
    /// The last second that was lived through.
    clock: AtomicU64,
}

/// How many seconds of its own the program lives through at most while a real cluster does its part, and how long
/// each of them takes there.
const REAL_SECONDS: u64 = 400;
const REAL_SECOND: Duration = Duration::from_millis(150);

impl World {
    /// Four replicas, and the program ready.
    pub(crate) async fn new(server: Server) -> Self {
        let rollout = "{direct: {wait: 5s, count: 1, verify: ['p99 < 0.5']}}";
        Self::of(server, rollout, "kind: Deployment, name: checkout").await
    }

    /// The same with another rollout and target.
    pub(crate) async fn of(server: Server, rollout: &str, target: &str) -> Self {
        server.deploy(4).await;
        let text = format!(
            "actuators:
  cluster: {{kubernetes: {{kubeconfig: {}, timeout: {}ms}}}}
workloads:
- name: checkout
  match: {{alertname: BreachForeseen, service: checkout}}
  demand: d
  mode: auto
  grace: 5s
  sizing: {{per_replica: 120, min: 3, max: 40}}
  rollout: {rollout}
  actuator: {{use: cluster, target: {{namespace: {}, {target}}}}}
guards: {{kill_switch_file: {}}}
",
            server.acting().display(),
            server.limit().as_millis(),
            server.namespace,
            server.kill_switch().display(),
        );
        let document = yaml::Document::parse("c.yml", &text).unwrap();
        let settings = document.check(|node| node.map(|fields| Settings::read(fields, &["d"])));
        let settings = settings.unwrap();
        let lender = Arc::new(Lender {
            is_well: Mutex::new(true),
        });
        let remediation = begin(&server, &settings, &lender).await;
        Self {
            server,
            remediation,
            lender,
            settings,
            clock: AtomicU64::new(0),
        }
    }

    /// Throws the running program away, as a crash does, and starts another on the same journal.
    pub(crate) async fn restart(&mut self) {
        self.remediation = begin(&self.server, &self.settings, &self.lender).await;
    }

    pub(crate) fn worsen(&self) {
        *self.lender.is_well.lock().unwrap() = false;
    }

    /// An alert about the checkout, with further labels.
    pub(crate) async fn alert(&self, labels: &str) {
        let alert = format!(
            r#"{{"status": "firing", "labels": {{"alertname": "BreachForeseen", "service": "checkout"{labels}}},
                "annotations": {{}}, "startsAt": "2027-01-15T07:59:00Z", "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "", "fingerprint": "f1"}}"#
        );
        let text = format!(
            r#"{{"version": "4", "groupKey": "{{}}", "truncatedAlerts": 0, "status": "firing", "receiver": "f",
                "groupLabels": {{}}, "commonLabels": {{}}, "commonAnnotations": {{}},
                "externalURL": "http://alertmanager:9093", "alerts": [{alert}]}}"#
        );
        let webhook = Webhook::parse(text.as_bytes()).unwrap();
        self.remediation.receive(&webhook, NOW).await.unwrap();
    }

    /// Ticks every second until the action is in this state. A real cluster is given more of them, and time between.
    pub(crate) async fn until(&self, state: State, seconds: std::ops::Range<u64>) -> Action {
        let is_slow = self.server.is_real();
        let is_one = seconds.end - seconds.start == 1;
        let more = if is_slow && !is_one { REAL_SECONDS } else { 0 };
        let start = seconds.start.max(self.clock.load(Ordering::Relaxed));
        for second in start..(start + seconds.end - seconds.start + more) {
            self.clock.store(second + 1, Ordering::Relaxed);
            let now = NOW + Duration::from_secs(second);
            self.remediation.tick(now).await.unwrap();
            let action = self.action().await;
            if action.state == state {
                return action;
            }
            assert!(
                action.state.is_open() || !is_slow,
                "{}: {}, and never {state}",
                action.state,
                action.reason
            );
            if is_slow {
                tokio::time::sleep(REAL_SECOND).await;
            }
        }
        let action = self.action().await;
        panic!("{}: {}, and never {state}", action.state, action.reason);
    }

    /// The reason for which the action entered a state.
    pub(crate) async fn reason_of(&self, state: State) -> String {
        let id = self.action().await.id;
        let transitions = self.remediation.record(id).await.unwrap().transitions;
        let mut entered = transitions.into_iter().filter(|one| one.to == state);
        entered.next_back().unwrap().reason
    }

    pub(crate) async fn action(&self) -> Action {
        let all = ActionFilter::default();
        let mut actions = self.remediation.actions(&all, 10).await.unwrap();
        assert_eq!(actions.len(), 1, "{actions:?}");
        actions.remove(0)
    }
}

async fn begin(server: &Server, settings: &Settings, lender: &Arc<Lender>) -> Arc<Remediation> {
    let journal = Journal::open(&server.folder().join("journal.db"))
        .await
        .unwrap();
    let ports = Ports::new(lender.clone(), lender.clone());
    Arc::new(Remediation::new(journal, settings.clone(), ports).unwrap())
}
