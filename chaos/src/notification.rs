//! Notifications: what Alertmanager's webhook sends, and what it makes of the answer.

use crate::{clock::now_millis, journal::Delivered, workloads::WORKLOADS};
use serde_json::{Value, json};

/// The meaning of an answer to a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    TakenIn,
    Retry,
    GiveUp,
}

/// Judges an answer as Alertmanager does: 5xx and no answer are retried, and nothing else is.
pub(crate) fn judge(status: Option<u16>) -> Verdict {
    match status {
        Some(200..=299) => Verdict::TakenIn,
        None | Some(500..=599) => Verdict::Retry,
        Some(_) => Verdict::GiveUp,
    }
}

/// One alert in a notification.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) alert: usize,
    pub(crate) delivered: Delivered,
    json: Value,
}

fn fingerprint(workload: usize, alert: usize) -> String {
    format!("c4a05000{workload:04x}{alert:04x}")
}

fn rfc3339(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis)
        .map(|at| at.to_string())
        .unwrap_or_default()
}

/// An alert as a notification has it.
pub(crate) fn sent(workload: usize, alert: usize, starts_at: i64, ends_at: Option<i64>) -> Sent {
    let (fingerprint, service) = (fingerprint(workload, alert), WORKLOADS[workload].name);
    let status = if ends_at.is_some() {
        "resolved"
    } else {
        "firing"
    };
    let ends = ends_at.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), rfc3339);
    let json = json!({
        "status": status, "fingerprint": fingerprint, "annotations": {}, "generatorURL": "",
        "labels": {"alertname": "Hot", "service": service, "nr": alert.to_string()},
        "startsAt": rfc3339(starts_at), "endsAt": ends,
    });
    Sent {
        alert,
        delivered: Delivered {
            fingerprint,
            starts_at,
            status,
        },
        json,
    }
}

/// An alert that no workload is about and that is sent in one notification alone, so that it is lost with it.
pub(crate) fn stray(number: u64) -> Sent {
    let mut stray = sent(0, 0, now_millis(), None);
    stray.delivered.fingerprint = format!("57a4{number:012x}");
    stray.json["fingerprint"] = json!(stray.delivered.fingerprint);
    stray.json["labels"] = json!({"alertname": "Stray", "nr": number.to_string()});
    stray
}

/// The body of a notification.
pub(crate) fn notification(sent: &[Sent]) -> Value {
    let fires = sent.iter().any(|sent| sent.delivered.status == "firing");
    let alerts: Vec<_> = sent.iter().map(|sent| &sent.json).collect();
    json!({
        "version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0, "receiver": "foreshadow",
        "status": if fires { "firing" } else { "resolved" }, "groupLabels": {},
        "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://alertmanager.example",
        "alerts": alerts,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_judged_as_alertmanager_does() {
        assert_eq!(judge(Some(200)), Verdict::TakenIn);
        assert_eq!(judge(Some(503)), Verdict::Retry);
        assert_eq!(judge(None), Verdict::Retry);
        assert_eq!(judge(Some(429)), Verdict::GiveUp);
        assert_eq!(judge(Some(400)), Verdict::GiveUp);
    }

    #[test]
    fn a_notification_fires_if_one_of_its_alerts_does() {
        let (ended, firing) = (sent(0, 0, 1_000, Some(2_000)), sent(0, 1, 1_500, None));
        let both = notification(&[ended.clone(), firing]);
        assert_eq!(both["status"], "firing");
        assert_eq!(both["alerts"][0]["endsAt"], "1970-01-01T00:00:02Z");
        assert_eq!(notification(&[ended])["status"], "resolved");
    }
}
