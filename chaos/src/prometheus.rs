//! A Prometheus that has the demand of each workload, and whether it serves well, and that can be at fault.

use crate::{clock::now_millis, event::PrometheusFault, listener::Server};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::post,
};
use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::sleep;

/// Delay of a slow answer; the program waits for two seconds.
const SLOW: Duration = Duration::from_millis(2_300);

/// Look-back of an instant query, as Prometheus has it.
const LOOKBACK_SECONDS: f64 = 300.0;

/// Points of a range query beyond which Prometheus refuses it.
const MAX_POINTS: f64 = 11_000.0;

/// One series: a workload's demand, which keeps near to one value.
#[derive(Debug, Clone, PartialEq)]
pub struct Demand {
    /// Value of the label `service`.
    pub service: String,
    /// The value that it keeps near to.
    pub level: f64,
}

impl Demand {
    /// The value at a time, in seconds since the epoch.
    fn at(&self, seconds: f64) -> f64 {
        let wave = (seconds / 120.0 * std::f64::consts::TAU).sin();
        let noise = (seconds.floor() * 0.618_034).fract() - 0.5;
        self.level + 3.0 * wave + noise
    }
}

/// The server, and what is wrong with it.
#[derive(Debug)]
pub struct PrometheusStub {
    server: Server,
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    demands: Vec<Demand>,
    faults: Mutex<HashSet<PrometheusFault>>,
}

impl Inner {
    fn has(&self, fault: PrometheusFault) -> bool {
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.contains(&fault)
    }
}

impl PrometheusStub {
    /// Serves these series.
    pub async fn start(demands: Vec<Demand>) -> anyhow::Result<Self> {
        let inner = Arc::new(Inner {
            demands,
            faults: Mutex::default(),
        });
        let router = Router::new()
            .route("/api/v1/query", post(instant).get(instant))
            .route("/api/v1/query_range", post(range).get(range))
            .with_state(inner.clone());
        let server = Server::start(router).await?;
        Ok(Self { server, inner })
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// Begins to do something wrong.
    pub fn begin(&self, fault: PrometheusFault) {
        let mut faults = self.faults();
        faults.insert(fault);
        if fault == PrometheusFault::Away {
            self.server.go_away();
        }
    }

    /// Stops doing it.
    pub fn end(&self, fault: PrometheusFault) {
        let mut faults = self.faults();
        faults.remove(&fault);
        if fault == PrometheusFault::Away {
            self.server.come_back();
        }
    }

    /// Does everything right again.
    pub fn mend(&self) {
        self.faults().clear();
        self.server.come_back();
    }

    fn faults(&self) -> std::sync::MutexGuard<'_, HashSet<PrometheusFault>> {
        self.inner
            .faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

type Form = HashMap<String, String>;

fn form(body: &Bytes) -> Form {
    url::form_urlencoded::parse(body).into_owned().collect()
}

fn number(form: &Form, name: &str) -> Option<f64> {
    form.get(name)?.parse().ok()
}

/// One series that a query asks for.
struct Selected<'a> {
    demand: &'a Demand,
    is_quality: bool,
}

impl Selected<'_> {
    fn labels(&self) -> String {
        let name = if self.is_quality { "quality" } else { "load" };
        let service = &self.demand.service;
        format!(r#"{{"__name__":"{name}","service":"{service}"}}"#)
    }

    fn at(&self, seconds: f64) -> f64 {
        if self.is_quality {
            1.0
        } else {
            self.demand.at(seconds)
        }
    }
}

/// Series that a query asks for.
fn selected<'a>(inner: &'a Inner, query: &str) -> Vec<Selected<'a>> {
    let is_quality = query.starts_with("quality");
    // `quality > 0` gives nothing where it does not hold.
    if is_quality && inner.has(PrometheusFault::BadNews) {
        return Vec::new();
    }
    let is_wanted = |demand: &&Demand| {
        let matcher = format!("service=\"{}\"", demand.service);
        !query.contains("service=") || query.contains(&matcher)
    };
    let wanted = inner.demands.iter().filter(is_wanted);
    let selected = wanted.map(|demand| Selected { demand, is_quality });
    selected.collect()
}

fn text_of(inner: &Inner, value: f64) -> String {
    if inner.has(PrometheusFault::OnlyNan) {
        "NaN".to_owned()
    } else {
        value.to_string()
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds since the epoch are far below 2^52"
)]
fn now_seconds() -> f64 {
    now_millis() as f64 / 1_000.0
}

async fn trouble(inner: &Inner) -> Option<Response> {
    if inner.has(PrometheusFault::Slow) {
        sleep(SLOW).await;
    }
    let body = r#"{"status":"error","errorType":"internal","error":"on fire"}"#;
    inner
        .has(PrometheusFault::Fails)
        .then(|| (StatusCode::INTERNAL_SERVER_ERROR, body).into_response())
}

fn success(kind: &str, result: &str) -> Response {
    let data = format!(r#"{{"resultType":"{kind}","result":[{result}]}}"#);
    let body = format!(r#"{{"status":"success","data":{data}}}"#);
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

fn malformed() -> Response {
    let body = r#"{"status":"error","errorType":"bad_data","error":"a parameter is missing"}"#;
    (StatusCode::BAD_REQUEST, body).into_response()
}

async fn instant(State(inner): State<Arc<Inner>>, body: Bytes) -> Response {
    if let Some(trouble) = trouble(&inner).await {
        return trouble;
    }
    let form = form(&body);
    let (Some(query), Some(at)) = (form.get("query"), number(&form, "time")) else {
        return malformed();
    };
    let now = now_seconds();
    if at > now + LOOKBACK_SECONDS {
        return success("vector", "");
    }
    let series = selected(&inner, query).into_iter().map(|series| {
        let (labels, value) = (series.labels(), text_of(&inner, series.at(at.min(now))));
        format!(r#"{{"metric":{labels},"value":[{at},"{value}"]}}"#)
    });
    success("vector", &series.collect::<Vec<_>>().join(","))
}

async fn range(State(inner): State<Arc<Inner>>, body: Bytes) -> Response {
    if let Some(trouble) = trouble(&inner).await {
        return trouble;
    }
    let form = form(&body);
    let numbers = ["start", "end", "step"].map(|name| number(&form, name));
    let (Some(query), [Some(start), Some(end), Some(step)]) = (form.get("query"), numbers) else {
        return malformed();
    };
    let n_points = ((end - start) / step).floor();
    if !(0.0..MAX_POINTS).contains(&n_points) {
        return malformed();
    }
    let now = now_seconds();
    let mut times = Vec::new();
    let mut at = start;
    while at <= end.min(now + LOOKBACK_SECONDS) {
        times.push(at);
        at += step;
    }
    let series = selected(&inner, query).into_iter().map(|series| {
        let labels = series.labels();
        let mut values = String::new();
        for at in &times {
            let separator = if values.is_empty() { "" } else { "," };
            let value = text_of(&inner, series.at(at.min(now)));
            let _ = write!(values, r#"{separator}[{at},"{value}"]"#);
        }
        format!(r#"{{"metric":{labels},"values":[{values}]}}"#)
    });
    let series: Vec<_> = series.filter(|_| !times.is_empty()).collect();
    success("matrix", &series.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_demand_keeps_near_to_its_level() {
        let demand = Demand {
            service: "a".to_owned(),
            level: 300.0,
        };
        for second in 0..500 {
            let value = demand.at(f64::from(second));
            assert!((value - 300.0).abs() < 4.0, "{value}");
        }
    }
}
