//! `foreshadow actions`: the controls of the API, from a terminal.

use crate::{
    cli::{Actions, ActionsCommand},
    redact::redacted,
    say::say,
    table::{Align, table},
};
use anyhow::{Context as _, bail};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use std::time::Duration;
use url::Url;

/// The service answers from its journal; what takes longer is broken.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Carries out one control and prints the outcome.
pub(crate) async fn run(request: Actions) -> anyhow::Result<()> {
    let http = Client::builder()
        .timeout(TIMEOUT)
        .build()
        .context("building the HTTP client")?;
    let api = Api {
        base: request.url,
        http,
    };
    match request.command {
        ActionsCommand::List => say(&list(&api.get("api/v1/actions").await?)),
        ActionsCommand::Approve { id } => {
            // The yes is for what is seen here, whatever happens in between.
            let action = api.get(&format!("api/v1/actions/{id}")).await?;
            let body = json!({ "plan_hash": action["plan_hash"] });
            api.decide(&id, "approve", body).await?;
        }
        ActionsCommand::Reject { id, reason } => {
            api.decide(&id, "reject", json!({ "reason": reason }))
                .await?;
        }
        ActionsCommand::Rollback { id } => api.decide(&id, "rollback", json!({})).await?,
    }
    Ok(())
}

struct Api {
    base: Url,
    http: Client,
}

impl Api {
    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let url = self.url(path);
        self.ask(self.http.get(url)).await
    }

    async fn decide(&self, id: &str, decision: &str, body: Value) -> anyhow::Result<()> {
        let url = self.url(&format!("api/v1/actions/{id}/{decision}"));
        let action = self.ask(self.http.post(url).json(&body)).await?;
        say(&format!(
            "{} is now {}\n",
            text(&action, "id"),
            text(&action, "state")
        ));
        Ok(())
    }

    async fn ask(&self, request: RequestBuilder) -> anyhow::Result<Value> {
        let response = request.send().await.map_err(reqwest::Error::without_url);
        let asking = || format!("asking {}", redacted(&self.base));
        data(response.with_context(asking)?).await
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!(
            "{}/{path}",
            self.base.path().trim_end_matches('/')
        ));
        url
    }
}

/// What is inside the envelope, or the sentence of a refusal.
async fn data(response: Response) -> anyhow::Result<Value> {
    let status = response.status();
    let body = response.text().await.context("reading the answer")?;
    let answer: Value = match serde_json::from_str(&body) {
        Ok(answer) => answer,
        Err(_) => bail!("the server answered {status}: {}", body.trim()),
    };
    match answer.get("data") {
        Some(data) if status.is_success() => Ok(data.clone()),
        _ => bail!(
            "{}",
            answer
                .get("error")
                .and_then(Value::as_str)
                .unwrap_or("no reason given")
        ),
    }
}

/// Aligned columns; the last one may be as long as it likes.
fn list(actions: &Value) -> String {
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
    fn actions_are_listed_in_aligned_columns() {
        let actions = json!([
            { "id": "a1", "workload": "checkout", "state": "succeeded",
              "updated_at": "2026-01-01T00:00:00Z", "reason": "4 → 7" },
            { "id": "b22", "workload": "x", "state": "grace",
              "updated_at": "2026-01-01T00:01:00Z", "reason": null },
        ]);
        insta::assert_snapshot!(list(&actions), @r"
        ID   WORKLOAD  STATE      UPDATED               REASON
        a1   checkout  succeeded  2026-01-01T00:00:00Z  4 → 7
        b22  x         grace      2026-01-01T00:01:00Z
        ");
    }
}
