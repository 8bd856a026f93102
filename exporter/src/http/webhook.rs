//! Alertmanager's webhook. A notification is on the disk before it is answered.

use super::{App, failure, success};
use alertmanager_client::{
    AlertFilter, AlertState, MatchOp, Matcher,
    webhook::{Alert, Status, Webhook},
};
use axum::{body::Bytes, extract::State, http::StatusCode, response::Response};
use remediation::AlertReceipt;
use std::sync::Arc;
use store::Outcome;
use tracing::{error, warn};

/// Takes in a notification. What cannot be kept is answered 503, which Alertmanager sends again; 4xx and 429
/// it would not.
pub(super) async fn receive(State(app): State<Arc<App>>, body: Bytes) -> Response {
    let mut webhook = match Webhook::parse(&body) {
        Ok(webhook) => webhook,
        Err(error) => {
            let error = anyhow::Error::new(error);
            return failure(StatusCode::BAD_REQUEST, format!("{error:#}"));
        }
    };
    if webhook.truncated_alerts > 0 {
        complete(&app, &mut webhook).await;
    }
    match app.remediation.receive(&webhook, app.now()).await {
        Ok(receipt) => {
            for alert in &receipt.alerts {
                app.metrics
                    .doors
                    .alerts
                    .with_label_values(&[alert.outcome.as_str()])
                    .inc();
            }
            // What only joins something, or ends, has nothing to wait for.
            let begins =
                |alert: &AlertReceipt| alert.outcome == Outcome::Acted && !alert.is_duplicate;
            if receipt.alerts.iter().any(begins) {
                app.wake.notify_one();
            }
            success(receipt)
        }
        Err(error) => {
            let sentence = format!("{:#}", anyhow::Error::new(error));
            error!(error = sentence, "a notification could not be kept");
            failure(StatusCode::SERVICE_UNAVAILABLE, sentence)
        }
    }
}

/// Asks Alertmanager for the alerts of the group that `max_alerts` cut off. What it does not tell is left to the
/// next notification.
async fn complete(app: &App, webhook: &mut Webhook) {
    let Some(alertmanager) = app.running().alertmanager().await else {
        warn!(
            truncated = webhook.truncated_alerts,
            "alerts were left out of a notification, and `alertmanager` is not configured"
        );
        return;
    };
    let filter = of_the_group(webhook);
    match alertmanager.alerts(&filter).await {
        Ok(alerts) => {
            let active = alerts
                .into_iter()
                .filter(|a| a.status.state == AlertState::Active);
            let active: Vec<_> = active
                .filter(|alert| {
                    webhook
                        .alerts
                        .iter()
                        .all(|a| a.fingerprint != alert.fingerprint)
                })
                .map(firing)
                .collect();
            webhook.truncated_alerts = webhook.truncated_alerts.saturating_sub(active.len() as u64);
            webhook.alerts.extend(active);
        }
        Err(error) => {
            let error = format!("{:#}", anyhow::Error::new(error));
            warn!(
                error,
                "alerts that were left out of a notification could not be asked for"
            );
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
        receiver: Some(literally(&webhook.receiver)),
        ..AlertFilter::default()
    }
}

/// An expression in RE2 that matches this text alone.
fn literally(text: &str) -> String {
    let mut expression = String::new();
    for character in text.chars() {
        if character.is_ascii_punctuation() {
            expression.push('\\');
        }
        expression.push(character);
    }
    expression
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
        let notification = br#"{"version": "4", "groupKey": "{}", "status": "firing", "receiver": "team.a|b",
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
