//! The API server that the suite speaks to, and a namespace of its own in it.

use http::{Method, Request};
use http_body_util::BodyExt as _;
use kube::{
    Client, Config,
    client::Body,
    config::{KubeConfigOptions, Kubeconfig},
};
use kubernetes_stand_in::{Answered, Passed, StandIn, Upstream};
use remediation::{
    Drivers as _, OwnDrivers, Shape, Target,
    actuator::{Actuator, ActuatorError, Arrival, Occasion},
    config::{Guards, Object, Settings},
};
use serde_json::{Value, json};
use series::Timestamp;
use std::{
    path::PathBuf,
    sync::{Arc, Once},
    time::Duration,
};
use store::{ActionId, State};

/// An API server with an empty namespace.
pub(crate) struct Server {
    /// Whom the suite acts as.
    pub(crate) kubeconfig: PathBuf,
    /// Whom the actuator acts as.
    acting: PathBuf,
    pub(crate) namespace: String,
    /// What of the cluster is not in the namespace, and goes with it.
    leftovers: Vec<String>,
    stand_in: Option<StandIn>,
    /// What stands between the actuator and a real server, where things are to go wrong.
    wire: Option<StandIn>,
    client: Client,
    folder: tempfile::TempDir,
}

/// How long controllers of a real cluster may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// The real cluster that is to be spoken to, if one is.
#[expect(
    clippy::disallowed_methods,
    reason = "the suite is pointed to a cluster by its environment"
)]
fn real() -> Option<PathBuf> {
    std::env::var_os("KUBECONFIG").map(PathBuf::from)
}

impl Server {
    /// The real one where one is given, else the stand-in.
    pub(crate) async fn start() -> Self {
        let stand_in = match real() {
            Some(_) => None,
            None => Some(StandIn::start().await),
        };
        Self::of(stand_in).await
    }

    /// The same, where requests are noted and things can go wrong on the way.
    pub(crate) async fn wired() -> Self {
        let mut server = Self::start().await;
        if server.is_real() {
            let wire = StandIn::in_front_of(upstream(server.client.clone())).await;
            server.acting = server.folder().join("wire.kubeconfig");
            std::fs::write(&server.acting, wire.kubeconfig()).unwrap();
            server.wire = Some(wire);
        }
        server
    }

    /// The stand-in, for what no real node does on order.
    pub(crate) async fn stand_in() -> Self {
        Self::of(Some(StandIn::start().await)).await
    }

    async fn of(stand_in: Option<StandIn>) -> Self {
        // Whichever test comes first installs it; to the others it is an error without meaning.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = match &stand_in {
            None => real().unwrap(),
            Some(server) => {
                let path = folder.path().join("kubeconfig");
                std::fs::write(&path, server.kubeconfig()).unwrap();
                path
            }
        };
        let server = Self {
            client: client(&kubeconfig).await,
            namespace: format!("foreshadow-test-{}", chance()),
            leftovers: Vec::new(),
            acting: kubeconfig.clone(),
            kubeconfig,
            stand_in,
            wire: None,
            folder,
        };
        server.say_which().await;
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": server.namespace}});
        server.create("/api/v1/namespaces", &namespace).await;
        server
    }

    async fn say_which(&self) {
        static ONCE: Once = Once::new();
        let version = self.get("/version").await;
        let kind = if self.stand_in.is_some() {
            "the stand-in"
        } else {
            "a real server"
        };
        ONCE.call_once(|| eprintln!("kubernetes: {kind}, {}", version["gitVersion"]));
    }

    pub(crate) fn is_real(&self) -> bool {
        self.stand_in.is_none()
    }

    /// Where things go wrong; only for tests that begin with the stand-in or a wire.
    pub(crate) fn faulty(&self) -> &StandIn {
        let wire = self.wire.as_ref().or(self.stand_in.as_ref());
        wire.expect("the test was begun with the stand-in or a wire")
    }

    /// Whether pods run here: on a real server, whether it has a node that is ready.
    pub(crate) async fn runs_pods(&self) -> bool {
        if !self.is_real() {
            return true;
        }
        let nodes = self.get("/api/v1/nodes").await;
        let conditions = |node: &Value| node["status"]["conditions"].clone();
        let is_ready = |node: &Value| {
            let all = conditions(node);
            let mut all = all.as_array().into_iter().flatten();
            all.any(|one| one["type"] == "Ready" && one["status"] == "True")
        };
        let runs = nodes["items"].as_array().unwrap().iter().any(is_ready);
        if !runs {
            eprintln!("kubernetes: no node runs pods here, so nothing that needs some was tried");
        }
        runs
    }

    /// The limit of one request, which a lost one is waited for.
    pub(crate) fn limit(&self) -> Duration {
        if self.is_real() {
            Duration::from_secs(3)
        } else {
            Duration::from_millis(250)
        }
    }

    /// Whom the actuator acts as.
    pub(crate) fn acting(&self) -> &std::path::Path {
        &self.acting
    }

    /// Lets actuators that are made from now on act by another file.
    pub(crate) fn act_by(&mut self, kubeconfig: PathBuf) {
        self.acting = kubeconfig;
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// The file that stops all actions once it is there.
    pub(crate) fn kill_switch(&self) -> PathBuf {
        self.folder.path().join("stop")
    }

    /// The path of something in the namespace.
    pub(crate) fn path(&self, group: &str, rest: &str) -> String {
        format!("/{group}/namespaces/{}/{rest}", self.namespace)
    }

    pub(crate) async fn request(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: &Value,
    ) -> Result<Value, Value> {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", content_type)
            .body(Body::from(body.into_bytes()))
            .unwrap();
        let answer = self.client.send(request).await.unwrap();
        let is_good = answer.status().is_success();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let text = || String::from_utf8_lossy(&body).into_owned().into();
        let body = serde_json::from_slice(&body).unwrap_or_else(|_| text());
        if is_good { Ok(body) } else { Err(body) }
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let got = self.request(Method::GET, path, "", &Value::Null).await;
        got.unwrap_or_else(|refusal| panic!("{path}: {refusal}"))
    }

    pub(crate) async fn create(&self, path: &str, object: &Value) -> Value {
        let made = self
            .request(Method::POST, path, "application/json", object)
            .await;
        made.unwrap_or_else(|refusal| panic!("{path}: {refusal}"))
    }

    /// Creates something that is in no namespace; it goes when the test ends.
    pub(crate) async fn create_for_all(&mut self, path: &str, object: &Value) {
        let made = self.create(path, object).await;
        let name = made["metadata"]["name"].as_str().unwrap();
        self.leftovers.push(format!("{path}/{name}"));
    }

    /// The same, from a manifest.
    pub(crate) async fn create_text(&mut self, path: &str, manifest: &str) {
        let request = Request::post(path)
            .header("content-type", "application/yaml")
            .body(Body::from(manifest.as_bytes().to_vec()))
            .unwrap();
        let answer = self.client.send(request).await.unwrap();
        let is_good = answer.status().is_success();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let made: Value = serde_json::from_slice(&body).unwrap_or_default();
        assert!(is_good, "{path}: {made}\n{manifest}");
        let name = made["metadata"]["name"].as_str().unwrap();
        self.leftovers.push(format!("{path}/{name}"));
    }

    /// What somebody else changes.
    pub(crate) async fn change(&self, path: &str, fields: &Value) -> Value {
        let path = format!("{path}?fieldManager=somebody-else");
        let done = self
            .request(Method::PATCH, &path, "application/merge-patch+json", fields)
            .await;
        done.unwrap_or_else(|refusal| panic!("{path}: {refusal}"))
    }

    /// A Deployment `checkout` with so many replicas.
    pub(crate) async fn deploy(&self, replicas: u32) {
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "checkout"},
            "spec": {
                "replicas": replicas, "selector": {"matchLabels": {"app": "checkout"}},
                "template": {
                    "metadata": {"labels": {"app": "checkout"}},
                    "spec": {"containers": [{
                        "name": "app", "image": "registry.k8s.io/pause:3.10",
                        "resources": {"requests": {"memory": "64Mi"}, "limits": {"memory": "128Mi"}},
                    }]},
                },
            },
        });
        self.create(&self.path("apis/apps/v1", "deployments"), &deployment)
            .await;
    }

    pub(crate) fn deployment(&self) -> String {
        self.path("apis/apps/v1", "deployments/checkout")
    }

    /// How many the Deployment is to have.
    pub(crate) async fn replicas(&self) -> u64 {
        let deployment = self.get(&self.deployment()).await;
        deployment["spec"]["replicas"].as_u64().unwrap_or(0)
    }

    /// Waits until something is so.
    pub(crate) async fn eventually(&self, what: &str, holds: impl AsyncFn(&Self) -> bool) {
        let start = tokio::time::Instant::now();
        while !holds(self).await {
            assert!(start.elapsed() < PATIENCE, "{what} did not come about");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// An actuator, and the target that it acts on, from a configuration.
    pub(crate) fn actuator(&self, keys: &str, target: &str) -> Hand {
        let text = format!(
            "actuators:
  cluster: {{kubernetes: {{kubeconfig: {}, timeout: 5s{keys}}}}}
workloads:
- name: checkout
  match: {{service: checkout}}
  demand: d
  sizing: {{per_replica: 1, min: 1, max: 40}}
  actuator: {{use: cluster, target: {{namespace: {}, {target}}}}}
",
            self.acting.display(),
            self.namespace,
        );
        let document = yaml::Document::parse("c.yml", &text).unwrap();
        let settings = document.check(|node| node.map(|fields| Settings::read(fields, &["d"])));
        let settings = settings.unwrap();
        let config = settings.actuators.get("cluster").unwrap();
        let object = settings.workloads[0].actuator.object.clone();
        Hand {
            driver: OwnDrivers.driver(config).unwrap(),
            object: *object.unwrap(),
            target: Target::new(),
            action: ActionId::new(Timestamp::from_seconds(0)),
            guards: Guards::standard(),
            state: State::Applying,
        }
    }

    /// One that acts on the Deployment's scale.
    pub(crate) fn scaler(&self) -> Hand {
        self.actuator("", "kind: Deployment, name: checkout")
    }
}

/// An actuator and what it acts on.
pub(crate) struct Hand {
    driver: Arc<dyn Actuator>,
    object: Object,
    target: Target,
    action: ActionId,
    pub(crate) guards: Guards,
    /// The state of the action that it acts for.
    pub(crate) state: State,
}

impl Hand {
    fn occasion(&self) -> Occasion<'_> {
        Occasion {
            target: &self.target,
            object: Some(&self.object),
            action: self.action,
            workload: "checkout",
            alerts: &[],
            state: self.state,
            guards: &self.guards,
            now: Timestamp::from_seconds(1_800_000_000),
        }
    }

    /// What there is, but for the object's identity, which no two runs share.
    pub(crate) async fn observe(&self) -> Result<Shape, ActuatorError> {
        let found = self.found().await?;
        Ok(Shape {
            identity: None,
            ..found
        })
    }

    pub(crate) async fn found(&self) -> Result<Shape, ActuatorError> {
        self.driver.observe(self.occasion()).await
    }

    /// How far a shape has come that was set.
    pub(crate) async fn arrival(&self, shape: Shape) -> Arrival {
        self.observe().await.unwrap();
        self.driver.arrival(self.occasion(), shape).await.unwrap()
    }

    pub(crate) async fn ensure(&self, shape: Shape) -> Result<(), ActuatorError> {
        self.driver.ensure(self.occasion(), shape).await
    }

    /// Reads first, as every effect does, and sets so many; again where a controller came in between.
    pub(crate) async fn set(&self, replicas: u32) -> Result<(), ActuatorError> {
        for _ in 0..10 {
            let found = self.observe().await?;
            match self.ensure(found.set_to(replicas)).await {
                Err(ActuatorError::Refused { status: 409, .. }) => {}
                outcome => return outcome,
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        panic!("somebody else changes the object all the time");
    }

    pub(crate) async fn rehearse(&self, shape: Shape) -> Result<Option<String>, ActuatorError> {
        self.driver.rehearse(self.occasion(), shape).await
    }
}

/// The words of a refusal, with its causes.
pub(crate) fn words(error: &ActuatorError) -> String {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |e| e.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

async fn client(kubeconfig: &std::path::Path) -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .unwrap();
    Client::try_from(config).unwrap()
}

/// A real server, for a wire to stand in front of.
fn upstream(client: Client) -> Upstream {
    Arc::new(move |passed: Passed| {
        let client = client.clone();
        Box::pin(async move {
            let request = Request::builder()
                .method(passed.method.as_str())
                .uri(passed.path)
                .header("content-type", passed.content_type)
                .body(Body::from(passed.body))
                .unwrap();
            let answer = client.send(request).await.unwrap();
            let status = answer.status().as_u16();
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            let body = serde_json::from_slice(&body).unwrap_or_default();
            Answered { status, body }
        })
    })
}

/// What no other run has.
pub(crate) fn chance() -> String {
    let id = ActionId::new(Timestamp::from_seconds(0)).to_string();
    id.chars()
        .rev()
        .filter(char::is_ascii_alphanumeric)
        .take(8)
        .collect()
}

impl Drop for Server {
    /// Takes the namespace away again, also from a real cluster and after a test that failed.
    fn drop(&mut self) {
        if self.stand_in.is_some() {
            return;
        }
        let (kubeconfig, mut paths) =
            (self.kubeconfig.clone(), std::mem::take(&mut self.leftovers));
        paths.push(format!("/api/v1/namespaces/{}", self.namespace));
        let cleaning = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let client = client(&kubeconfig).await;
                for path in paths {
                    let request = Request::delete(&path).body(Body::empty()).unwrap();
                    let gone = client.send(request).await;
                    if !gone.is_ok_and(|answer| answer.status().is_success()) {
                        eprintln!("kubernetes: {path} could not be deleted");
                    }
                }
            });
        });
        let _ = cleaning.join();
    }
}
