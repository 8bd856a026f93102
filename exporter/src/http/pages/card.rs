//! One action on a page: what is asked, by when, and what may be answered.

use super::words::{at, cut, span};
use remediation::{
    Plan, Reason, Remediation,
    config::Workload,
    machine::{OnInconclusive, OnTimeout},
};
use serde::Serialize;
use series::Timestamp;
use std::collections::BTreeSet;
use store::{Action, AlertStatus, Record, RecordedDelivery, State};

/// Alerts that are told of one action; a storm has hundreds.
const MAX_ALERTS: usize = 5;

/// Characters of an alert's summary.
const MAX_SUMMARY: usize = 300;

/// What a page says of an action.
#[derive(Debug, Serialize)]
pub(super) struct Card {
    pub(super) id: String,
    pub(super) workload: String,
    state: StateView,
    mode: &'static str,
    /// Such as `4 → 8`; none before there is a plan.
    pub(super) change: Option<String>,
    /// What lies between, where there is something.
    stages: Option<String>,
    why: Option<String>,
    rehearsal: Option<String>,
    /// Why it stands where it does, where that is more than the plan's own words.
    reason: Option<String>,
    /// What stands in its way, as found last.
    held_up: Option<String>,
    due: Option<Due>,
    alerts: Vec<AlertView>,
    decisions: Decisions,
}

/// A state by its word and by its colour.
#[derive(Debug, Clone, Serialize)]
pub(super) struct StateView {
    word: String,
    tone: &'static str,
}

/// When a state ends.
#[derive(Debug, Serialize)]
struct Due {
    left: String,
    at: String,
    then: &'static str,
    is_urgent: bool,
}

/// An alert that calls for an action.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct AlertView {
    name: String,
    summary: Option<String>,
}

/// What may be answered in the present state.
#[derive(Debug, Default, Serialize)]
struct Decisions {
    /// What every form says that it is about.
    seen: Seen,
    approve: Option<&'static str>,
    change: Option<Bounds>,
    reject: Option<&'static str>,
    roll_back: bool,
    any: bool,
}

/// What a decision is about: the plan, if there is one, and where the action stood.
#[derive(Debug, Default, Serialize)]
struct Seen {
    plan: Option<String>,
    state: &'static str,
    stage: u32,
}

/// Between which numbers a person may choose.
#[derive(Debug, Serialize)]
struct Bounds {
    planned: u32,
    min: u32,
    max: u32,
}

impl Card {
    /// What is said of an action.
    pub(super) fn new(record: &Record, remediation: &Remediation, now: Timestamp) -> Self {
        let action = &record.action;
        // None where it is configured no more.
        let workload = remediation.workload(&action.workload);
        let workload = workload.as_ref();
        let plan = Plan::from_json(action.plan.as_ref()).ok();
        Self {
            id: action.id.to_string(),
            workload: action.workload.clone(),
            state: StateView::of(action.state),
            mode: action.mode.as_str(),
            change: plan.as_ref().map(change),
            stages: plan.as_ref().and_then(stages),
            why: plan.as_ref().map(|plan| plan.why.clone()),
            rehearsal: plan.as_ref().and_then(|plan| plan.rehearsal.clone()),
            reason: plan
                .as_ref()
                .is_none_or(|plan| !action.reason.contains(&plan.why))
                .then(|| action.reason.clone()),
            held_up: remediation.held_up(action),
            due: due(action, workload, now),
            alerts: alerts(&record.deliveries),
            decisions: decisions(action, plan.as_ref(), workload),
        }
    }

    /// Whether a person is waited for.
    pub(super) fn asks(&self) -> bool {
        self.decisions.approve.is_some()
    }
}

impl StateView {
    pub(super) fn of(state: State) -> Self {
        Self {
            word: state.as_str().replace('_', " "),
            tone: tone(state),
        }
    }

    /// The reason that alerts are not acted upon for; one that nobody chose stands out.
    pub(super) fn of_reason(reason: Reason) -> Self {
        Self {
            word: reason.as_str().replace('_', " "),
            tone: if reason.is_intended() { "over" } else { "asks" },
        }
    }
}

/// The colour of a state.
fn tone(state: State) -> &'static str {
    match state {
        State::AwaitingApproval | State::Paused => "asks",
        State::Proposed
        | State::Grace
        | State::Applying
        | State::Verifying
        | State::RollingBack => "runs",
        State::Succeeded => "good",
        State::Failed => "bad",
        State::RolledBack => "back",
        State::Rejected | State::Expired | State::Superseded => "over",
    }
}

/// A plan's change in as few words as can be.
pub(super) fn change(plan: &Plan) -> String {
    format!("{} → {}", plan.observed, plan.target)
}

fn stages(plan: &Plan) -> Option<String> {
    let between = plan.stages.split_last()?.1;
    if between.is_empty() {
        return None;
    }
    let shapes: Vec<_> = between.iter().map(|s| s.shape.to_string()).collect();
    Some(format!("by way of {}", shapes.join(", then ")))
}

fn due(action: &Action, workload: Option<&Workload>, now: Timestamp) -> Option<Due> {
    let deadline = action.deadline.filter(|_| action.state.is_open())?;
    let left = deadline.since(now);
    let then = match action.state {
        State::AwaitingApproval => match workload?.pace.on_timeout {
            OnTimeout::Approve => "then it goes ahead",
            OnTimeout::Reject => "then it expires",
        },
        State::Proposed => "then it expires",
        State::Grace => "then it begins, if the way is clear",
        State::Verifying => "then it is looked at",
        State::Paused => match workload?.pace.on_inconclusive {
            OnInconclusive::Keep => "then the effect stays",
            OnInconclusive::Rollback => "then it is taken back",
        },
        _ => "then it is given up",
    };
    Some(Due {
        left: span(left),
        at: at(deadline),
        then,
        is_urgent: matches!(
            action.state,
            State::AwaitingApproval | State::Grace | State::Paused
        ),
    })
}

/// The alerts that called for an action, each by name and summary once.
fn alerts(deliveries: &[RecordedDelivery]) -> Vec<AlertView> {
    let firing = deliveries
        .iter()
        .filter(|delivery| delivery.status == AlertStatus::Firing);
    let said: BTreeSet<_> = firing.filter_map(alert).collect();
    said.into_iter().take(MAX_ALERTS).collect()
}

fn alert(delivery: &RecordedDelivery) -> Option<AlertView> {
    let said = delivery.alert.as_ref()?;
    let annotations = &said["annotations"];
    let summary = ["summary", "description"]
        .into_iter()
        .find_map(|name| annotations[name].as_str());
    Some(AlertView {
        name: alert_name(delivery),
        summary: summary.map(|text| cut(text, MAX_SUMMARY)),
    })
}

/// What an alert is called.
pub(super) fn alert_name(delivery: &RecordedDelivery) -> String {
    let said = delivery.alert.as_ref();
    let name = said.and_then(|said| said["labels"]["alertname"].as_str());
    cut(name.unwrap_or(&delivery.cause.fingerprint), 80)
}

fn decisions(action: &Action, plan: Option<&Plan>, workload: Option<&Workload>) -> Decisions {
    let state = action.state;
    let Some(workload) = workload else {
        return Decisions::default();
    };
    let may_change = matches!(state, State::AwaitingApproval | State::Grace);
    let bounds = plan.filter(|_| may_change).and_then(|plan| {
        let range = workload.sizing.bounds(plan.observed);
        (!range.is_empty()).then(|| Bounds {
            planned: plan.target.replicas,
            min: *range.start(),
            max: *range.end(),
        })
    });
    let approve = match state {
        State::AwaitingApproval => Some("Approve"),
        State::Paused => Some("Keep the effect"),
        _ => None,
    };
    let reject = match state {
        State::Proposed | State::AwaitingApproval | State::Grace => Some("Reject"),
        State::Paused => Some("Take it back"),
        _ => None,
    };
    let may_be_left = state == State::Failed && action.pre_image.is_some();
    let roll_back = matches!(state, State::Verifying | State::Succeeded) || may_be_left;
    Decisions {
        seen: Seen {
            plan: plan.map(Plan::hash),
            state: state.as_str(),
            stage: action.stage,
        },
        approve: approve.filter(|_| plan.is_some()),
        any: approve.is_some() || bounds.is_some() || reject.is_some() || roll_back,
        change: bounds,
        reject,
        roll_back,
    }
}
