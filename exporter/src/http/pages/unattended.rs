//! Alerts that fire and are not being acted upon, on the list of actions.

use super::{
    card::StateView,
    words::{at, cut, span},
};
use remediation::{Reason, Remediation, Unattended};
use serde::Serialize;
use series::Timestamp;

/// Lines on the page; the command line has all of them.
const MAX_ROWS: usize = 50;

/// Characters of a sentence in the table.
const MAX_WHY: usize = 300;

/// The section of the page.
#[derive(Debug, Default, Serialize)]
pub(super) struct Section {
    rows: Vec<Row>,
    /// Lines that the page leaves out.
    more: usize,
}

/// Alerts of one workload that nothing is done about for one reason.
#[derive(Debug, Serialize)]
struct Row {
    workload: String,
    /// The last action about them.
    action: Option<String>,
    alerts: String,
    since: String,
    lasts: String,
    reason: StateView,
    next: String,
    why: String,
}

impl Section {
    /// The alerts of one workload, or of all, those that have waited longest first.
    pub(super) fn new(remediation: &Remediation, workload: Option<&str>, now: Timestamp) -> Self {
        let mut found = remediation.unattended();
        found.retain(|one| workload.is_none_or(|name| one.workload == name));
        found.sort_by_key(|one| one.since);
        Self {
            more: found.len().saturating_sub(MAX_ROWS),
            rows: found
                .iter()
                .take(MAX_ROWS)
                .map(|one| row(one, now))
                .collect(),
        }
    }
}

fn row(one: &Unattended, now: Timestamp) -> Row {
    Row {
        workload: one.workload.clone(),
        action: one.action.map(|id| id.to_string()),
        alerts: match one.n_alerts {
            1 => "1 alert".to_owned(),
            n => format!("{n} alerts"),
        },
        since: at(one.since),
        lasts: span(now.since(one.since)),
        reason: StateView::of_reason(one.reason),
        next: next(one, now),
        why: cut(&one.why, MAX_WHY),
    }
}

/// The time or the event of the next attempt.
fn next(one: &Unattended, now: Timestamp) -> String {
    if let Some(time) = one.again_at {
        let rest = time.since(now);
        return match rest.as_secs() {
            0 => "again within a second".to_owned(),
            _ => format!("again in {}", span(rest)),
        };
    }
    let event = match one.reason {
        Reason::KillSwitch => "when the kill switch is released",
        Reason::Maintenance => "after the maintenance time",
        Reason::Cooldown => "after the cool-down",
        Reason::RetryBackoff | Reason::Unanswered => "after a pause",
        Reason::Silenced => "when the silence is over",
        Reason::Observe => "when the mode is changed",
        Reason::AtMaximum => "when the maximum is raised",
        Reason::RolledBack => "when the alert ends and begins anew",
        Reason::Queued => "when its turn comes",
        Reason::Unknown => "when the actuator answers",
        Reason::NotRepeated => "when Alertmanager repeats the alert",
    };
    format!("again {event}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_next_attempt_has_a_time_or_an_event() {
        let now = Timestamp::from_seconds(1_800_000_000);
        let mut one = Unattended {
            workload: "checkout".to_owned(),
            reason: Reason::RetryBackoff,
            why: String::new(),
            n_alerts: 1,
            since: now - Duration::from_secs(90),
            action: None,
            again_at: Some(now + Duration::from_mins(4)),
            missing: 0,
        };
        assert_eq!(next(&one, now), "again in 4 min");
        // The look that is due has not been taken yet.
        one.again_at = Some(now - Duration::from_secs(2));
        assert_eq!(next(&one, now), "again within a second");
        one.again_at = None;
        for reason in Reason::ALL {
            one.reason = reason;
            let said = next(&one, now);
            assert!(said.starts_with("again "), "{said}");
        }
        let row = row(&one, now);
        assert_eq!((&*row.alerts, &*row.lasts), ("1 alert", "1 min 30 s"));
    }
}
