//! Recorded notifications of several Alertmanager versions, and what is refused.

#![expect(
    clippy::unwrap_used,
    reason = "shared test code may stop the test where it stands"
)]

use alertmanager_client::webhook::{Status, Webhook};

#[track_caller]
fn read(name: &str) -> Webhook {
    let path = format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    Webhook::parse(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn every_recorded_version_is_read_alike() {
    for version in ["0.25", "0.28", "0.33"] {
        let webhook = read(&format!("{version}-firing"));
        assert_eq!(
            (webhook.status, webhook.alerts.len()),
            (Status::Firing, 2),
            "{version}"
        );
        assert_eq!(webhook.common_labels["alertname"], "RealFromProm");
        let alert = &webhook.alerts[0];
        assert_eq!(alert.fingerprint, "b565acbff94640dc");
        assert_eq!(alert.ends_at, None, "the year 1 means that it still fires");
    }
}

#[test]
fn a_resolved_alert_has_its_end() {
    let webhook = read("0.25-resolved");
    let alert = &webhook.alerts[0];
    assert_eq!(alert.status, Status::Resolved);
    assert!(alert.ends_at.is_some_and(|end| end > alert.starts_at));
}

#[test]
fn what_later_versions_add_is_kept_or_passed_over() {
    let reason = read("0.33-resolved").notification_reason;
    assert_eq!(reason.as_deref(), Some("all alerts resolved"));
    assert_eq!(read("0.25-firing").notification_reason, None);
}

#[test]
fn a_truncated_group_says_how_many_are_missing() {
    let webhook = read("0.25-truncated");
    assert_eq!((webhook.alerts.len(), webhook.truncated_alerts), (2, 3));
}

#[track_caller]
fn check_refused(body: &str, expect: &str) {
    let error = Webhook::parse(body.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), expect);
}

#[test]
fn other_bodies_are_refused_with_a_sentence() {
    let malformed = "the body is not an Alertmanager notification";
    check_refused("", malformed);
    check_refused("[]", malformed);
    check_refused(r#"{"version": "4"}"#, malformed);
    check_refused(
        r#"{"version": "5", "items": []}"#,
        r#"the payload has version "5", and only version "4" is understood"#,
    );
    let alert = r#"{"status": "firing", "labels": null, "startsAt": "2026-01-01T00:00:00Z", "fingerprint": ""}"#;
    check_refused(
        &format!(
            r#"{{"version": "4", "groupKey": "", "status": "firing", "receiver": "r", "alerts": [{alert}]}}"#
        ),
        "alert 0 of the payload has no fingerprint",
    );
}

#[test]
fn no_cut_of_a_real_body_panics_or_passes() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/0.25-firing.json"
    );
    let body = std::fs::read(path).unwrap();
    let end = body.trim_ascii_end().len();
    for n_bytes in 0..end {
        assert!(Webhook::parse(&body[..n_bytes]).is_err(), "{n_bytes}");
    }
}
