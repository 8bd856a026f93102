//! The action journal and its controls.

pub(super) mod export;

use super::{App, Caller, failure, success};
use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Path, Query, State, rejection::JsonRejection},
    http::StatusCode,
    response::Response,
};
use remediation::{ControlError, Plan};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::{Action, ActionFilter, ActionId, Look, StoreError, Transition, UnknownWord};

/// Actions listed when a request names no limit.
const DEFAULT_LIMIT: u32 = 100;

/// The most actions that one request may list.
const MAX_LIMIT: u32 = 1_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    workload: Option<String>,
    state: Option<String>,
    /// An action; those proposed before it are listed.
    before: Option<String>,
    limit: Option<u32>,
}

#[derive(Debug, Serialize)]
struct WithHistory {
    #[serde(flatten)]
    action: Action,
    /// What an approval is bound to; none as long as there is no plan.
    plan_hash: Option<String>,
    /// Oldest first.
    transitions: Vec<Transition>,
    /// What each look at the effect found, oldest first.
    looks: Vec<Look>,
}

/// Actions with their history, newest first.
pub(super) async fn list(State(app): State<Arc<App>>, Query(query): Query<ListQuery>) -> Response {
    let state = match query.state.as_deref().map(str::parse).transpose() {
        Ok(state) => state,
        Err(error) => return unknown(&error),
    };
    let before = match query.before.as_deref().map(str::parse).transpose() {
        Ok(before) => before,
        Err(error) => return unknown(&error),
    };
    let filter = ActionFilter {
        workload: query.workload,
        state,
        before,
    };
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT);
    match with_histories(&app, &filter, limit).await {
        Ok(actions) => success(actions),
        Err(error) => refused(error.into()),
    }
}

async fn with_histories(
    app: &App,
    filter: &ActionFilter,
    limit: u32,
) -> Result<Vec<WithHistory>, StoreError> {
    let mut actions = Vec::new();
    for action in app.remediation.actions(filter, limit).await? {
        actions.push(with_history(app, action.id).await?);
    }
    Ok(actions)
}

async fn with_history(app: &App, id: ActionId) -> Result<WithHistory, StoreError> {
    let (action, transitions) = app.remediation.action(id).await?;
    let plan = Plan::from_json(action.plan.as_ref());
    Ok(WithHistory {
        plan_hash: plan.ok().map(|plan| plan.hash()),
        looks: app.remediation.looks(id).await?,
        action,
        transitions,
    })
}

/// One action with its history.
pub(super) async fn show(State(app): State<Arc<App>>, Path(id): Path<String>) -> Response {
    let id: ActionId = match id.parse() {
        Ok(id) => id,
        Err(error) => return unknown(&error),
    };
    match with_history(&app, id).await {
        Ok(action) => success(action),
        Err(error) => refused(error.into()),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Approval {
    /// The hash of the plan that was seen; left out, the yes is for whichever there is.
    plan_hash: Option<String>,
}

/// Says yes to an action that awaits approval, or to an effect that waits for a judgement. The body may be empty.
pub(super) async fn approve(
    State(app): State<Arc<App>>,
    Extension(Caller { name: actor, .. }): Extension<Caller>,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    let approval: Approval = match body.as_ref() {
        b"" => Approval::default(),
        body => match serde_json::from_slice(body) {
            Ok(approval) => approval,
            Err(error) => return failure(StatusCode::BAD_REQUEST, error),
        },
    };
    let of = approval.plan_hash.as_deref();
    match id.parse() {
        Ok(id) => decided(
            &app,
            app.remediation.approve(id, &actor, of, app.now()).await,
        ),
        Err(error) => unknown(&error),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Override {
    replicas: u32,
}

/// Puts another number in place of the planned one, and says yes to it.
pub(super) async fn override_plan(
    State(app): State<Arc<App>>,
    Extension(Caller { name: actor, .. }): Extension<Caller>,
    Path(id): Path<String>,
    body: Result<Json<Override>, JsonRejection>,
) -> Response {
    let replicas = match body {
        Ok(Json(Override { replicas })) => replicas,
        Err(error) => return failure(error.status(), error.body_text()),
    };
    match id.parse() {
        Ok(id) => {
            let decision = app
                .remediation
                .override_plan(id, &actor, replicas, app.now());
            decided(&app, decision.await)
        }
        Err(error) => unknown(&error),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rejection {
    reason: String,
}

/// Says no to an action that has had no effect yet; the reason is kept.
pub(super) async fn reject(
    State(app): State<Arc<App>>,
    Extension(Caller { name: actor, .. }): Extension<Caller>,
    Path(id): Path<String>,
    body: Result<Json<Rejection>, JsonRejection>,
) -> Response {
    let reason = match body {
        Ok(Json(Rejection { reason })) if !reason.trim().is_empty() => reason,
        Ok(_) => return failure(StatusCode::BAD_REQUEST, "a rejection takes a reason"),
        Err(error) => return failure(error.status(), error.body_text()),
    };
    match id.parse() {
        Ok(id) => decided(
            &app,
            app.remediation.reject(id, &actor, &reason, app.now()).await,
        ),
        Err(error) => unknown(&error),
    }
}

/// Orders the way back.
pub(super) async fn rollback(
    State(app): State<Arc<App>>,
    Extension(Caller { name: actor, .. }): Extension<Caller>,
    Path(id): Path<String>,
) -> Response {
    match id.parse() {
        Ok(id) => decided(&app, app.remediation.rollback(id, &actor, app.now()).await),
        Err(error) => unknown(&error),
    }
}

fn decided(app: &App, outcome: Result<Action, ControlError>) -> Response {
    match outcome {
        Ok(action) => {
            app.wake.notify_one();
            success(action)
        }
        Err(error) => refused(error),
    }
}

fn unknown(error: &UnknownWord) -> Response {
    failure(StatusCode::BAD_REQUEST, error)
}

fn refused(error: ControlError) -> Response {
    let status = status(&error);
    failure(status, format!("{:#}", anyhow::Error::new(error)))
}

/// The status of a decision that was not taken.
pub(super) fn status(error: &ControlError) -> StatusCode {
    match error {
        ControlError::Journal(StoreError::NotFound(_)) => StatusCode::NOT_FOUND,
        ControlError::NotNow { .. }
        | ControlError::NotConfigured(_)
        | ControlError::NotAllowed(_)
        | ControlError::Journal(
            StoreError::Conflict { .. } | StoreError::PlanChanged { .. } | StoreError::Busy { .. },
        ) => StatusCode::CONFLICT,
        ControlError::Journal(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}
