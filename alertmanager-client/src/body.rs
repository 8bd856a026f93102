//! The body of a notification, read in parts and within limits, so that few of its alerts are in memory at once.

use crate::{
    Pairs,
    webhook::{Alert, Status, VERSION, Webhook, WebhookError},
};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use std::fmt;

/// Alerts of one notification that are taken. The rest count as left out by Alertmanager.
const MAX_ALERTS: usize = 10_000;

/// Alertmanager's fingerprints have 16 characters.
const MAX_FINGERPRINT_BYTES: usize = 64;

/// Labels, or annotations, of one alert, far more than anybody has.
const MAX_PAIRS: usize = 1_000;

/// Bytes of all labels, or all annotations, of one alert.
const MAX_PAIR_BYTES: usize = 256 << 10;

/// A notification whose alerts have been checked, and are read when they are asked for.
#[derive(Debug)]
pub struct Body<'b> {
    head: Webhook,
    alerts: Vec<&'b RawValue>,
}

impl<'b> Body<'b> {
    /// Checks all of a body. Its length is the caller's to bound.
    ///
    /// # Errors
    /// A body that is no notification, or that goes beyond the limits.
    pub fn read(body: &'b [u8]) -> Result<Self, WebhookError> {
        let raw: RawBody = serde_json::from_slice(body).map_err(|e| why_not(body, e))?;
        if raw.version != VERSION {
            return Err(WebhookError::Version(raw.version));
        }
        let body = raw.into_body();
        for idx in 0..body.alerts.len() {
            check(idx, &body.alert(idx)?)?;
        }
        Ok(body)
    }

    /// The number of alerts that it holds, those that were left out not among them.
    pub fn n_alerts(&self) -> usize {
        self.alerts.len()
    }

    /// The notification without its alerts.
    pub fn head(&self) -> &Webhook {
        &self.head
    }

    /// The notification in pieces of at most so many alerts, in their order; at least one piece. All but the last say that
    /// nothing was left out.
    pub fn parts(&self, size: usize) -> impl Iterator<Item = Result<Webhook, WebhookError>> {
        let size = size.max(1);
        let n_parts = self.alerts.len().div_ceil(size).max(1);
        (0..n_parts).map(move |part| {
            let end = self.alerts.len().min((part + 1) * size);
            let alerts = (part * size..end).map(|idx| self.alert(idx));
            let is_last = part + 1 == n_parts;
            Ok(Webhook {
                alerts: alerts.collect::<Result<_, _>>()?,
                truncated_alerts: if is_last {
                    self.head.truncated_alerts
                } else {
                    0
                },
                ..self.head.clone()
            })
        })
    }

    /// All of it at once.
    pub(crate) fn whole(self) -> Result<Webhook, WebhookError> {
        let alerts = (0..self.alerts.len()).map(|idx| self.alert(idx));
        let alerts = alerts.collect::<Result<_, _>>()?;
        Ok(Webhook {
            alerts,
            ..self.head
        })
    }

    fn alert(&self, idx: usize) -> Result<Alert, WebhookError> {
        serde_json::from_str(self.alerts[idx].get()).map_err(WebhookError::Malformed)
    }
}

fn check(idx: usize, alert: &Alert) -> Result<(), WebhookError> {
    let fingerprint = &alert.fingerprint;
    if fingerprint.is_empty() {
        return Err(WebhookError::NoFingerprint(idx));
    }
    if fingerprint.len() > MAX_FINGERPRINT_BYTES || fingerprint.contains(char::is_control) {
        return Err(WebhookError::Fingerprint {
            idx,
            n_bytes: fingerprint.len(),
        });
    }
    Ok(())
}

/// The fields of a notification, its alerts as they stand in the body.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawBody<'b> {
    version: String,
    group_key: String,
    #[serde(default)]
    truncated_alerts: u64,
    status: Status,
    receiver: String,
    #[serde(default, deserialize_with = "pairs")]
    group_labels: Pairs,
    #[serde(default, deserialize_with = "pairs")]
    common_labels: Pairs,
    #[serde(default, deserialize_with = "pairs")]
    common_annotations: Pairs,
    #[serde(default, rename = "externalURL")]
    external_url: String,
    #[serde(borrow)]
    alerts: Alerts<'b>,
    #[serde(default, rename = "notification_reason")]
    notification_reason: Option<String>,
}

impl<'b> RawBody<'b> {
    fn into_body(self) -> Body<'b> {
        Body {
            head: Webhook {
                group_key: self.group_key,
                truncated_alerts: self.truncated_alerts.saturating_add(self.alerts.n_left_out),
                status: self.status,
                receiver: self.receiver,
                group_labels: self.group_labels,
                common_labels: self.common_labels,
                common_annotations: self.common_annotations,
                external_url: self.external_url,
                alerts: Vec::new(),
                notification_reason: self.notification_reason,
            },
            alerts: self.alerts.kept,
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

/// The first alerts of a list, and how many more there are.
struct Alerts<'b> {
    kept: Vec<&'b RawValue>,
    n_left_out: u64,
}

impl<'de: 'b, 'b> Deserialize<'de> for Alerts<'b> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;

        impl<'de> Visitor<'de> for List {
            type Value = Alerts<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of alerts")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Alerts<'de>, A::Error> {
                let (mut kept, mut n_left_out) = (Vec::new(), 0);
                while kept.len() < MAX_ALERTS {
                    let Some(alert) = list.next_element()? else {
                        return Ok(Alerts { kept, n_left_out });
                    };
                    kept.push(alert);
                }
                while list.next_element::<IgnoredAny>()?.is_some() {
                    n_left_out += 1;
                }
                Ok(Alerts { kept, n_left_out })
            }
        }

        deserializer.deserialize_seq(List)
    }
}

/// Labels or annotations within limits. Go writes an empty map as `null` when nothing was ever put into it.
pub(crate) fn pairs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Pairs, D::Error> {
    struct Bounded;

    impl<'de> Visitor<'de> for Bounded {
        type Value = Pairs;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map of texts")
        }

        fn visit_unit<E>(self) -> Result<Pairs, E> {
            Ok(Pairs::new())
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
            let (mut pairs, mut n_bytes) = (Pairs::new(), 0);
            while let Some((name, value)) = map.next_entry::<String, String>()? {
                n_bytes += name.len() + value.len();
                if pairs.len() >= MAX_PAIRS || n_bytes > MAX_PAIR_BYTES {
                    return Err(A::Error::custom(format_args!(
                        "more than {MAX_PAIRS} labels or annotations, or more than {MAX_PAIR_BYTES} bytes of them"
                    )));
                }
                pairs.insert(name, value);
            }
            Ok(pairs)
        }
    }

    deserializer.deserialize_any(Bounded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn body(alerts: &[serde_json::Value]) -> String {
        json!({
            "version": "4", "groupKey": "{}", "status": "firing", "receiver": "r", "groupLabels": null,
            "commonLabels": {}, "commonAnnotations": {}, "externalURL": "", "truncatedAlerts": 3, "alerts": alerts,
        })
        .to_string()
    }

    fn alert(fingerprint: &str, labels: &serde_json::Value) -> serde_json::Value {
        json!({
            "status": "firing", "labels": labels, "startsAt": "2026-01-01T00:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z", "fingerprint": fingerprint,
        })
    }

    #[test]
    fn a_notification_is_read_in_parts_that_lose_nothing() {
        let alerts: Vec<_> = (0..7)
            .map(|idx| alert(&idx.to_string(), &json!({})))
            .collect();
        let text = body(&alerts);
        let whole = Body::read(text.as_bytes()).unwrap().whole().unwrap();
        let read = Body::read(text.as_bytes()).unwrap();
        for (size, n_parts) in [(1, 7), (3, 3), (7, 1), (100, 1)] {
            let parts: Vec<_> = read.parts(size).map(Result::unwrap).collect();
            assert_eq!(parts.len(), n_parts);
            let truncated: Vec<_> = parts.iter().map(|part| part.truncated_alerts).collect();
            assert_eq!(truncated.last(), Some(&3));
            assert_eq!(truncated.iter().sum::<u64>(), 3);
            let alerts: Vec<_> = parts.into_iter().flat_map(|part| part.alerts).collect();
            assert_eq!(alerts, whole.alerts);
        }
        let empty = body(&[]);
        let empty = Body::read(empty.as_bytes()).unwrap();
        assert_eq!(empty.parts(5).count(), 1, "what was left out is told");
    }

    #[test]
    fn alerts_beyond_the_limit_count_as_left_out() {
        let alerts = vec![alert("f", &json!({})); MAX_ALERTS + 5];
        let text = body(&alerts);
        let read = Body::read(text.as_bytes()).unwrap();
        assert_eq!(read.n_alerts(), MAX_ALERTS);
        assert_eq!(read.head().truncated_alerts, 8);
    }

    #[track_caller]
    fn check_refused(alert: serde_json::Value, expect: &str) {
        let error = Body::read(body(&[alert]).as_bytes()).unwrap_err();
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        let words = format!("{error}: {}", cause.unwrap_or_default());
        assert!(words.contains(expect), "{words}");
    }

    #[test]
    fn what_no_alertmanager_sends_is_refused() {
        let none = json!({});
        check_refused(alert("", &none), "has no fingerprint");
        check_refused(alert(&"f".repeat(65), &none), "a fingerprint of 65 bytes");
        check_refused(alert("a\u{1b}[1m", &none), "a fingerprint of 5 bytes");
        let many: Pairs = (0..1_001)
            .map(|idx| (idx.to_string(), String::new()))
            .collect();
        check_refused(alert("f", &json!(many)), "more than 1000 labels");
        let long = json!({"a": "x".repeat(MAX_PAIR_BYTES)});
        check_refused(alert("f", &long), "bytes of them");
    }
}
