//! Whether the demo showed what it promises.

use crate::{evidence::Evidence, fleet::CONTROL, terminal::clock_time};

/// What is missing, each as a sentence; nothing when the promise was kept.
pub fn missing(evidence: &Evidence) -> Vec<String> {
    let checks = [
        alert(evidence),
        action(evidence),
        control(evidence),
        managed(evidence),
    ];
    checks.into_iter().flatten().collect()
}

fn alert(evidence: &Evidence) -> Option<String> {
    match (evidence.alert.firing, evidence.control.first_breach) {
        (None, _) => Some("No alert fired on the forecast.".to_owned()),
        (Some(alert), Some(breach)) if alert >= breach => Some(format!(
            "The alert fired at {}, not before the breach at {}.",
            clock_time(alert),
            clock_time(breach)
        )),
        _ => None,
    }
}

fn action(evidence: &Evidence) -> Option<String> {
    match evidence.actions.as_slice() {
        [] => Some("Foreshadow took no action.".to_owned()),
        [action] if action.state == "succeeded" => None,
        [action] => {
            let reason = if action.reason.is_empty() {
                "no reason given"
            } else {
                &action.reason
            };
            Some(format!(
                "The action {} is {}: {reason}.",
                action.id, action.state
            ))
        }
        actions => Some(format!(
            "Foreshadow took {} actions where one was due.",
            actions.len()
        )),
    }
}

fn control(evidence: &Evidence) -> Option<String> {
    let breached = evidence.control.first_breach.is_some();
    (!breached).then(|| format!("{CONTROL} kept its objective, so there was nothing to avert."))
}

fn managed(evidence: &Evidence) -> Option<String> {
    let breach = evidence.managed.first_breach?;
    Some(format!(
        "checkout missed its objective at {} all the same.",
        clock_time(breach)
    ))
}
