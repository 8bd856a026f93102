//! What Alertmanager's webhook receiver is sent, payload version 4.
//!
//! Deliveries come at least once and in any order: the same alert again every `repeat_interval`, from each
//! member of a pair, and at times firing after resolved. One delivery is told from another by
//! [`Alert::fingerprint`], [`Alert::starts_at`] and [`Alert::status`], and by nothing else.

pub use crate::body::Body;

use crate::{Pairs, body::pairs};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

/// One notification: a group of alerts, or a part of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Webhook {
    /// Identifies the group within one Alertmanager.
    pub group_key: String,
    /// Number of alerts of the group that were left out, most often because of `max_alerts`.
    pub truncated_alerts: u64,
    /// Firing as long as one alert of the group fires.
    pub status: Status,
    /// The receiver as it was sent; see [`Webhook::receiver_name`] and [`Webhook::receiver_expression`].
    pub receiver: String,
    /// The labels that the group is made by.
    pub group_labels: Pairs,
    /// The labels that all alerts share.
    pub common_labels: Pairs,
    /// The annotations that all alerts share.
    pub common_annotations: Pairs,
    /// Where that Alertmanager's pages are; members of a pair differ in it.
    pub external_url: String,
    /// The alerts.
    pub alerts: Vec<Alert>,
    /// Why it was sent, in words; since 0.33.
    pub notification_reason: Option<String>,
}

/// One alert of a notification.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// Whether it fires.
    pub status: Status,
    /// What identifies it.
    #[serde(deserialize_with = "pairs")]
    pub labels: Pairs,
    /// What it says to people.
    #[serde(default, deserialize_with = "pairs")]
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
    /// Alertmanager writes a fingerprint in 16 hexadecimal digits.
    #[error(
        "alert {idx} of the payload has a fingerprint of {n_bytes} bytes that no Alertmanager has made"
    )]
    Fingerprint {
        /// The alert's place, from 0.
        idx: usize,
        /// The length of its fingerprint.
        n_bytes: usize,
    },
}

/// Characters that `regexp.QuoteMeta` of Go puts a backslash before.
const SPECIAL: &str = r"\.+*?()|[]{}^$";

impl Webhook {
    /// Reads a body as a whole. Its length is the caller's to bound.
    pub fn parse(body: &[u8]) -> Result<Self, WebhookError> {
        Body::read(body)?.whole()
    }

    /// An expression in RE2 that matches the receiver's name alone, as the API takes it. Alertmanager sends the name
    /// quoted like this already; whoever passes notifications on may have taken the backslashes away.
    pub fn receiver_expression(&self) -> String {
        quote(&self.receiver_name())
    }

    /// The receiver's name in Alertmanager's configuration.
    pub fn receiver_name(&self) -> String {
        unquote(&self.receiver).unwrap_or_else(|| self.receiver.clone())
    }
}

/// An expression that matches this text alone.
fn quote(text: &str) -> String {
    let mut expression = String::with_capacity(text.len());
    for character in text.chars() {
        if SPECIAL.contains(character) {
            expression.push('\\');
        }
        expression.push(character);
    }
    expression
}

/// The text that an expression made by [`quote`] matches; none for any other expression.
fn unquote(expression: &str) -> Option<String> {
    let mut text = String::with_capacity(expression.len());
    let mut characters = expression.chars();
    while let Some(character) = characters.next() {
        let is_special = SPECIAL.contains(character);
        let literal = if character == '\\' {
            characters.next().filter(|next| SPECIAL.contains(*next))?
        } else if is_special {
            return None;
        } else {
            character
        };
        text.push(literal);
    }
    Some(text)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sent: &str, name: &str, expression: &str) {
        let body = serde_json::json!({
            "version": "4", "groupKey": "{}", "status": "firing", "receiver": sent, "alerts": [],
        });
        let webhook = Webhook::parse(body.to_string().as_bytes()).unwrap();
        assert_eq!(webhook.receiver_name(), name);
        assert_eq!(webhook.receiver_expression(), expression);
    }

    #[test]
    fn a_receiver_is_quoted_once_whether_or_not_it_was_sent_so() {
        check("foreshadow", "foreshadow", "foreshadow");
        check("team-a_b/c d", "team-a_b/c d", "team-a_b/c d");
        check(r"team\.hooks", "team.hooks", r"team\.hooks");
        check("team.hooks", "team.hooks", r"team\.hooks");
        let name = r"a\b.c+d*e?f(g)h|i[j]k{l}m^n$o";
        check(name, name, &quote(name));
        check(&quote(name), name, &quote(name));
        assert_eq!(quote(r"\.+*?()|[]{}^$-"), r"\\\.\+\*\?\(\)\|\[\]\{\}\^\$-");
    }
}
