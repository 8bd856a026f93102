//! What arrived, and what became of it.

use crate::{ActionId, action::rfc3339, action::words};
use serde::Serialize;
use serde_json::Value;
use series::Timestamp;

/// One firing of one alert, as it was delivered. Alertmanager may move the beginning, and keep it when the alert fires
/// again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Cause {
    /// The hash of the alert's labels.
    pub fingerprint: String,
    /// When it began to fire.
    #[serde(serialize_with = "rfc3339")]
    pub starts_at: Timestamp,
}

words! {
    /// Whether the alert fires.
    AlertStatus, "an alert's status":
    /// It fires.
    Firing = "firing",
    /// It has stopped.
    Resolved = "resolved",
}

/// One alert of one notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Which firing.
    pub cause: Cause,
    /// Whether it fires or has stopped.
    pub status: AlertStatus,
    /// When it stopped, as its end says; none while it fires.
    pub ends_at: Option<Timestamp>,
    /// When we heard of it.
    pub received_at: Timestamp,
    /// What the alert said, where that is kept.
    pub alert: Option<Value>,
}

words! {
    /// What became of a delivery.
    Outcome, "an outcome":
    /// An action was proposed.
    Acted = "acted",
    /// The workload had an open action already, and this is one more reason for it.
    Joined = "joined",
    /// The end of the alert ended an action that was not needed any more.
    Superseded = "superseded",
    /// The end of an alert, with no action to end.
    Resolved = "resolved",
    /// Heard of right after its end; looked at again in case it fires anew.
    Ignored = "ignored",
    /// No workload is about it.
    Unmatched = "unmatched",
    /// A guard stands against it for now; it is looked at again.
    Deferred = "deferred",
}

impl Outcome {
    /// Whether the same delivery may come to something else when it is heard of again, as guards and the
    /// configuration change.
    pub(crate) const fn is_provisional(self) -> bool {
        matches!(self, Self::Deferred | Self::Unmatched | Self::Ignored)
    }
}

/// A delivery as the journal holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordedDelivery {
    /// Which firing.
    pub cause: Cause,
    /// Whether it fired or had stopped.
    pub status: AlertStatus,
    /// The workload that it is about, if any.
    pub workload: Option<String>,
    /// When we first heard of it.
    #[serde(serialize_with = "rfc3339")]
    pub received_at: Timestamp,
    /// What became of it.
    pub outcome: Outcome,
    /// Why, as a sentence.
    pub reason: String,
    /// The action that it brought about, joined or ended.
    pub action: Option<ActionId>,
    /// What the alert said, where that was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alert: Option<Value>,
}
