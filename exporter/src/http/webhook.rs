//! Alertmanager's webhook. A notification is on the disk before it is answered.

use super::{App, MAX_BODY_BYTES, failure, success};
use alertmanager_client::{
    AlertFilter, AlertState, MatchOp, Matcher,
    webhook::{Alert, Body, Status, Webhook},
};
use axum::{
    body::{Bytes, HttpBody as _},
    extract::{FromRequest as _, Request, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use remediation::{AlertReceipt, Receipt, RemediationError};
use std::{collections::HashSet, sync::Arc, time::Duration};
use store::{Outcome, StoreError};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tracing::{error, warn};

/// Alerts of a notification that are taken in at once; few enough that a notification of very many holds up nobody.
const PART: usize = 250;

/// Alerts that an answer tells of one by one. Alertmanager reads none of it.
const MAX_TOLD: usize = 1_000;

/// Memory for the bodies of notifications that are being read and taken in.
const BODIES_KIB: usize = 48 << 10;

/// Time that a notification waits for such memory.
const MEMORY_WAIT: Duration = Duration::from_millis(50);

/// Limits that all notifications share.
pub(crate) struct Desk {
    /// In KiB.
    memory: Arc<Semaphore>,
    /// Held by the one notification whose missing alerts Alertmanager is asked for: its answer may be long.
    completing: Mutex<()>,
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            memory: Arc::new(Semaphore::new(BODIES_KIB)),
            completing: Mutex::default(),
        }
    }
}

/// Takes in a notification. What cannot be kept is answered 503, which Alertmanager sends again; 4xx and 429
/// it would not.
pub(super) async fn receive(State(app): State<Arc<App>>, request: Request) -> Response {
    let n_bytes = declared(&request);
    let Some(_memory) = reserve(&app.desk, n_bytes).await else {
        let sentence = "too many large notifications are being taken in";
        return failure(StatusCode::SERVICE_UNAVAILABLE, sentence);
    };
    let body = match Bytes::from_request(request, &()).await {
        Ok(body) => body,
        Err(rejection) => return rejection.into_response(),
    };
    if app.journal.is_behind() {
        return failure(StatusCode::SERVICE_UNAVAILABLE, StoreError::Behind);
    }
    let notification = match Body::read(&body) {
        Ok(notification) => notification,
        Err(error) => {
            let error = anyhow::Error::new(error);
            return failure(StatusCode::BAD_REQUEST, format!("{error:#}"));
        }
    };
    match take_in(&app, &notification).await {
        Ok(receipt) => success(receipt),
        Err(error) => {
            let is_behind = matches!(error, RemediationError::Journal(StoreError::Behind));
            let sentence = format!("{:#}", anyhow::Error::new(error));
            // A storm of them is in the metrics of requests.
            if !is_behind {
                error!(error = sentence, "cannot write notification to the journal");
            }
            failure(StatusCode::SERVICE_UNAVAILABLE, sentence)
        }
    }
}

/// Bytes of a body as its sender declares them, or as many as it may have.
fn declared(request: &Request) -> usize {
    let declared = request.body().size_hint().exact();
    let declared = declared.and_then(|n_bytes| usize::try_from(n_bytes).ok());
    declared.map_or(MAX_BODY_BYTES, |n_bytes| n_bytes.min(MAX_BODY_BYTES))
}

/// Waits for memory for a body, which is copied once.
async fn reserve(desk: &Desk, n_bytes: usize) -> Option<OwnedSemaphorePermit> {
    let n_kib = u32::try_from((2 * n_bytes).div_ceil(1 << 10)).ok()?;
    let permit = Arc::clone(&desk.memory).acquire_many_owned(n_kib);
    tokio::time::timeout(MEMORY_WAIT, permit).await.ok()?.ok()
}

/// Takes in a notification part by part. When one cannot be kept, those before it are kept all the same, and recognised
/// when the notification is sent again.
async fn take_in(app: &App, notification: &Body<'_>) -> Result<Receipt, RemediationError> {
    let is_whole = notification.head().truncated_alerts == 0;
    let (mut told, mut seen) = (Receipt::default(), HashSet::new());
    for part in notification.parts(PART) {
        let Ok(mut part) = part else {
            // It was read before.
            continue;
        };
        // Of those that were left out, only what is told in the end matters.
        part.truncated_alerts = 0;
        if !is_whole {
            seen.extend(part.alerts.iter().map(|alert| alert.fingerprint.clone()));
        }
        take_part(app, &part, &mut told).await?;
    }
    if !is_whole {
        let missing = missing(app, notification.head(), &seen).await;
        let n_missing = missing.len() as u64;
        told.truncated = notification
            .head()
            .truncated_alerts
            .saturating_sub(n_missing);
        let mut missing = missing.into_iter().peekable();
        while missing.peek().is_some() {
            let part = Webhook {
                truncated_alerts: 0,
                alerts: missing.by_ref().take(PART).collect(),
                ..notification.head().clone()
            };
            take_part(app, &part, &mut told).await?;
        }
        if told.truncated > 0 {
            warn!(
                truncated = told.truncated,
                "alerts were left out of a notification, and are not known: raise max_alerts of the receiver"
            );
        }
    }
    Ok(told)
}

async fn take_part(app: &App, part: &Webhook, told: &mut Receipt) -> Result<(), RemediationError> {
    let receipt = app.remediation.receive(part, app.now()).await?;
    for alert in &receipt.alerts {
        app.metrics
            .doors
            .alerts
            .with_label_values(&[alert.outcome.as_str()])
            .inc();
    }
    // What only joins something, or ends, has nothing to wait for.
    let begins = |alert: &AlertReceipt| alert.outcome == Outcome::Acted && !alert.is_duplicate;
    if receipt.alerts.iter().any(begins) {
        app.wake.notify_one();
    }
    let room = MAX_TOLD.saturating_sub(told.alerts.len());
    told.alerts.extend(receipt.alerts.into_iter().take(room));
    Ok(())
}

/// Asks Alertmanager for the alerts of the group that are not among those that were seen. What it does not tell is left
/// to the next notification.
async fn missing(app: &App, head: &Webhook, seen: &HashSet<String>) -> Vec<Alert> {
    let Some(alertmanager) = app.running().alertmanager().await else {
        warn!(
            truncated = head.truncated_alerts,
            "alerts were left out of a notification, and `alertmanager` is not configured"
        );
        return Vec::new();
    };
    let _one_at_a_time = app.desk.completing.lock().await;
    match alertmanager.alerts(&of_the_group(head)).await {
        Ok(alerts) => alerts
            .into_iter()
            .filter(|alert| alert.status.state == AlertState::Active)
            .filter(|alert| !seen.contains(&alert.fingerprint))
            .map(firing)
            .collect(),
        Err(error) => {
            let error = format!("{:#}", anyhow::Error::new(error));
            warn!(
                error,
                "cannot ask Alertmanager for the alerts that were left out of a notification"
            );
            Vec::new()
        }
    }
}

/// Asks for the alerts of a notification's group. Another receiver may group by the same labels, or by none.
fn of_the_group(webhook: &Webhook) -> AlertFilter {
    let of_group = webhook.group_labels.iter();
    AlertFilter {
        matchers: of_group
            .map(|(name, value)| Matcher::new(name, MatchOp::Equal, value))
            .collect(),
        receiver: Some(webhook.receiver_expression()),
        ..AlertFilter::default()
    }
}

fn firing(alert: alertmanager_client::Alert) -> Alert {
    Alert {
        status: Status::Firing,
        labels: alert.labels,
        annotations: alert.annotations,
        starts_at: alert.starts_at,
        ends_at: None,
        generator_url: alert.generator_url,
        fingerprint: alert.fingerprint,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_that_were_left_out_are_asked_for_by_receiver_and_group() {
        let notification = br#"{"version": "4", "groupKey": "{}", "status": "firing", "receiver": "team\\.a\\|b",
            "groupLabels": {"job": "api"}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "",
            "truncatedAlerts": 3, "alerts": []}"#;
        let filter = of_the_group(&Webhook::parse(notification).unwrap());
        assert_eq!(filter.receiver.as_deref(), Some(r"team\.a\|b"));
        assert_eq!(
            filter.matchers,
            [Matcher::new("job", MatchOp::Equal, "api")]
        );
    }
}
