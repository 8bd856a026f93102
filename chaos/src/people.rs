//! People: they look at the actions by the API, and decide.

use crate::{event::Decision, findings::Count, program::Program, scene::Scene};
use anyhow::Context as _;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use testbed::http_client;

/// Time limit of one request.
const TIMEOUT: Duration = Duration::from_secs(4);

/// The newest actions that they look at.
const LOOKED_AT: u32 = 30;

/// People, with a client for the API.
#[derive(Debug)]
pub struct People {
    http: reqwest::Client,
    program: Arc<Program>,
    scene: Arc<Scene>,
}

/// True if the state of an action allows a decision.
fn allows(action: &Value, decision: Decision) -> bool {
    let state = action["state"].as_str().unwrap_or_default();
    match decision {
        Decision::Approve => matches!(state, "awaiting_approval" | "paused"),
        Decision::Reject => matches!(state, "proposed" | "awaiting_approval" | "grace" | "paused"),
        Decision::Rollback => matches!(state, "verifying" | "paused" | "succeeded"),
    }
}

/// True if the rollback of an action failed.
fn is_half_way_back(action: &Value) -> bool {
    let transitions = action["transitions"].as_array();
    let last = transitions.and_then(|transitions| transitions.last());
    let from = last.and_then(|last| last["from"].as_str());
    action["state"] == "failed" && from == Some("rolling_back")
}

impl People {
    /// People who know the program's address.
    pub fn new(program: Arc<Program>, scene: Arc<Scene>) -> anyhow::Result<Self> {
        let http = http_client(TIMEOUT)?;
        Ok(Self {
            http,
            program,
            scene,
        })
    }

    async fn actions(&self) -> anyhow::Result<Vec<Value>> {
        let path = format!("/api/v1/actions?limit={LOOKED_AT}");
        let answer = self.http.get(self.program.url(&path)).send().await?;
        let text = answer.error_for_status()?.text().await?;
        let mut answer: Value = serde_json::from_str(&text)?;
        match answer["data"].take() {
            Value::Array(actions) => Ok(actions),
            _ => anyhow::bail!("the list of actions is no list"),
        }
    }

    /// One person decides on one of the actions that allow it, if there is one and the program answers.
    pub async fn decide(&self, decision: Decision, pick: usize) {
        let actions = self.actions().await.unwrap_or_default();
        let mut able = actions.iter().filter(|action| allows(action, decision));
        let n_able = able.clone().count();
        if let Some(action) = able.nth(pick.checked_rem(n_able).unwrap_or(0)) {
            self.say(action, decision).await;
        }
    }

    /// Says yes wherever it is asked for, and asks again for each rollback that failed.
    pub async fn settle(&self) {
        for action in self.actions().await.unwrap_or_default() {
            if allows(&action, Decision::Approve) {
                self.say(&action, Decision::Approve).await;
            } else if is_half_way_back(&action) {
                self.say(&action, Decision::Rollback).await;
            }
        }
    }

    async fn say(&self, action: &Value, decision: Decision) {
        let id = action["id"].as_str().unwrap_or_default();
        let (word, body) = match decision {
            Decision::Approve => ("approve", json!({})),
            Decision::Reject => ("reject", json!({"reason": "not today"})),
            Decision::Rollback => ("rollback", json!({})),
        };
        let url = self.program.url(&format!("/api/v1/actions/{id}/{word}"));
        let request = self.http.post(url).body(body.to_string());
        let answer = request
            .header("content-type", "application/json")
            .send()
            .await
            .context("no answer");
        let said = match answer {
            Ok(answer) => {
                let status = answer.status();
                if status.is_success() {
                    self.scene.count(Count::Decisions);
                }
                format!("{status} {}", answer.text().await.unwrap_or_default())
            }
            Err(error) => format!("{error:#}"),
        };
        let said: String = said.chars().take(160).collect();
        self.scene
            .say(&format!("a person says {word} to {id}: {said}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollback_that_failed_is_told_from_an_effect_that_did() {
        let failed = |from: &str| json!({"state": "failed", "transitions": [{"from": from}]});
        assert!(is_half_way_back(&failed("rolling_back")));
        assert!(!is_half_way_back(&failed("applying")));
        assert!(!is_half_way_back(&json!({"state": "rolled_back"})));
    }
}
