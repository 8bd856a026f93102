//! What Alertmanager's webhook receiver is sent, payload version 4.
//!
//! Deliveries come at least once and in any order: the same alert again every `repeat_interval`, from each
//! member of a pair, and at times firing after resolved. One delivery is told from another by
//! [`Alert::fingerprint`], [`Alert::starts_at`] and [`Alert::status`], and by nothing else.

use crate::Pairs;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

/// One notification: a group of alerts.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// The payload's version; [`Webhook::parse`] lets only [`VERSION`] pass.
    version: String,
    /// Identifies the group within one Alertmanager.
    pub group_key: String,
    /// How many alerts of the group were left out because of `max_alerts`.
    #[serde(default)]
    pub truncated_alerts: u64,
    /// Firing as long as one alert of the group fires.
    pub status: Status,
    /// The receiver's name in Alertmanager's configuration.
    pub receiver: String,
    /// The labels that the group is made by.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub group_labels: Pairs,
    /// The labels that all alerts share.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub common_labels: Pairs,
    /// The annotations that all alerts share.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub common_annotations: Pairs,
    /// Where that Alertmanager's pages are; members of a pair differ in it.
    #[serde(default, rename = "externalURL")]
    pub external_url: String,
    /// The alerts.
    pub alerts: Vec<Alert>,
    /// Why it was sent, in words; since 0.33.
    #[serde(default, rename = "notification_reason")]
    pub notification_reason: Option<String>,
}

/// One alert of a notification.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// Whether it fires.
    pub status: Status,
    /// What identifies it.
    #[serde(deserialize_with = "null_is_empty")]
    pub labels: Pairs,
    /// What it says to people.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub annotations: Pairs,
    /// When it began to fire.
    pub starts_at: Timestamp,
    /// When it stopped; none while it fires, which is sent as the year 1.
    #[serde(default, deserialize_with = "year_one_is_none")]
    pub ends_at: Option<Timestamp>,
    /// Where it was made; empty when its maker did not say.
    #[serde(default, rename = "generatorURL")]
    pub generator_url: String,
    /// The hash of its labels.
    pub fingerprint: String,
}

/// Whether an alert fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It fires.
    Firing,
    /// It has stopped.
    Resolved,
}

/// The only payload version that Alertmanager has sent since 0.6.
pub const VERSION: &str = "4";

/// Why a body is not a notification.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// Not JSON, or not these fields.
    #[error("the body is not an Alertmanager notification")]
    Malformed(#[source] serde_json::Error),
    /// Another payload version.
    #[error("the payload has version {0:?}, and only version \"4\" is understood")]
    Version(String),
    /// An alert without a fingerprint cannot be told from another.
    #[error("alert {0} of the payload has no fingerprint")]
    NoFingerprint(usize),
}

impl Webhook {
    /// Reads a body. Its length is the caller's to bound.
    pub fn parse(body: &[u8]) -> Result<Self, WebhookError> {
        let webhook: Self = serde_json::from_slice(body).map_err(|e| why_not(body, e))?;
        if webhook.version != VERSION {
            return Err(WebhookError::Version(webhook.version));
        }
        let nameless = webhook
            .alerts
            .iter()
            .position(|alert| alert.fingerprint.is_empty());
        match nameless {
            Some(idx) => Err(WebhookError::NoFingerprint(idx)),
            None => Ok(webhook),
        }
    }
}

/// A foreign version explains every other difference, so it is named first.
fn why_not(body: &[u8], error: serde_json::Error) -> WebhookError {
    #[derive(Deserialize)]
    struct Versioned {
        version: String,
    }
    match serde_json::from_slice(body) {
        Ok(Versioned { version }) if version != VERSION => {
            WebhookError::Version(version.chars().take(20).collect())
        }
        _ => WebhookError::Malformed(error),
    }
}

/// Go writes an empty map as `null` when nothing was ever put into it.
fn null_is_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Pairs, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn year_one_is_none<'de, D>(deserializer: D) -> Result<Option<Timestamp>, D::Error>
where
    D: Deserializer<'de>,
{
    /// 0001-01-01T00:00:00Z, Go's zero time, in seconds since the epoch.
    const YEAR_ONE: i64 = -62_135_596_800;
    let at: Option<Timestamp> = Option::deserialize(deserializer)?;
    Ok(at.filter(|at| at.as_second() != YEAR_ONE))
}
