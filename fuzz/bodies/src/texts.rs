//! What people and Alertmanager write: rule files and notifications.

use alertmanager_client::webhook::Webhook;

/// A rule file is understood, or every complaint about it is a sentence.
pub fn rule_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match rules::parse("fuzz.yml", text) {
        Ok(groups) => drop(rules::check_all(&groups)),
        Err(problems) => assert!(problems.to_string().starts_with("fuzz.yml"), "{problems}"),
    }
}

/// A notification is understood, and then its alerts have fingerprints, or it is refused with a sentence.
pub fn webhook(bytes: &[u8]) {
    match Webhook::parse(bytes) {
        Ok(webhook) => {
            let alerts = &webhook.alerts;
            assert!(alerts.iter().all(|alert| !alert.fingerprint.is_empty()));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
