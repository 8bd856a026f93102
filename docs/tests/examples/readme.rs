//! The way that the README shows, walked with real programs: the files and commands are those of its text, and only addresses,
//! the mode and the pace are of the test.

use crate::{examples, programs::foreshadow};
use axum::{Json, Router, extract::State, routing::get};
use docs::{Kind, commands};
use serde_json::{Value, json};
use std::{fmt::Write as _, fs, path::Path, sync::Arc, time::Duration};
use testbed::{Alertmanager, Process, Prometheus, create_blocks, free_port, http_client};
use tokio::{
    process::Command,
    sync::mpsc,
    time::{Instant, sleep, timeout},
};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// The README's examples of one kind, as one file.
fn written(kind: Kind) -> String {
    let of_readme = |(found, block): (Kind, docs::Block)| {
        (found == kind && block.file == "README.md").then_some(block.text)
    };
    examples().into_iter().filter_map(of_readme).collect()
}

/// A text with some of it replaced; all of it must be there.
#[track_caller]
fn with(text: &str, replaced: &[(&str, &str)]) -> String {
    replaced.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "no {from} in\n{text}");
        text.replace(from, to)
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the real Prometheus has the real clock"
)]
fn now() -> i64 {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(since_epoch.unwrap().as_secs()).unwrap()
}

/// Five days of a counter of requests, 300 to 420 a second.
fn past() -> String {
    let mut text = "# TYPE http_requests counter\n".to_owned();
    let (end, mut total) = (now() / 60 * 60, 0.0);
    for minute in (0..5 * 24 * 60).rev() {
        let at = end - minute * 60;
        let day = (at as f64 / 86_400.0 * std::f64::consts::TAU).sin();
        // No day is as the one before.
        let ripple = (at / 60 * 7_919 % 31) as f64;
        total += 60.0 * (350.0 + 60.0 * day + ripple);
        writeln!(
            text,
            "http_requests_total{{service=\"checkout\"}} {total} {at}"
        )
        .unwrap();
    }
    text + "# EOF\n"
}

/// Whoever is on call: passes on each notification.
async fn on_call() -> (String, mpsc::UnboundedReceiver<Value>) {
    let (told, heard) = mpsc::unbounded_channel();
    let ring = async |State(told): State<mpsc::UnboundedSender<Value>>, Json(body): Json<Value>| {
        let _ = told.send(body);
    };
    let router = Router::new().route("/on-call", axum::routing::post(ring));
    (serve(router.with_state(told)).await, heard)
}

/// What the fleet was told last.
type Shared = Arc<std::sync::Mutex<Value>>;

/// A fleet of four that can be told another number.
async fn fleet() -> String {
    let replicas = Arc::new(std::sync::Mutex::new(json!({"replicas": 4})));
    let observe = async |State(shared): State<Shared>| Json(shared.lock().unwrap().clone());
    let ensure = async |State(shared): State<Shared>, Json(body): Json<Value>| {
        *shared.lock().unwrap() = body;
    };
    let router = Router::new().route("/replicas", get(observe).put(ensure));
    serve(router.with_state(replicas)).await
}

async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Everything that the README starts or takes for granted.
struct World {
    foreshadow: Process,
    address: String,
    prometheus: Prometheus,
    alertmanager: Alertmanager,
    heard: mpsc::UnboundedReceiver<Value>,
}

impl World {
    async fn start(dir: &Path) -> Self {
        let address = format!("127.0.0.1:{}", free_port().unwrap());
        let (fleet, (pager, heard)) = (fleet().await, on_call().await);
        let quick = (
            "  receiver: on-call\n",
            "  receiver: on-call\n  group_wait: 1s\n  group_interval: 1s\n",
        );
        let places = [
            ("127.0.0.1:9755", &*address),
            ("127.0.0.1:8080", &pager),
            quick,
        ];
        let config = with(&written(Kind::AlertmanagerConfig), &places);
        let alertmanager = Alertmanager::start(&dir.join("alertmanager"), &config)
            .await
            .unwrap();

        let folder = dir.join("prometheus");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("past.om"), past()).unwrap();
        create_blocks(&folder.join("past.om"), &Prometheus::data_dir(&folder))
            .await
            .unwrap();
        fs::write(folder.join("alerts.yml"), written(Kind::PrometheusRules)).unwrap();
        let places = [
            ("127.0.0.1:9755", &*address),
            ("127.0.0.1:9093", alertmanager.url().authority()),
        ];
        let config = with(&written(Kind::PrometheusConfig), &places);
        let prometheus = Prometheus::start(&folder, &config, &[]).await.unwrap();

        let folder = dir.join("foreshadow");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("rules.yml"), written(Kind::PredictiveRules)).unwrap();
        let places = [
            ("localhost:9090", prometheus.url().authority()),
            ("127.0.0.1:9093", alertmanager.url().authority()),
            ("127.0.0.1:8081", &fleet),
            ("mode: observe", "mode: approve"),
        ];
        let config = with(&written(Kind::Configuration), &places);
        let quick = "global: {evaluation_interval: 1s}\n";
        fs::write(folder.join("foreshadow.yml"), format!("{quick}{config}")).unwrap();
        let args = [
            "serve".to_owned(),
            format!("--web.listen-address={address}"),
        ];
        let mut foreshadow = Process::spawn(&folder, "foreshadow", &foreshadow(), args).unwrap();
        let ready = format!("http://{address}/-/ready");
        foreshadow.wait_until_up(&ready, PATIENCE).await.unwrap();
        Self {
            foreshadow,
            address,
            prometheus,
            alertmanager,
            heard,
        }
    }

    /// Waits until `/predictions` has the series that the alert is on.
    async fn until_foreseen(&self) {
        let (http, deadline) = (http_client(PATIENCE).unwrap(), Instant::now() + PATIENCE);
        loop {
            let url = format!("http://{}/predictions", self.address);
            let text = http.get(url).send().await.unwrap().text().await.unwrap();
            if text.contains("service:http_requests:rate5m:forecast{") {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "no forecast\n{}",
                self.foreshadow.log_tail()
            );
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// Has the alert of `alerts.yml` fire, as Prometheus would once the load rises.
    async fn fire(&self) {
        let labels = json!({"alertname": "CheckoutOverloadPredicted", "service": "checkout"});
        let url = self.alertmanager.url().join("api/v2/alerts").unwrap();
        let alerts = json!([{"labels": labels}]);
        let request = http_client(PATIENCE).unwrap().post(url).json(&alerts);
        assert!(request.send().await.unwrap().status().is_success());
    }

    /// Runs a command of the text; what it prints.
    async fn run(&self, command: &str) -> String {
        let folder = foreshadow().parent().unwrap().to_owned();
        let address = format!("http://{}", self.address);
        let command = command.replace("http://127.0.0.1:9755", &address);
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &command])
            .current_dir(self.foreshadow.log().parent().unwrap());
        shell.env("PATH", format!("{}:/usr/bin:/bin", folder.display()));
        let output = timeout(PATIENCE, shell.kill_on_drop(true).output())
            .await
            .unwrap()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}\n{said}{errors}");
        said
    }

    /// The next notification of whoever is on call.
    async fn page(&mut self) -> Value {
        let heard = timeout(PATIENCE, self.heard.recv()).await;
        let nobody = || panic!("nobody was called\n{}", self.foreshadow.log_tail());
        heard.unwrap_or_else(|_| nobody()).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_follows_the_readme_sees_forecasts_and_is_called_when_an_action_waits() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::start(dir.path()).await;
    world.until_foreseen().await;
    for command in commands(&written(Kind::Shell)) {
        if command.starts_with("foreshadow forecast") || command.starts_with("foreshadow backtest")
        {
            let said = world
                .run(&format!(
                    "{command} --prometheus.url {}",
                    world.prometheus.url()
                ))
                .await;
            assert!(said.contains("checkout"), "{said}");
        } else if command.starts_with("foreshadow check") {
            assert!(world.run(&command).await.contains("SUCCESS"));
        }
    }
    world.fire().await;
    let page = world.page().await;
    let labels = &page["alerts"][0]["labels"];
    assert_eq!(labels["alertname"], "ForeshadowActionPending", "{page}");
    let id = labels["action"].as_str().unwrap();
    hold_to_the_session(&world, id).await;
    hold_to_the_api(&world).await;
}

/// Runs the session of docs/actions.md: its first command prints what it shows, the second decides.
async fn hold_to_the_session(world: &World, id: &str) {
    let session = examples().into_iter().find(|(kind, block)| {
        *kind == Kind::Session && block.text.contains("$ foreshadow actions list")
    });
    let (_, session) = session.expect("the documentation shows a session");
    let at = format!("--foreshadow.url http://{}", world.address);
    let mut commands = commands(&session.text).into_iter();
    let said = world
        .run(&format!("{} {at}", commands.next().unwrap()))
        .await;
    let words = |line: Option<&str>| {
        line.unwrap()
            .split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        words(said.lines().next()),
        words(session.text.lines().nth(1)),
        "{}",
        session.place()
    );
    let decide = commands.next().unwrap();
    let shown = decide.split_whitespace().last().unwrap();
    let said = world
        .run(&format!("{} {at}", decide.replace(shown, id)))
        .await;
    assert!(said.trim_end().ends_with("is now grace"), "{said}");
}

/// Asks every address of our API that a `curl` of the documentation names: each is one that the program knows.
async fn hold_to_the_api(world: &World) {
    for (kind, block) in examples() {
        let asks = |command: &str| command.starts_with("curl ") || command.starts_with("now=");
        if kind != Kind::Shell || !block.text.contains("127.0.0.1:9755") {
            continue;
        }
        let (setting, asking): (Vec<_>, Vec<_>) = commands(&block.text)
            .into_iter()
            .filter(|command| asks(command))
            .partition(|command| command.starts_with("now="));
        for command in asking {
            let said = world
                .run(&format!("{}\n{command}", setting.join("\n")))
                .await;
            let answer: Value =
                serde_json::from_str(&said).unwrap_or_else(|_| panic!("{}: {said}", block.place()));
            let known = answer["status"] == "success" || said.contains("01a200af");
            assert!(known, "{}: {command}: {said}", block.place());
        }
    }
}
