//! What the API v2 sends and takes. Unknown fields are passed over; later ones are optional.

use crate::Matcher;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Label or annotation names with their values.
pub type Pairs = BTreeMap<String, String>;

/// What Alertmanager says of itself.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Whether it runs alone or gossips, and with whom.
    pub cluster: ClusterStatus,
    /// What was built, and from what.
    pub version_info: VersionInfo,
    /// The configuration in use.
    pub config: Config,
    /// When it started, despite the name that the API gives it.
    #[serde(rename = "uptime")]
    pub started_at: Timestamp,
}

/// The gossip cluster as one member sees it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ClusterStatus {
    /// This member's name; absent when clustering is off.
    #[serde(default)]
    pub name: Option<String>,
    /// `ready`, `settling` or `disabled`.
    pub status: String,
    /// All members, this one included; empty when clustering is off.
    #[serde(default)]
    pub peers: Vec<Peer>,
}

/// One member of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Peer {
    /// Its name.
    pub name: String,
    /// Its gossip address.
    pub address: String,
}

/// What was built, and from what.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VersionInfo {
    /// Such as `0.25.0`.
    pub version: String,
    /// The commit; distributions leave it out.
    #[serde(default)]
    pub revision: String,
    /// The compiler.
    #[serde(default)]
    pub go_version: String,
}

/// The configuration in use.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Config {
    /// The YAML text, secrets blanked out.
    pub original: String,
}

/// Where a route sends alerts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Receiver {
    /// Its name in the configuration.
    pub name: String,
}

/// An alert as Alertmanager holds it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// What identifies the alert.
    pub labels: Pairs,
    /// What it says to people.
    #[serde(default)]
    pub annotations: Pairs,
    /// The hash of its labels.
    pub fingerprint: String,
    /// When it began to fire.
    pub starts_at: Timestamp,
    /// When it resolves unless it is refreshed.
    pub ends_at: Timestamp,
    /// When it was last heard of.
    pub updated_at: Timestamp,
    /// Whether it notifies.
    pub status: AlertStatus,
    /// Whom it notifies.
    #[serde(default)]
    pub receivers: Vec<Receiver>,
    /// Where it was made; empty when its maker did not say.
    #[serde(default, rename = "generatorURL")]
    pub generator_url: String,
}

/// Whether an alert notifies, and what holds it back.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertStatus {
    /// Whether it notifies.
    pub state: AlertState,
    /// Identifiers of silences.
    #[serde(default)]
    pub silenced_by: Vec<String>,
    /// Fingerprints of inhibiting alerts.
    #[serde(default)]
    pub inhibited_by: Vec<String>,
    /// Time intervals that mute it; since 0.28.
    #[serde(default)]
    pub muted_by: Vec<String>,
}

/// Whether an alert notifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    /// Not yet routed.
    Unprocessed,
    /// It notifies.
    Active,
    /// A silence or an inhibition holds it back.
    Suppressed,
    /// A state that this crate does not know.
    #[serde(other)]
    Unknown,
}

/// Alerts that are notified together.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct AlertGroup {
    /// The labels that the group shares.
    pub labels: Pairs,
    /// Whom it notifies.
    pub receiver: Receiver,
    /// Its members.
    pub alerts: Vec<Alert>,
}

/// An alert to post.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewAlert {
    /// What identifies the alert.
    pub labels: Pairs,
    /// What it says to people.
    pub annotations: Pairs,
    /// When it began; the server's present when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Timestamp>,
    /// When it ends; the server's `resolve_timeout` from now when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
    /// A link to what made it.
    #[serde(rename = "generatorURL", skip_serializing_if = "Option::is_none")]
    pub generator_url: Option<String>,
}

/// A silence to create, or to update.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewSilence {
    /// The silence to update; left out, one is created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Conditions that an alert must all meet to be held back; at least one.
    pub matchers: Vec<Matcher>,
    /// When it begins.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// Who asks for it.
    pub created_by: String,
    /// Why.
    pub comment: String,
}

/// A silence as Alertmanager holds it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Silence {
    /// Its identifier.
    pub id: String,
    /// Whether it is in force.
    pub status: SilenceStatus,
    /// Conditions that an alert must all meet to be held back.
    pub matchers: Vec<Matcher>,
    /// When it begins.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Who asked for it.
    pub created_by: String,
    /// Why.
    pub comment: String,
}

/// Whether a silence is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct SilenceStatus {
    /// Whether it is in force.
    pub state: SilenceState,
}

/// Whether a silence is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SilenceState {
    /// It ended.
    Expired,
    /// It holds alerts back.
    Active,
    /// It has yet to begin.
    Pending,
    /// A state that this crate does not know.
    #[serde(other)]
    Unknown,
}
