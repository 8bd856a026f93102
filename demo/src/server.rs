//! The living fleet over HTTP: service discovery, metrics of each instance, and replicas to be set.

use crate::{
    exposition::prometheus_text,
    fleet::{Fleet, MAX_REPLICAS, Service},
    history::instance_labels,
};
use anyhow::Context;
use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use series::Timestamp;
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{net::TcpListener, task::JoinHandle};

/// The step of the living fleet's simulation.
const STEP: Duration = Duration::from_secs(1);

/// Where the time comes from; the binary alone owns the real one.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The fleet behind its HTTP server, which ends when this is dropped.
pub struct Server {
    live: Arc<Live>,
    task: JoinHandle<()>,
}

struct Live {
    fleet: Mutex<Fleet>,
    clock: Clock,
    address: SocketAddr,
}

impl Server {
    /// Serves a fleet on a free loopback port.
    pub async fn start(fleet: Fleet, clock: Clock) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("no loopback port is free for the fleet")?;
        let address = listener
            .local_addr()
            .context("a bound port has no address")?;
        let live = Arc::new(Live {
            fleet: Mutex::new(fleet),
            clock,
            address,
        });
        let app = router(Arc::clone(&live));
        let task = tokio::spawn(async move {
            // It ends with an error only when the listener is gone, and then nobody is left to tell.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self { live, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.live.address
    }

    /// The fleet as it is now.
    pub fn fleet(&self) -> Fleet {
        self.live.fleet().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Live {
    /// The fleet, brought up to the clock. A panic elsewhere leaves it whole: it is replaced step by step.
    fn fleet(&self) -> MutexGuard<'_, Fleet> {
        let mut fleet = self.fleet.lock().unwrap_or_else(PoisonError::into_inner);
        fleet.advance((self.clock)(), STEP);
        fleet
    }
}

fn router(live: Arc<Live>) -> Router {
    Router::new()
        .route("/sd", get(discovery))
        .route("/metrics", get(controller_metrics))
        .route("/instances/{name}/metrics", get(instance_metrics))
        .route(
            "/api/services/{service}/replicas",
            get(replicas).put(set_replicas),
        )
        .with_state(live)
}

/// A refusal with a sentence.
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({"error": self.1}))).into_response()
    }
}

fn text(body: String) -> Response {
    (
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        body,
    )
        .into_response()
}

/// Prometheus' HTTP service discovery: one target an instance, told apart by the path.
async fn discovery(State(live): State<Arc<Live>>) -> Json<Vec<Value>> {
    let fleet = live.fleet();
    let target = |service: &Service, replica| {
        let mut labels: serde_json::Map<_, Value> = instance_labels(service, replica)
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        let path = format!("/instances/{}/metrics", service.instance(replica));
        labels.insert("__metrics_path__".to_owned(), path.into());
        json!({"targets": [live.address.to_string()], "labels": labels})
    };
    let services = fleet.services().iter();
    let targets = services.flat_map(|s| s.replicas().iter().map(move |r| (s, r)));
    Json(
        targets
            .map(|(service, replica)| target(service, replica))
            .collect(),
    )
}

async fn controller_metrics(State(live): State<Arc<Live>>) -> Response {
    let fleet = live.fleet();
    let labels: Vec<_> = fleet
        .services()
        .iter()
        .map(|s| [("service", s.name())])
        .collect();
    // Families together: every service's first reading, then every service's second.
    let readings = (0..2).flat_map(|idx| {
        let services = fleet.services().iter().zip(&labels);
        let now = fleet.now();
        services.map(move |(service, labels)| (service.readings(now)[idx], labels.as_slice()))
    });
    text(prometheus_text(readings))
}

async fn instance_metrics(
    State(live): State<Arc<Live>>,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    let fleet = live.fleet();
    let replicas = fleet
        .services()
        .iter()
        .flat_map(|s| s.replicas().iter().map(move |r| (s, r)));
    let mut named = replicas.filter(|(service, replica)| service.instance(replica) == name);
    let (_, replica) = named.next().ok_or_else(|| {
        Refusal(
            StatusCode::NOT_FOUND,
            format!("there is no instance `{name}`"),
        )
    })?;
    Ok(text(prometheus_text(
        replica.readings().map(|reading| (reading, [].as_slice())),
    )))
}

/// What the replicas API is sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    replicas: usize,
}

/// What it answers.
#[derive(Serialize)]
struct Scale {
    replicas: usize,
    ready: usize,
}

impl Scale {
    fn of(service: &Service, now: Timestamp) -> Json<Self> {
        Json(Self {
            replicas: service.replicas().len(),
            ready: service.ready(now),
        })
    }
}

fn no_service(name: &str) -> Refusal {
    Refusal(
        StatusCode::NOT_FOUND,
        format!("there is no service `{name}`"),
    )
}

async fn replicas(
    State(live): State<Arc<Live>>,
    Path(name): Path<String>,
) -> Result<Json<Scale>, Refusal> {
    let fleet = live.fleet();
    let service = fleet.service(&name).ok_or_else(|| no_service(&name))?;
    Ok(Scale::of(service, fleet.now()))
}

async fn set_replicas(
    State(live): State<Arc<Live>>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<Scale>, Refusal> {
    let Wanted { replicas } = serde_json::from_slice(&body).map_err(|error| {
        let sentence = format!("expected {{\"replicas\": NUMBER}}: {error}");
        Refusal(StatusCode::BAD_REQUEST, sentence)
    })?;
    if !(1..=MAX_REPLICAS).contains(&replicas) {
        let sentence = format!("replicas must be 1 to {MAX_REPLICAS}, got {replicas}");
        return Err(Refusal(StatusCode::UNPROCESSABLE_ENTITY, sentence));
    }
    let mut fleet = live.fleet();
    let now = fleet.now();
    let service = fleet
        .scale(&name, replicas)
        .ok_or_else(|| no_service(&name))?;
    Ok(Scale::of(service, now))
}
