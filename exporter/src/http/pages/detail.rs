//! One action with its whole history.

use super::{
    card::{Card, StateView, alert_name},
    chart::Chart,
    words::{at, cut, span},
};
use crate::figures::{found, number, percent};
use remediation::{Effect, Measured, Plan, Remediation, Shape};
use serde::{Deserialize as _, Serialize};
use serde_json::Value;
use series::Timestamp;
use std::time::Duration;
use store::{Look, LookVerdict, Record, RecordedDelivery, Transition};

/// Alerts in the table; an export has all of them.
pub(super) const MAX_ALERTS: u32 = 50;

/// Characters of what a check found.
const MAX_FOUND: usize = 120;

/// The content of the page.
#[derive(Debug, Serialize)]
pub(super) struct Detail {
    card: Card,
    token: String,
    chart: Option<Chart>,
    facts: Vec<(&'static str, String)>,
    measured: Option<MeasuredView>,
    history: Vec<Step>,
    looks: Vec<LookView>,
    alerts: Vec<AlertRow>,
    more_alerts: u64,
}

/// What was measured before and after the effect.
#[derive(Debug, Serialize)]
struct MeasuredView {
    /// Name, before, after.
    rows: Vec<(&'static str, String, String)>,
    lead_times: Vec<String>,
}

/// A line of history.
#[derive(Debug, Serialize)]
struct Step {
    at: String,
    from: Option<StateView>,
    to: StateView,
    actor: String,
    reason: String,
}

/// A look at the effect.
#[derive(Debug, Serialize)]
struct LookView {
    at: String,
    stage: u32,
    number: u32,
    check: String,
    verdict: &'static str,
    tone: &'static str,
    before: String,
    after: String,
    reason: String,
}

/// An alert that has to do with the action.
#[derive(Debug, Serialize)]
struct AlertRow {
    name: String,
    labels: String,
    status: &'static str,
    received: String,
    outcome: &'static str,
    reason: String,
}

impl Detail {
    /// What the page is about, in its title.
    pub(super) fn headline(&self) -> String {
        match &self.card.change {
            Some(change) => format!("{} {change}", self.card.workload),
            None => self.card.workload.clone(),
        }
    }
}

/// Puts the page together. `token` is the one of its forms.
pub(super) fn detail(
    record: &Record,
    remediation: &Remediation,
    chart: Option<Chart>,
    token: String,
    now: Timestamp,
) -> Detail {
    let alerts = &record.deliveries;
    Detail {
        card: Card::new(record, remediation, now),
        token,
        chart,
        facts: facts(record),
        measured: record.action.effect.as_ref().and_then(measured),
        history: record.transitions.iter().map(step).collect(),
        looks: record.looks.iter().map(look).collect(),
        more_alerts: record.n_deliveries.saturating_sub(alerts.len() as u64),
        alerts: alerts.iter().map(alert).collect(),
    }
}

fn facts(record: &Record) -> Vec<(&'static str, String)> {
    let action = &record.action;
    let mut facts = vec![("Proposed", at(action.created_at))];
    facts.extend(action.applied_at.map(|time| ("Effect ordered", at(time))));
    facts.push(("Last changed", at(action.updated_at)));
    if let Ok(plan) = Plan::from_json(action.plan.as_ref()) {
        let n_stages = plan.stages.len();
        if action.applied_at.is_some() && n_stages > 1 {
            let stage = format!("{} of {n_stages}", action.stage + 1);
            facts.push(("Stage", stage));
        }
        facts.push(("Demand", demand(&plan)));
        let peak = Timestamp::from_millis(plan.demand_at);
        facts.push(("Demand expected", at(peak)));
        facts.push(("Plan", plan.hash().chars().take(12).collect()));
    }
    if let Ok(shape) = Shape::from_json(action.pre_image.as_ref()) {
        facts.push(("Found before the effect", shape.to_string()));
    }
    facts.push(("Identifier", action.id.to_string()));
    facts
}

fn demand(plan: &Plan) -> String {
    let (value, quantile) = (number(plan.demand), number(plan.quantile));
    format!("{value} within {} at quantile {quantile}", plan.horizon)
}

fn measured(effect: &Value) -> Option<MeasuredView> {
    let effect = Effect::deserialize(effect).ok()?;
    let (before, after) = (effect.before.as_ref(), effect.after.as_ref());
    let row = |name, read: &dyn Fn(&Measured) -> Option<String>| {
        let cells = [before, after].map(|side| side.and_then(read));
        let has_any = cells.iter().any(Option::is_some);
        let [before, after] = cells.map(|cell| cell.unwrap_or_else(|| "–".to_owned()));
        has_any.then_some((name, before, after))
    };
    let rows = [
        row("Measured at", &|m| Some(at(Timestamp::from_millis(m.at)))),
        row("Replicas", &|m| Some(m.replicas.to_string())),
        row("Demand", &|m| m.demand.map(number)),
        row("Utilisation", &|m| m.utilisation.map(percent)),
        row("Objective", &|m| m.objective.map(number)),
        row("Cost", &|m| m.cost.map(number)),
    ];
    let lead_times = effect.lead_seconds.iter().filter_map(|(stage, seconds)| {
        let took = Duration::try_from_secs_f64(*seconds).ok()?;
        Some(format!("stage {} ready after {}", stage + 1, span(took)))
    });
    Some(MeasuredView {
        rows: rows.into_iter().flatten().collect(),
        lead_times: lead_times.collect(),
    })
}

fn step(transition: &Transition) -> Step {
    Step {
        at: at(transition.at),
        from: transition.from.map(StateView::of),
        to: StateView::of(transition.to),
        actor: transition.actor.clone(),
        reason: transition.reason.clone(),
    }
}

fn look(look: &Look) -> LookView {
    let side = |value: &Option<Value>| {
        let found = value.as_ref().and_then(found);
        found.map_or_else(|| "–".to_owned(), |text| cut(&text, MAX_FOUND))
    };
    LookView {
        at: at(look.at),
        stage: look.stage + 1,
        number: look.number,
        check: look.check.clone(),
        verdict: look.verdict.as_str(),
        tone: match look.verdict {
            LookVerdict::Baseline => "over",
            LookVerdict::Successful => "good",
            LookVerdict::Failed | LookVerdict::Error => "bad",
            LookVerdict::Inconclusive => "asks",
        },
        before: side(&look.before),
        after: side(&look.after),
        reason: look.reason.clone(),
    }
}

fn alert(delivery: &RecordedDelivery) -> AlertRow {
    let said = delivery.alert.as_ref();
    let labels = said.and_then(|said| said["labels"].as_object());
    let labels = labels.into_iter().flatten();
    let labels: Vec<_> = labels
        .filter(|(name, _)| name.as_str() != "alertname")
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    AlertRow {
        name: alert_name(delivery),
        labels: cut(&labels.join(", "), MAX_FOUND * 2),
        status: delivery.status.as_str(),
        received: at(delivery.received_at),
        outcome: delivery.outcome.as_str(),
        reason: delivery.reason.clone(),
    }
}
