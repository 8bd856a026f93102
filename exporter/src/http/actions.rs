//! The action journal and its controls.

pub(super) mod export;
mod short;
pub(super) mod unattended;

use super::{App, Caller, failure, success};
use axum::{
    Extension, Json,
    body::Bytes,
    extract::{
        FromRequestParts, Path, Query, State,
        rejection::{JsonRejection, QueryRejection},
    },
    http::{StatusCode, request::Parts},
    response::Response,
};
use remediation::{ControlError, Decider, Plan};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::sync::Arc;
use store::{
    Action, ActionFilter, ActionId, Look, Record, State as ActionState, StoreError, Transition,
    UnknownWord,
};

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
    /// What stands in its way, where `reason` does not say so; none where it goes on at its time.
    held_up: Option<String>,
    /// Oldest first.
    transitions: Vec<Transition>,
    /// What each look at the effect found, oldest first.
    looks: Vec<Look>,
}

/// Actions with their history, newest first.
pub(super) async fn list(State(app): State<Arc<App>>, Asked(query): Asked<ListQuery>) -> Response {
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
        Ok(actions) if actions.is_empty() => match stranger(&app, filter).await {
            Ok(None) => success(actions),
            Ok(Some(sentence)) => failure(StatusCode::NOT_FOUND, sentence),
            Err(error) => refused(error.into()),
        },
        Ok(actions) => success(actions),
        Err(error) => refused(error.into()),
    }
}

/// A sentence about a workload that neither the configuration nor the journal knows.
async fn stranger(app: &App, filter: ActionFilter) -> Result<Option<String>, StoreError> {
    let Some(name) = filter.workload else {
        return Ok(None);
    };
    let configured = app.remediation.workload_names();
    if configured.contains(&name) {
        return Ok(None);
    }
    let any = ActionFilter {
        workload: Some(name.clone()),
        ..ActionFilter::default()
    };
    if !app.remediation.actions(&any, 1).await?.is_empty() {
        return Ok(None);
    }
    let known = match &configured[..] {
        [] => "there is none".to_owned(),
        names => format!("there are {}", names.join(", ")),
    };
    let sentence = format!("no workload {name:?} is configured, nor has it an action: {known}");
    Ok(Some(sentence))
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
    let Record {
        action,
        transitions,
        looks,
        ..
    } = app.remediation.record_up_to(id, 0).await?;
    let plan = Plan::from_json(action.plan.as_ref());
    Ok(WithHistory {
        plan_hash: plan.ok().map(|plan| plan.hash()),
        held_up: app.remediation.held_up(&action),
        action,
        transitions,
        looks,
    })
}

/// What the query of an address asks for; what cannot be read is refused.
pub(super) struct Asked<T>(T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let query = Query::from_request_parts(parts, state).await;
        let refused = |error: QueryRejection| failure(error.status(), error.body_text());
        query.map(|Query(query)| Self(query)).map_err(refused)
    }
}

/// The action that an address names, by its identifier or by as much of its beginning as tells it from all others.
pub(super) struct Named(ActionId);

impl FromRequestParts<Arc<App>> for Named {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        let id = Path::<String>::from_request_parts(parts, app).await;
        let Path(id) = id.map_err(|error| failure(error.status(), error.body_text()))?;
        match id.parse::<ActionId>() {
            Ok(id) => Ok(Self(id)),
            Err(_) if short::is_beginning(&id) => {
                let found = app
                    .remediation
                    .actions_beginning_with(&id, short::TOLD)
                    .await;
                let found = found.map_err(|error| refused(error.into()))?;
                let only = short::only(&id, &found);
                only.map(Self)
                    .map_err(|(status, sentence)| failure(status, sentence))
            }
            Err(error) => Err(unknown(&error)),
        }
    }
}

/// One action with its history.
pub(super) async fn show(State(app): State<Arc<App>>, Named(id): Named) -> Response {
    match with_history(&app, id).await {
        Ok(action) => success(action),
        Err(error) => refused(error.into()),
    }
}

/// The state that an action was seen in.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct SeenState(ActionState);

impl TryFrom<String> for SeenState {
    type Error = UnknownWord;

    fn try_from(word: String) -> Result<Self, UnknownWord> {
        word.parse().map(Self)
    }
}

/// What a decision is about; what is left out may be whatever there is.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    /// The hash of the plan that was seen.
    plan_hash: Option<String>,
    state: Option<SeenState>,
    stage: Option<u32>,
}

impl Seen {
    /// Reads a body, which may be empty.
    fn read(body: &Bytes) -> Result<Self, serde_json::Error> {
        match body.as_ref() {
            b"" => Ok(Self::default()),
            body => serde_json::from_slice(body),
        }
    }

    fn by<'a>(&'a self, name: &'a str) -> Decider<'a> {
        Decider {
            name,
            state: self.state.map(|SeenState(state)| state),
            stage: self.stage,
            plan: self.plan_hash.as_deref(),
        }
    }
}

/// Says yes to an action that awaits approval, or to an effect that waits for a judgement. The body may be empty.
pub(super) async fn approve(
    State(app): State<Arc<App>>,
    Extension(Caller { name: actor, .. }): Extension<Caller>,
    Named(id): Named,
    body: Bytes,
) -> Response {
    let seen = match Seen::read(&body) {
        Ok(seen) => seen,
        Err(error) => return failure(StatusCode::BAD_REQUEST, error),
    };
    let decision = app.remediation.approve(id, seen.by(&actor), app.now());
    decided(&app, decision.await)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Override {
    replicas: u32,
    plan_hash: Option<String>,
    state: Option<SeenState>,
    stage: Option<u32>,
}

impl From<Override> for Seen {
    fn from(body: Override) -> Self {
        Self {
            plan_hash: body.plan_hash,
            state: body.state,
            stage: body.stage,
        }
    }
}

/// Puts another number in place of the planned one, and says yes to it.
pub(super) async fn override_plan(
    State(app): State<Arc<App>>,
    Extension(Caller { name: actor, .. }): Extension<Caller>,
    Named(id): Named,
    body: Result<Json<Override>, JsonRejection>,
) -> Response {
    let Json(body) = match body {
        Ok(body) => body,
        Err(error) => return failure(error.status(), error.body_text()),
    };
    let (replicas, seen) = (body.replicas, Seen::from(body));
    let decision = app
        .remediation
        .override_plan(id, seen.by(&actor), replicas, app.now());
    decided(&app, decision.await)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rejection {
    reason: String,
    state: Option<SeenState>,
    stage: Option<u32>,
}

/// Says no to an action that has had no effect yet; the reason is kept.
pub(super) async fn reject(
    State(app): State<Arc<App>>,
    Extension(Caller { name: actor, .. }): Extension<Caller>,
    Named(id): Named,
    body: Result<Json<Rejection>, JsonRejection>,
) -> Response {
    let Rejection {
        reason,
        state,
        stage,
    } = match body {
        Ok(Json(body)) if !body.reason.trim().is_empty() => body,
        Ok(_) => return failure(StatusCode::BAD_REQUEST, "a rejection takes a reason"),
        Err(error) => return failure(error.status(), error.body_text()),
    };
    let seen = Seen {
        plan_hash: None,
        state,
        stage,
    };
    let decision = app
        .remediation
        .reject(id, seen.by(&actor), &reason, app.now());
    decided(&app, decision.await)
}

/// Orders the way back. The body may be empty.
pub(super) async fn rollback(
    State(app): State<Arc<App>>,
    Extension(Caller { name: actor, .. }): Extension<Caller>,
    Named(id): Named,
    body: Bytes,
) -> Response {
    let seen = match Seen::read(&body) {
        Ok(seen) => seen,
        Err(error) => return failure(StatusCode::BAD_REQUEST, error),
    };
    let decision = app.remediation.rollback(id, seen.by(&actor), app.now());
    decided(&app, decision.await)
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
        | ControlError::MovedOn { .. }
        | ControlError::NotConfigured(_)
        | ControlError::NotAllowed(_)
        | ControlError::Journal(
            StoreError::Conflict { .. } | StoreError::PlanChanged { .. } | StoreError::Busy { .. },
        ) => StatusCode::CONFLICT,
        ControlError::Journal(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}
