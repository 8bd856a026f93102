//! Alerts that fire and are not being acted upon, for a terminal.

use super::{api::Api, lines, text};
use crate::{
    cli::ReportFormat,
    say::{say, say_json},
    table::{Align, table},
};
use anyhow::Context as _;
use serde_json::Value;

const PATH: &str = "api/v1/unattended";

/// Prints all of them.
pub(super) async fn list(api: &Api, format: ReportFormat) -> anyhow::Result<()> {
    let found = api.find(PATH).await?.with_context(|| {
        format!(
            "cannot list unattended alerts: the server has no /{PATH}, update it to this version"
        )
    })?;
    match format {
        ReportFormat::Table => say(&columns(&found, None)),
        ReportFormat::Json => say_json(&lines(&found)),
    }
    Ok(())
}

/// Prints those of one workload, or of all, below a list of actions; nothing where there are none, or where the server
/// is of a version that does not tell.
pub(super) async fn add(api: &Api, workload: Option<&str>) -> anyhow::Result<()> {
    if let Some(found) = api.find(PATH).await? {
        say(&section(&found, workload));
    }
    Ok(())
}

fn section(found: &Value, workload: Option<&str>) -> String {
    if wanted(found, workload).next().is_none() {
        return String::new();
    }
    format!("\nFiring, not acted upon\n{}", columns(found, workload))
}

fn wanted<'a>(found: &'a Value, workload: Option<&'a str>) -> impl Iterator<Item = &'a Value> {
    let found = found.as_array().into_iter().flatten();
    found.filter(move |one| workload.is_none_or(|name| one["workload"] == name))
}

fn columns(found: &Value, workload: Option<&str>) -> String {
    use Align::{Left, Right};
    let columns = [
        ("WORKLOAD", Left),
        ("ALERTS", Right),
        ("SINCE", Left),
        ("AGAIN", Left),
        ("REASON", Left),
        ("WHY", Left),
    ];
    let keys = ["workload", "alerts", "since", "again_at", "reason", "why"];
    let cell = |one: &Value, key: &str| match text(one, key) {
        none if none.is_empty() => "-".to_owned(),
        text => text,
    };
    let rows = wanted(found, workload).map(|one| keys.map(|key| cell(one, key)));
    table(columns, &rows.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn alerts_that_nothing_is_done_about_stand_below_the_actions() {
        let found = json!([
            { "workload": "checkout", "reason": "kill_switch", "why": "the kill switch /run/stop\u{1b}[2J is there",
              "alerts": 12, "since": "2026-01-01T00:00:00Z", "again_at": null, "missing": 0, "action": null },
            { "workload": "x", "reason": "retry_backoff", "why": "attempt 2 follows in 30s\nlast", "alerts": 1,
              "since": "2026-01-01T00:01:00Z", "again_at": "2026-01-01T00:02:00Z", "missing": 0, "action": "a1" },
        ]);
        let all = section(&found, None);
        let (before, all) = all.split_at(1);
        assert_eq!(before, "\n");
        insta::assert_snapshot!(all, @r"
        Firing, not acted upon
        WORKLOAD  ALERTS  SINCE                 AGAIN                 REASON         WHY
        checkout      12  2026-01-01T00:00:00Z  -                     kill_switch    the kill switch /run/stop\u{1b}[2J is there
        x              1  2026-01-01T00:01:00Z  2026-01-01T00:02:00Z  retry_backoff  attempt 2 follows in 30s\nlast
        ");
        let one = section(&found, Some("x"));
        assert!(
            one.contains("attempt 2") && !one.contains("checkout"),
            "{one}"
        );
        assert_eq!(section(&found, Some("y")), "");
        assert_eq!(section(&json!([]), None), "");
    }
}
