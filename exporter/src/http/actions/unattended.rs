//! Alerts that fire and are not being acted upon.

use super::{App, Asked, success};
use axum::{extract::State, response::Response};
use remediation::Unattended;
use serde::{Deserialize, Serialize};
use series::Timestamp;
use std::sync::Arc;
use store::ActionId;

/// The query, which takes no parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UnattendedQuery {}

/// Alerts of one workload that nothing is done about for one reason.
#[derive(Debug, Serialize)]
struct Entry {
    workload: String,
    reason: &'static str,
    why: String,
    /// Number of alerts.
    alerts: u32,
    /// Time at which the first of them was heard of.
    since: String,
    /// Time of the next attempt; none where it depends on something else.
    again_at: Option<String>,
    /// Replicas that are needed beyond the maximum.
    missing: u32,
    /// The last action about them; none where there was none yet.
    action: Option<ActionId>,
}

/// Unattended alerts by workload and reason, those that have waited longest first.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Asked(UnattendedQuery {}): Asked<UnattendedQuery>,
) -> Response {
    let mut found = app.remediation.unattended();
    found.sort_by_key(|one| one.since);
    success(found.into_iter().map(entry).collect::<Vec<_>>())
}

fn entry(one: Unattended) -> Entry {
    Entry {
        workload: one.workload,
        reason: one.reason.as_str(),
        why: one.why,
        alerts: one.n_alerts,
        since: rfc3339(one.since),
        again_at: one.again_at.map(rfc3339),
        missing: one.missing,
        action: one.action,
    }
}

/// A time as the journal's answers have it.
fn rfc3339(time: Timestamp) -> String {
    let known = jiff::Timestamp::from_millisecond(time.as_millis());
    known.map_or_else(|_| time.as_millis().to_string(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use remediation::Reason;
    use serde_json::json;

    #[test]
    fn an_entry_has_plain_names_and_times_in_rfc_3339() {
        let since = Timestamp::from_seconds(1_800_000_000);
        let one = Unattended {
            workload: "checkout".to_owned(),
            reason: Reason::AtMaximum,
            why: "2 missing at the maximum of 6".to_owned(),
            n_alerts: 3,
            since,
            action: None,
            again_at: Some(since + std::time::Duration::from_millis(90_500)),
            missing: 2,
        };
        let expect = json!({
            "workload": "checkout", "reason": "at_maximum", "why": "2 missing at the maximum of 6", "alerts": 3,
            "since": "2027-01-15T08:00:00Z", "again_at": "2027-01-15T08:01:30.5Z", "missing": 2, "action": null,
        });
        assert_eq!(serde_json::to_value(entry(one)).unwrap(), expect);
    }
}
