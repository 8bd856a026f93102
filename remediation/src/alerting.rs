//! Alertmanager by its API: whether alerts are silenced, silences of our own, and warnings as alerts.

use crate::{Silence, Warning};
use alertmanager_client::{AlertFilter, Client, NewAlert, NewSilence, SilenceState};
use series::Timestamp;

/// The name under which silences are created.
const AUTHOR: &str = "foreshadow";

/// The alert that tells of an action to come.
const ALERT: &str = "ForeshadowActionPending";

/// See [`crate::Alerting::silenced`].
///
/// # Errors
/// What was asked and what went wrong, as a sentence.
pub async fn silenced(client: &Client, fingerprints: &[String]) -> Result<Option<String>, String> {
    let alerts = client.alerts(&AlertFilter::default()).await;
    let alerts = alerts.map_err(|e| crate::error::in_full(&e))?;
    let mut silence = None;
    for fingerprint in fingerprints {
        let alert = alerts
            .iter()
            .find(|alert| alert.fingerprint == *fingerprint);
        let by = alert.and_then(|alert| alert.status.silenced_by.first());
        let Some(by) = by else {
            return Ok(None);
        };
        silence = Some(by.clone());
    }
    let Some(id) = silence else {
        return Ok(None);
    };
    // Whose it is and why is worth a second question, but not an error.
    Ok(Some(match client.silence(&id).await {
        Ok(silence) => format!("{} by {}: {}", id, silence.created_by, silence.comment),
        Err(_) => id,
    }))
}

/// See [`crate::Alerting::silence`].
///
/// # Errors
/// What was asked and what went wrong, as a sentence.
pub async fn silence(client: &Client, silence: &Silence) -> Result<(), String> {
    let words = |e: alertmanager_client::Error| crate::error::in_full(&e);
    let mark = format!("[{}]", silence.key);
    // A creation whose answer got lost may have happened.
    let known = client.silences(&[]).await.map_err(words)?;
    let is_it = |known: &alertmanager_client::Silence| {
        known.status.state != SilenceState::Expired && known.comment.ends_with(&mark)
    };
    if known.iter().any(is_it) {
        return Ok(());
    }
    let wanted = NewSilence {
        id: None,
        matchers: silence.matchers.clone(),
        starts_at: time(silence.starts_at)?,
        ends_at: time(silence.ends_at)?,
        created_by: AUTHOR.to_owned(),
        comment: format!("{} {mark}", silence.comment),
    };
    client.put_silence(&wanted).await.map(drop).map_err(words)
}

/// See [`crate::Alerting::warn`].
///
/// # Errors
/// What was asked and what went wrong, as a sentence.
pub async fn warn(client: &Client, warning: &Warning) -> Result<(), String> {
    let text = |text: &str| text.to_owned();
    let labels = [
        ("alertname", ALERT),
        ("workload", &warning.workload),
        ("action", &warning.action),
        ("state", warning.state),
        ("severity", "info"),
    ];
    let alert = NewAlert {
        labels: labels.map(|(name, value)| (text(name), text(value))).into(),
        annotations: [(text("summary"), warning.summary.clone())].into(),
        starts_at: Some(time(warning.starts_at)?),
        ends_at: Some(time(warning.ends_at)?),
        generator_url: None,
    };
    let sent = client.post_alerts(&[alert]).await;
    sent.map_err(|e| crate::error::in_full(&e))
}

fn time(at: Timestamp) -> Result<jiff::Timestamp, String> {
    jiff::Timestamp::from_millisecond(at.as_millis()).map_err(|e| e.to_string())
}
