//! What a program finds in its environment: the alerts, as users of prometheus-am-executor know them.

use super::Occasion;
use crate::Shape;
use serde_json::Value;
use std::collections::BTreeMap;

/// The alerts of one action; further ones are only counted.
const MAX_ALERTS: usize = 50;

/// The bytes of one value. Linux takes 128 KiB for one variable and a quarter of the stack for all of them.
const MAX_VALUE_BYTES: usize = 1 << 10;

/// The bytes of all names and values together.
const MAX_BYTES: usize = 128 << 10;

/// The variables of one call. All names begin with `AMX_` or `FORESHADOW_`, so that an alert cannot set one that
/// a program or its loader gives meaning to.
pub(super) fn variables(occasion: Occasion<'_>, shape: Option<Shape>) -> Vec<(String, String)> {
    let mut all = Variables::default();
    all.put("FORESHADOW_ACTION", &occasion.action.to_string());
    all.put("FORESHADOW_WORKLOAD", occasion.workload);
    if let Some(shape) = shape {
        all.put("FORESHADOW_REPLICAS", &shape.replicas.to_string());
    }
    all.put("AMX_STATUS", "firing");
    all.put("AMX_ALERT_LEN", &occasion.alerts.len().to_string());
    let said: Vec<_> = occasion.alerts.iter().take(MAX_ALERTS).collect();
    if let Some(first) = said.first().and_then(|alert| alert.alert.as_ref()) {
        all.put("AMX_RECEIVER", text(first, "receiver"));
        all.put("AMX_EXTERNAL_URL", text(first, "external_url"));
        all.put_all("AMX_GLABEL", &pairs(first, "group_labels"));
    }
    let alerts = || said.iter().filter_map(|delivery| delivery.alert.as_ref());
    all.put_all(
        "AMX_LABEL",
        &shared(alerts().map(|alert| pairs(alert, "labels"))),
    );
    all.put_all(
        "AMX_ANNOTATION",
        &shared(alerts().map(|alert| pairs(alert, "annotations"))),
    );
    for (idx, delivery) in said.iter().enumerate() {
        let name = |what: &str| format!("AMX_ALERT_{}_{what}", idx + 1);
        let started = delivery.cause.starts_at.as_millis().div_euclid(1_000);
        all.put(&name("STATUS"), "firing");
        all.put(&name("START"), &started.to_string());
        all.put(&name("END"), "0");
        all.put(&name("FINGERPRINT"), &delivery.cause.fingerprint);
        if let Some(alert) = &delivery.alert {
            all.put(&name("URL"), text(alert, "generator_url"));
            all.put_all(&name("LABEL"), &pairs(alert, "labels"));
            all.put_all(&name("ANNOTATION"), &pairs(alert, "annotations"));
        }
    }
    all.pairs
}

#[derive(Default)]
struct Variables {
    pairs: Vec<(String, String)>,
    n_bytes: usize,
}

impl Variables {
    fn put(&mut self, name: &str, value: &str) {
        let mut end = value.len().min(MAX_VALUE_BYTES);
        while !value.is_char_boundary(end) {
            end -= 1;
        }
        let value = value[..end].replace('\0', "");
        let n_bytes = name.len() + value.len();
        if self.n_bytes + n_bytes <= MAX_BYTES {
            self.n_bytes += n_bytes;
            self.pairs.push((name.to_owned(), value));
        }
    }

    fn put_all(&mut self, prefix: &str, pairs: &BTreeMap<String, String>) {
        for (name, value) in pairs {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let name: String = name
                .chars()
                .take(200)
                .map(|c| if is_plain(c) { c } else { '_' })
                .collect();
            self.put(&format!("{prefix}_{name}"), value);
        }
    }
}

fn text<'a>(alert: &'a Value, key: &str) -> &'a str {
    alert.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn pairs(alert: &Value, key: &str) -> BTreeMap<String, String> {
    let object = alert.get(key).and_then(Value::as_object);
    let pairs = object.into_iter().flatten();
    pairs
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// What all of them agree on.
fn shared(mut all: impl Iterator<Item = BTreeMap<String, String>>) -> BTreeMap<String, String> {
    let first = all.next().unwrap_or_default();
    all.fold(first, |mut shared, other| {
        shared.retain(|name, value| other.get(name) == Some(value));
        shared
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Target, config::Guards};
    use serde_json::json;
    use series::Timestamp;
    use store::{ActionId, AlertStatus, Cause, Outcome, RecordedDelivery};

    fn delivery(fingerprint: &str, alert: Value) -> RecordedDelivery {
        RecordedDelivery {
            cause: Cause {
                fingerprint: fingerprint.to_owned(),
                starts_at: Timestamp::from_millis(1_460_045_332_500),
            },
            status: AlertStatus::Firing,
            workload: None,
            received_at: Timestamp::from_seconds(0),
            outcome: Outcome::Acted,
            reason: String::new(),
            action: None,
            alert: Some(alert),
        }
    }

    fn of(alerts: &[RecordedDelivery]) -> BTreeMap<String, String> {
        let target = Target::new();
        let guards = Guards::standard();
        let occasion = Occasion {
            target: &target,
            object: None,
            action: ActionId::new(Timestamp::from_seconds(0)),
            workload: "shop",
            alerts,
            state: store::State::Applying,
            guards: &guards,
            now: Timestamp::from_seconds(0),
        };
        variables(occasion, Some(Shape::of(7)))
            .into_iter()
            .collect()
    }

    #[test]
    fn alerts_are_told_under_the_names_that_people_know() {
        let all = of(&[
            delivery(
                "f1",
                json!({
                    "receiver": "foreshadow", "external_url": "http://am", "group_labels": {"job": "web"},
                    "labels": {"job": "web", "instance": "a:1"}, "annotations": {"summary": "high"},
                    "generator_url": "http://prom",
                }),
            ),
            delivery("f2", json!({"labels": {"job": "web", "instance": "b:1"}})),
        ]);
        let expect = [
            ("AMX_RECEIVER", "foreshadow"),
            ("AMX_STATUS", "firing"),
            ("AMX_EXTERNAL_URL", "http://am"),
            ("AMX_ALERT_LEN", "2"),
            ("AMX_LABEL_job", "web"),
            ("AMX_GLABEL_job", "web"),
            ("AMX_ALERT_1_STATUS", "firing"),
            ("AMX_ALERT_1_START", "1460045332"),
            ("AMX_ALERT_1_END", "0"),
            ("AMX_ALERT_1_URL", "http://prom"),
            ("AMX_ALERT_1_FINGERPRINT", "f1"),
            ("AMX_ALERT_1_ANNOTATION_summary", "high"),
            ("AMX_ALERT_2_LABEL_instance", "b:1"),
            ("FORESHADOW_WORKLOAD", "shop"),
            ("FORESHADOW_REPLICAS", "7"),
        ];
        for (name, value) in expect {
            assert_eq!(all.get(name).map(String::as_str), Some(value), "{name}");
        }
        assert!(!all.contains_key("AMX_LABEL_instance"), "they differ in it");
    }

    #[test]
    fn what_an_alert_says_is_bounded_and_names_no_other_variable() {
        let labels: BTreeMap<_, _> = (0..300)
            .map(|idx| (format!("LD_PRELOAD={idx}\n"), "x\0é".repeat(2_000)))
            .collect();
        let alerts: Vec<_> = (0..60)
            .map(|_| delivery("f", json!({ "labels": labels })))
            .collect();
        let all = of(&alerts);
        let n_bytes: usize = all
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        assert!(n_bytes <= MAX_BYTES, "{n_bytes}");
        for (name, value) in all {
            assert!(name.starts_with("AMX_") || name.starts_with("FORESHADOW_"));
            assert!(!name.contains(['=', '\0', '\n']) && !value.contains('\0'));
        }
    }
}
