//! Requests to the API server: each is sent once, in its time, and what the server says is kept in its own words.

use super::connection::{Connection, connect, lost};
use crate::{
    actuator::ActuatorError,
    config::{Guards, KubernetesActuator},
    guards::kill_switch,
};
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt as _, Limited};
use kube::client::Body;
use serde_json::Value;
use series::PromDuration;
use std::{ops::Deref, time::Duration};
use tokio::sync::OnceCell;

/// The name under which the API server keeps who set a field.
pub(super) const FIELD_MANAGER: &str = "foreshadow";

/// The API server, as one configuration reaches it.
pub(super) struct Api {
    config: KubernetesActuator,
    /// Made at the first request: a mounted credential may come later than the program.
    connection: OnceCell<Connection>,
}

/// The API server while an effect or a way back is under way, the only time when anything of a workload is written.
#[derive(Clone, Copy)]
pub(super) struct Effect<'a> {
    pub(super) api: &'a Api,
    pub(super) guards: &'a Guards,
}

/// What is to be written, and where.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) content_type: &'static str,
    pub(super) body: Value,
}

/// The longest answer that is read: a list of a thousand pods has about six megabytes.
const MAX_ANSWER_BYTES: usize = 16 << 20;

/// How much of a refusal is quoted.
const MAX_QUOTED_CHARS: usize = 400;

impl Order {
    /// A change of some fields of an object.
    pub(super) fn merge(path: String, body: Value) -> Self {
        Self {
            method: Method::PATCH,
            path,
            content_type: "application/merge-patch+json",
            body,
        }
    }

    /// A new object.
    pub(super) fn create(path: String, body: Value) -> Self {
        Self {
            method: Method::POST,
            content_type: "application/json",
            ..Self::merge(path, body)
        }
    }

    /// The end of an object and of what belongs to it, if it is still the one of this identity.
    pub(super) fn delete(path: String, uid: &str) -> Self {
        let body = serde_json::json!({
            "kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background",
            "preconditions": {"uid": uid},
        });
        Self {
            method: Method::DELETE,
            content_type: "application/json",
            ..Self::merge(path, body)
        }
    }

    /// Fields that are ours from now on; what somebody else owns is refused.
    pub(super) fn apply(path: String, body: Value) -> Self {
        Self {
            content_type: "application/apply-patch+yaml",
            ..Self::merge(path, body)
        }
    }
}

impl Order {
    /// What is said of an order whose dry run the server accepted.
    pub(super) fn rehearsed(&self) -> String {
        let Self {
            method, path, body, ..
        } = self;
        format!("would send {method} {path} {body}; a dry run of it is accepted")
    }
}

impl Deref for Effect<'_> {
    type Target = Api;

    fn deref(&self) -> &Api {
        self.api
    }
}

impl Effect<'_> {
    /// Writes something, once, unless the kill switch has been thrown since the write before.
    pub(super) async fn send(&self, order: &Order) -> Result<Value, ActuatorError> {
        if let Some(why) = kill_switch(self.guards).await {
            return Err(ActuatorError::Stopped(why));
        }
        self.write(order, "").await
    }
}

impl Api {
    pub(super) fn new(config: KubernetesActuator) -> Self {
        Self {
            config,
            connection: OnceCell::new(),
        }
    }

    pub(super) fn config(&self) -> &KubernetesActuator {
        &self.config
    }

    /// Reads something.
    pub(super) async fn get(&self, path: &str) -> Result<Value, ActuatorError> {
        let answer = self.request(Request::get(path).body(Body::empty())).await;
        answer.map_err(ActuatorError::of_a_question)
    }

    /// Writes down what was done, which nothing forbids.
    pub(super) async fn note(&self, order: &Order) -> Result<Value, ActuatorError> {
        self.write(order, "").await
    }

    /// Asks what would become of an order; all of the server's checks run, and nothing is kept.
    pub(super) async fn dry_run(&self, order: &Order) -> Result<Value, ActuatorError> {
        let mut order = order.clone();
        if order.method == Method::DELETE {
            // There the body counts, and what the address says is passed over.
            order.body["dryRun"] = serde_json::json!(["All"]);
        }
        self.write(&order, "&dryRun=All").await
    }

    async fn write(&self, order: &Order, more: &str) -> Result<Value, ActuatorError> {
        let uri = format!("{}?fieldManager={FIELD_MANAGER}{more}", order.path);
        let request = Request::builder()
            .method(order.method.clone())
            .uri(uri)
            .header(header::CONTENT_TYPE, order.content_type)
            .body(Body::from(order.body.to_string().into_bytes()));
        self.request(request).await
    }

    /// What is told when the server takes too long.
    fn silent(&self, limit: Duration) -> ActuatorError {
        let source = format!("nothing came within {}", PromDuration::new(limit)).into();
        match self.connection.get() {
            Some(connection) => ActuatorError::Lost {
                at: connection.address.clone(),
                source,
            },
            None => ActuatorError::NoCluster(source),
        }
    }

    async fn request(&self, request: http::Result<Request<Body>>) -> Result<Value, ActuatorError> {
        let request = request.expect("paths are made of names that were checked");
        let limit = self.config.timeout;
        let exchange = async {
            let connection = self.connection.get_or_try_init(|| connect(&self.config));
            let connection = connection.await.map_err(ActuatorError::NoCluster)?;
            let Connection { client, address } = connection;
            let answer = client.send(request).await;
            let answer = answer.map_err(|error| lost(error, address))?;
            understood(answer, address).await
        };
        match tokio::time::timeout(limit, exchange).await {
            Ok(outcome) => outcome,
            Err(_) => Err(self.silent(limit)),
        }
    }
}

async fn understood(answer: Response<Body>, address: &str) -> Result<Value, ActuatorError> {
    let status = answer.status();
    let retry_after = answer.headers().get(header::RETRY_AFTER);
    // Only the form in seconds; a date would need a clock.
    let retry_after = retry_after.and_then(|text| text.to_str().ok()?.parse().ok());
    let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES);
    let body = body
        .collect()
        .await
        .map_err(|source| ActuatorError::Lost {
            at: address.to_owned(),
            source,
        })?
        .to_bytes();
    let json: Option<Value> = serde_json::from_slice(&body).ok();
    if status.is_success() {
        let unreadable = || ActuatorError::Unreadable("it is not JSON".to_owned());
        return json.ok_or_else(unreadable);
    }
    let said = json.as_ref().and_then(|json| json["message"].as_str());
    let said = said.map_or_else(
        || String::from_utf8_lossy(&body).trim().to_owned(),
        str::to_owned,
    );
    let message: String = said.chars().take(MAX_QUOTED_CHARS).collect();
    if json.as_ref().is_some_and(is_owned) {
        return Err(ActuatorError::NotOurs(message));
    }
    Err(ActuatorError::Refused {
        status: status.as_u16(),
        message,
        retry_after: retry_after.map(Duration::from_secs),
    })
}

/// Whether a refusal names somebody else who set a field, which no other try would change.
fn is_owned(status: &Value) -> bool {
    let causes = status["details"]["causes"].as_array();
    causes.is_some_and(|causes| causes.iter().any(|c| c["reason"] == "FieldManagerConflict"))
}
