//! `foreshadow actions`: the controls of the API, from a terminal.

mod api;
mod show;
mod unattended;

use crate::{
    cli::{Actions, ActionsCommand, ActionsList, ReportFormat},
    say::{say, say_json},
    table::{Align, table},
};
use anyhow::ensure;
use api::Api;
use serde_json::{Value, json};

/// Carries out one control and prints the outcome.
pub(crate) async fn run(request: Actions) -> anyhow::Result<()> {
    let api = Api::new(
        request.url.url("foreshadow.url")?,
        request.http_config_file.as_deref(),
    )?;
    match request.command {
        ActionsCommand::List(wanted) => list(&api, &wanted).await,
        ActionsCommand::Unattended { format } => unattended::list(&api, format).await,
        ActionsCommand::Show { id, format } => {
            let action = api.get(&format!("api/v1/actions/{id}"), &[]).await?;
            match format {
                ReportFormat::Table => say(&show::show(&action)),
                ReportFormat::Json => say_json(&format!("{action}\n")),
            }
            Ok(())
        }
        ActionsCommand::Export { since } => {
            let query: Vec<_> = since
                .iter()
                .map(|since| ("since", since.as_str()))
                .collect();
            api.pass_on("api/v1/actions/export", &query).await
        }
        ActionsCommand::Approve { id } => {
            let seen = seen(&api, &id).await?;
            api.decide(&seen.id(), "approve", seen.with_plan()?).await
        }
        ActionsCommand::Override { id, replicas } => {
            let seen = seen(&api, &id).await?;
            let (id, mut body) = (seen.id(), seen.with_plan()?);
            body["replicas"] = json!(replicas);
            api.decide(&id, "override", body).await
        }
        ActionsCommand::Reject { id, reason } => {
            let seen = seen(&api, &id).await?;
            let (id, mut body) = (seen.id(), seen.without_plan());
            body["reason"] = json!(reason);
            api.decide(&id, "reject", body).await
        }
        ActionsCommand::Rollback { id } => {
            let seen = seen(&api, &id).await?;
            api.decide(&seen.id(), "rollback", seen.without_plan())
                .await
        }
    }
}

/// An action as it is seen here: a decision is for that, whatever happens in between.
struct Seen(Value);

async fn seen(api: &Api, id: &str) -> anyhow::Result<Seen> {
    let action = api.get(&format!("api/v1/actions/{id}"), &[]).await?;
    Ok(Seen(action))
}

impl Seen {
    /// Its whole identifier: what was asked for may be the beginning of another's by now, too.
    fn id(&self) -> String {
        text(&self.0, "id")
    }

    /// The body of a decision about a plan, which there has to be.
    fn with_plan(self) -> anyhow::Result<Value> {
        let plan = self.0["plan_hash"].clone();
        ensure!(
            plan.is_string(),
            "action {} has no plan to decide on",
            text(&self.0, "id")
        );
        let mut body = self.without_plan();
        body["plan_hash"] = plan;
        Ok(body)
    }

    /// The body of a decision about an action.
    fn without_plan(self) -> Value {
        json!({ "state": self.0["state"], "stage": self.0["stage"] })
    }
}

async fn list(api: &Api, wanted: &ActionsList) -> anyhow::Result<()> {
    let limit = wanted.limit.to_string();
    let mut query = vec![("limit", limit.as_str())];
    query.extend(
        wanted
            .workload
            .iter()
            .map(|name| ("workload", name.as_str())),
    );
    query.extend(wanted.state.iter().map(|state| ("state", state.as_str())));
    let actions = api.get("api/v1/actions", &query).await?;
    match wanted.format {
        ReportFormat::Table => {
            say(&columns(&actions));
            // Alerts that nothing is done about are in no state.
            if wanted.state.is_none() {
                unattended::add(api, wanted.workload.as_deref()).await?;
            }
        }
        ReportFormat::Json => say_json(&lines(&actions)),
    }
    Ok(())
}

/// One object a line.
fn lines(actions: &Value) -> String {
    let actions = actions.as_array().into_iter().flatten();
    actions.fold(String::new(), |lines, action| {
        lines + &action.to_string() + "\n"
    })
}

/// Aligned columns; the last one may be as long as it likes.
fn columns(actions: &Value) -> String {
    use Align::Left;
    let columns = [
        ("ID", Left),
        ("WORKLOAD", Left),
        ("STATE", Left),
        ("UPDATED", Left),
        ("REASON", Left),
    ];
    let keys = ["id", "workload", "state", "updated_at", "reason"];
    let rows = actions.as_array().into_iter().flatten();
    table(
        columns,
        &rows
            .map(|action| keys.map(|key| text(action, key)))
            .collect::<Vec<_>>(),
    )
}

fn text(value: &Value, key: &str) -> String {
    match value.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_is_for_what_was_seen_and_not_for_a_plan_to_come() {
        let seen =
            |plan| Seen(json!({ "id": "a1", "state": "paused", "stage": 1, "plan_hash": plan }));
        let body = json!({ "state": "paused", "stage": 1, "plan_hash": "9b" });
        assert_eq!(seen(json!("9b")).with_plan().unwrap(), body);
        let error = seen(Value::Null).with_plan().unwrap_err().to_string();
        assert_eq!(error, "action a1 has no plan to decide on");
    }

    #[test]
    fn actions_are_listed_in_aligned_columns() {
        let actions = json!([
            { "id": "a1", "workload": "checkout", "state": "succeeded",
              "updated_at": "2026-01-01T00:00:00Z", "reason": "4 → 7" },
            { "id": "b22", "workload": "x", "state": "grace",
              "updated_at": "2026-01-01T00:01:00Z", "reason": "no\r\nc3  y  \u{1b}[2Jdone" },
        ]);
        insta::assert_snapshot!(columns(&actions), @r"
        ID   WORKLOAD  STATE      UPDATED               REASON
        a1   checkout  succeeded  2026-01-01T00:00:00Z  4 → 7
        b22  x         grace      2026-01-01T00:01:00Z  no\r\nc3  y  \u{1b}[2Jdone
        ");
    }
}
