//! What people decide on a page, and the way back to it.

use super::{
    super::{App, actions, auth, origin, params::Params},
    ON_ACTION, ON_DECISION, Page, Pages, Place,
};
use crate::{config::Right, http::Caller};
use axum::{
    Extension,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use remediation::{ControlError, Decider, SwitchError};
use std::sync::Arc;
use store::ActionId;

/// What the token of the kill switch is about; no action is called that.
pub(super) const KILL_SWITCH: &str = "kill-switch";

/// What made the form, and who sent it.
type Asker = (Extension<Arc<Pages>>, Extension<Caller>);

/// Why something was not done, or not all of it, and with which status to say so.
struct Refusal {
    status: StatusCode,
    title: &'static str,
    sentence: String,
}

impl Refusal {
    fn new(status: StatusCode, sentence: String) -> Self {
        Self {
            status,
            title: "Not done",
            sentence,
        }
    }
}

/// A decision about an action, bound to the plan that was shown.
pub(super) async fn decide(
    State(app): State<Arc<App>>,
    (Extension(pages), Extension(caller)): Asker,
    Path((id, decision)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let outcome = match admitted(&pages, &caller, &id, &headers, &body) {
        Ok(form) => carry_out(&app, &caller.name, &id, &decision, &form).await,
        Err(refusal) => Err(refusal),
    };
    let back = format!("../{id}");
    answer(&app, &pages, &caller, ON_DECISION, outcome.map(|()| back))
}

/// The kill switch, thrown or released.
pub(super) async fn turn_kill_switch(
    State(app): State<Arc<App>>,
    (Extension(pages), Extension(caller)): Asker,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let outcome = match admitted(&pages, &caller, KILL_SWITCH, &headers, &body) {
        Ok(form) => turn(&app, &caller.name, &form).await,
        Err(refusal) => Err(refusal),
    };
    let back = "../actions".to_owned();
    answer(&app, &pages, &caller, ON_ACTION, outcome.map(|()| back))
}

fn answer(
    app: &App,
    pages: &Pages,
    caller: &Caller,
    place: Place,
    outcome: Result<String, Refusal>,
) -> Response {
    match outcome {
        Ok(back) => {
            app.wake.notify_one();
            (StatusCode::SEE_OTHER, [(header::LOCATION, back)]).into_response()
        }
        Err(refusal) => {
            let page = Page {
                caller,
                place,
                title: refusal.title,
            };
            pages.refuse(&page, refusal.status, &refusal.sentence)
        }
    }
}

/// The fields of a form that this caller may send and that we showed to them.
fn admitted(
    pages: &Pages,
    caller: &Caller,
    subject: &str,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Params, Refusal> {
    let forbidden = |sentence: String| Refusal::new(StatusCode::FORBIDDEN, sentence);
    if !caller.role.may(Right::Decide) {
        return Err(forbidden(auth::not_permitted(caller, Right::Decide)));
    }
    origin::check(headers).map_err(|sentence| forbidden(sentence.to_owned()))?;
    let form = Params::read(None, body);
    let token = form.required("token").unwrap_or_default();
    if !pages.tokens.is_ours(&caller.name, subject, token) {
        let sentence =
            "this form is not from this server, or from before it was started: load the page again";
        return Err(forbidden(sentence.to_owned()));
    }
    Ok(form)
}

async fn carry_out(
    app: &App,
    actor: &str,
    id: &str,
    decision: &str,
    form: &Params,
) -> Result<(), Refusal> {
    let id: ActionId = id.parse().map_err(|error| malformed(&error))?;
    let (remediation, now) = (&app.remediation, app.now());
    let seen = seen(actor, form).map_err(|error| malformed(&error))?;
    let of_plan = || match seen.plan {
        Some(_) => Ok(seen),
        None => Err(malformed(&"this takes the plan that it is about")),
    };
    let outcome = match decision {
        "approve" => remediation.approve(id, of_plan()?, now).await,
        "override" => {
            let replicas = form.required("replicas").unwrap_or_default().trim();
            let replicas = replicas
                .parse()
                .map_err(|_| malformed(&format!("`{replicas}` is no number of replicas")))?;
            let seen = of_plan()?;
            remediation.override_plan(id, seen, replicas, now).await
        }
        "reject" => remediation.reject(id, seen, reason(form)?, now).await,
        "rollback" => remediation.rollback(id, seen, now).await,
        _ => {
            let sentence = format!("`{decision}` is no decision");
            return Err(Refusal::new(StatusCode::NOT_FOUND, sentence));
        }
    };
    outcome.map(drop).map_err(undecided)
}

/// Who decides, and what the page showed of the action.
fn seen<'a>(name: &'a str, form: &'a Params) -> Result<Decider<'a>, String> {
    let state = form.required("state")?;
    let number = form.required("stage")?;
    let no_number = |_| format!("`{number}` is no stage");
    Ok(Decider {
        name,
        state: Some(state.parse().map_err(|error| format!("{error}"))?),
        stage: Some(number.parse().map_err(no_number)?),
        plan: form.all("plan").next(),
    })
}

async fn turn(app: &App, actor: &str, form: &Params) -> Result<(), Refusal> {
    let (remediation, now) = (&app.remediation, app.now());
    let outcome = match form.required("turn") {
        Ok("throw") => {
            let reason = reason(form)?;
            remediation.throw_kill_switch(actor, reason, now).await
        }
        Ok("release") => {
            let reason = reason(form)?;
            remediation.release_kill_switch(actor, reason, now).await
        }
        _ => return Err(malformed(&"a kill switch is thrown or released")),
    };
    outcome.map_err(unturned)
}

fn unturned(error: SwitchError) -> Refusal {
    let (status, title) = match &error {
        SwitchError::NotConfigured => (StatusCode::CONFLICT, "Not done"),
        SwitchError::ThrownAgain(_) => (StatusCode::CONFLICT, "Thrown again"),
        SwitchError::Unrecorded(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "Thrown, but not written down",
        ),
        SwitchError::File { .. } | SwitchError::Journal(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, "Not done")
        }
    };
    Refusal {
        status,
        title,
        sentence: format!("{:#}", anyhow::Error::new(error)),
    }
}

/// Why, as the journal keeps it.
fn reason(form: &Params) -> Result<&str, Refusal> {
    let reason = form.required("reason").unwrap_or_default().trim();
    if reason.is_empty() {
        return Err(malformed(&"this takes a reason"));
    }
    Ok(reason)
}

fn malformed(error: &dyn std::fmt::Display) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, error.to_string())
}

fn undecided(error: ControlError) -> Refusal {
    let status = actions::status(&error);
    Refusal::new(status, format!("{:#}", anyhow::Error::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::StoreError;

    #[test]
    fn a_thrown_switch_is_never_called_not_done() {
        let refusal = unturned(SwitchError::Unrecorded(StoreError::Interrupted));
        assert_eq!(refusal.title, "Thrown, but not written down");
        let sentence = "the kill switch is thrown and stops everything, but that could not be written down: \
                        writing to the journal was interrupted";
        assert_eq!(refusal.sentence, sentence);
        let refusal = unturned(SwitchError::Journal(StoreError::Interrupted));
        assert_eq!(refusal.title, "Not done");
    }
}
