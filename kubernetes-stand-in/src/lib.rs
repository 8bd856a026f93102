//! A small Kubernetes API server for tests: objects in memory, in the manner of a real one, and faults on order.
//!
//! Its manner is held to recordings of a real server by the tests of this crate. It knows scale, resize, merge and
//! server-side-apply patches, versions as preconditions, dry runs and owners of fields; controllers and nodes do
//! their part at once. It knows no watches, no PATCH by JSON patch, no paging and no admission but one policy. It can
//! also stand in front of a real server, and add its faults to that.

mod answer;
mod cluster;
mod controllers;
mod fields;
mod kinds;
mod parts;
mod route;
mod server;
mod validation;

pub use controllers::Node;

use cluster::{Cluster, Key, Object, Request};
use futures::future::BoxFuture;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is answered with this status, and with `Retry-After` where there are seconds, and nothing is done.
    Refuse(u16, Option<u64>),
    /// The connection breaks; nothing is done.
    Reset,
    /// The connection breaks when it is done.
    DoneAndReset,
    /// There is no answer; nothing is done.
    Hang,
    /// There is no answer, though it is done at once.
    DoneButSilent,
    /// There is no answer, and it is done this much later.
    Late(Duration),
}

/// A request that was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// `GET`, `PATCH` and so on.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// What was sent; null where nothing was.
    pub body: Value,
}

/// A request on its way to another server.
#[derive(Debug, Clone)]
pub struct Passed {
    /// `GET`, `PATCH` and so on.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The `Content-Type`; empty where there was none.
    pub content_type: String,
    /// What was sent.
    pub body: Vec<u8>,
}

/// What another server answered.
#[derive(Debug, Clone)]
pub struct Answered {
    /// The HTTP status.
    pub status: u16,
    /// The body; null where it is no JSON.
    pub body: Value,
}

/// Another server, that answers in the place of the objects in memory.
pub type Upstream = Arc<dyn Fn(Passed) -> BoxFuture<'static, Answered> + Send + Sync>;

/// A server that listens on loopback until it is dropped.
#[derive(Debug)]
pub struct StandIn {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

struct Shared {
    cluster: Mutex<Cluster>,
    upstream: Option<Upstream>,
    faults: Mutex<VecDeque<(String, Fault)>>,
    made: Mutex<Vec<Made>>,
}

impl StandIn {
    /// Starts a server without any objects but the namespace `default`.
    ///
    /// # Panics
    /// Where no port of loopback can be had.
    pub async fn start() -> Self {
        let server = Self::of(None).await;
        server.put("/api/v1/namespaces/default", json!({}));
        server
    }

    /// Starts a server that passes each request on and adds nothing but faults: a real cluster behind a bad line.
    ///
    /// # Panics
    /// Where no port of loopback can be had.
    pub async fn in_front_of(upstream: Upstream) -> Self {
        Self::of(Some(upstream)).await
    }

    async fn of(upstream: Option<Upstream>) -> Self {
        let shared = Arc::new(Shared {
            cluster: Mutex::new(Cluster::new()),
            upstream,
            faults: Mutex::default(),
            made: Mutex::default(),
        });
        let (address, task) = server::start(Arc::clone(&shared)).await;
        Self {
            address,
            shared,
            task,
        }
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A file for clients that says so.
    pub fn kubeconfig(&self) -> String {
        let url = self.url();
        let token = lock(&self.shared.cluster).token.clone();
        let user = token.map_or_else(|| json!({}), |token| json!({"token": token}));
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "stand-in",
            "clusters": [{"name": "stand-in", "cluster": {"server": url}}],
            "users": [{"name": "remediator", "user": user}],
            "contexts": [{"name": "stand-in", "context": {"cluster": "stand-in", "user": "remediator"}}],
        })
        .to_string()
    }

    /// Puts an object in place as it is, version and all where it has one.
    ///
    /// # Panics
    /// Where the path is not one of an object.
    pub fn put(&self, path: &str, object: Value) {
        let mut cluster = lock(&self.shared.cluster);
        let (key, mut value) = identified(&cluster, path, object);
        if value["metadata"]["resourceVersion"].is_null() {
            cluster.stamp(&mut value, true);
        }
        let object = Object {
            value,
            ..Object::default()
        };
        cluster.objects.insert(key, object);
        controllers::reconcile(&mut cluster);
    }

    /// An object as it is now.
    pub fn get(&self, path: &str) -> Option<Value> {
        let cluster = lock(&self.shared.cluster);
        let (key, _) = identified(&cluster, path, json!({}));
        cluster.objects.get(&key).map(|object| object.value.clone())
    }

    /// Orders a fault for the next request whose method and path hold these words, like `PATCH` and `/scale`.
    pub fn order(&self, words: &str, fault: Fault) {
        lock(&self.shared.faults).push_back((words.to_owned(), fault));
    }

    /// All requests so far.
    pub fn made(&self) -> Vec<Made> {
        lock(&self.shared.made).clone()
    }

    /// Forbids a resource such as `deployments/scale` in a namespace.
    pub fn forbid(&self, resource: &str, namespace: &str) {
        let denial = (resource.to_owned(), namespace.to_owned());
        lock(&self.shared.cluster).denials.push(denial);
    }

    /// Puts a policy in place that lets no scale grow by more than twice and one in a step.
    pub fn cap_steps(&self, policy: &str) {
        lock(&self.shared.cluster).policy = Some(policy.to_owned());
    }

    /// Lets in only who has this token.
    pub fn require(&self, token: &str) {
        lock(&self.shared.cluster).token = Some(token.to_owned());
    }

    /// Changes whether pods become ready.
    pub fn set_ready(&self, ready: bool) {
        let mut cluster = lock(&self.shared.cluster);
        cluster.ready = ready;
        controllers::reconcile(&mut cluster);
    }

    /// Changes how nodes take to being asked for other sizes.
    pub fn set_node(&self, node: Node) {
        let mut cluster = lock(&self.shared.cluster);
        cluster.node = node;
        controllers::reconcile(&mut cluster);
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Shared");
        shown.field("made", &lock(&self.made).len());
        shown.finish_non_exhaustive()
    }
}

impl Shared {
    fn fault(&self, request: &Request) -> Option<Fault> {
        let mut faults = lock(&self.faults);
        let subject = format!("{} {}", request.method, request.path);
        let words =
            |(words, _): &(String, Fault)| words.split(' ').all(|word| subject.contains(word));
        let idx = faults.iter().position(words)?;
        faults.remove(idx).map(|(_, fault)| fault)
    }
}

fn identified(cluster: &Cluster, path: &str, mut value: Value) -> (Key, Value) {
    let route = route::Route::of(path, &cluster.kinds);
    let Some(route::Route::One(place, name, None)) = route else {
        panic!("{path} is no path of an object");
    };
    value["kind"] = json!(place.kind.name);
    value["apiVersion"] = json!(place.kind.api_version(&place.version));
    value["metadata"]["name"] = json!(name);
    if !place.namespace.is_empty() {
        value["metadata"]["namespace"] = json!(place.namespace);
    }
    (place.key(&name), value)
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The parts of a query.
fn query(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (
            name.to_owned(),
            value.replace("%3D", "=").replace("%2C", ","),
        )
    };
    pairs.map(pair).collect()
}
