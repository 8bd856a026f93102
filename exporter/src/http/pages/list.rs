//! The list of actions: those that run, what was decided of late, and the kill switch.

use super::{
    card::{Card, StateView, change},
    forms::KILL_SWITCH,
    token::Tokens,
    unattended::Section,
    words::{ago, at, cut},
};
use crate::app::App;
use remediation::{KillSwitch, Plan, Remediation};
use serde::{Deserialize, Serialize};
use series::Timestamp;
use store::{Action, ActionFilter, State, StoreError};

/// Actions on one page.
const PAGE: u32 = 25;

/// Alerts of an open action that are read for the few that are told; a storm has tens of thousands.
const ALERTS_READ: u32 = 50;

/// Seconds between two loads of a page that keeps itself fresh.
const REFRESH: u32 = 10;

/// Characters of a reason in the table; the page of the action has all of it.
const MAX_REASON: usize = 200;

/// What is asked for in the address. Texts that mean nothing are taken for not given: an address is edited by hand.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ListQuery {
    workload: Option<String>,
    state: Option<String>,
    before: Option<String>,
    refresh: Option<String>,
}

/// The content of the page.
#[derive(Debug, Serialize)]
pub(super) struct List {
    now: String,
    /// Seconds until the page is loaded again; none where forms may be filled in.
    refresh: Option<u32>,
    refresh_link: String,
    switch: Option<SwitchView>,
    open: Vec<Asked>,
    unattended: Section,
    recent: Vec<Row>,
    workloads: Vec<Choice>,
    states: Vec<Choice>,
    is_filtered: bool,
    newest_link: Option<String>,
    older_link: Option<String>,
}

/// An open action, and the token of its forms.
#[derive(Debug, Serialize)]
struct Asked {
    card: Card,
    token: String,
}

/// A line of the table.
#[derive(Debug, Serialize)]
struct Row {
    id: String,
    workload: String,
    state: StateView,
    change: Option<String>,
    at: String,
    ago: String,
    reason: String,
}

/// One choice among others.
#[derive(Debug, Serialize)]
struct Choice {
    value: String,
    word: String,
    chosen: bool,
}

/// The kill switch as it is shown.
#[derive(Debug, Serialize)]
struct SwitchView {
    stands: Option<String>,
    file: String,
    last: Option<String>,
    token: String,
}

impl List {
    /// The title of the page: first of all how many people wait.
    pub(super) fn title(&self) -> String {
        let asking = self.open.iter().filter(|asked| asked.card.asks()).count();
        match asking {
            0 => "Actions".to_owned(),
            _ => format!("({asking}) Actions"),
        }
    }
}

/// Puts the page together for a caller.
pub(super) async fn list(
    app: &App,
    tokens: &Tokens,
    caller: &str,
    query: &ListQuery,
) -> Result<List, StoreError> {
    let (remediation, now) = (&app.remediation, app.now());
    let filter = filter(query);
    let found = remediation.actions(&filter, PAGE).await?;
    let older_link = (found.len() == PAGE as usize)
        .then(|| Some(address(&filter, Some(found.last()?), false)))
        .flatten();
    let mut open = Vec::new();
    for action in remediation.open_actions().await? {
        if filter.before.is_none() && fits(&action, &filter) {
            let record = remediation.record_up_to(action.id, ALERTS_READ).await?;
            open.push(Asked {
                card: Card::new(&record, remediation, now),
                token: tokens.issue(caller, &action.id.to_string()),
            });
        }
    }
    // Whoever is waited for comes first.
    open.sort_by_key(|asked| !asked.card.asks());
    let switch = remediation.kill_switch().await?;
    let is_fresh = query.refresh.is_some() && filter.before.is_none();
    Ok(List {
        now: at(now),
        refresh: is_fresh.then_some(REFRESH),
        refresh_link: address(&filter, None, !is_fresh),
        switch: switch.map(|switch| SwitchView::new(switch, tokens, caller, now)),
        open,
        unattended: unattended(remediation, &filter, now),
        recent: found
            .iter()
            .filter(|action| !action.state.is_open() || filter.before.is_some())
            .map(|action| row(action, now))
            .collect(),
        workloads: remediation
            .workload_names()
            .into_iter()
            .map(|name| Choice {
                chosen: filter.workload.as_ref() == Some(&name),
                word: name.clone(),
                value: name,
            })
            .collect(),
        states: State::ALL
            .iter()
            .map(|&state| Choice {
                chosen: filter.state == Some(state),
                word: state.as_str().replace('_', " "),
                value: state.to_string(),
            })
            .collect(),
        is_filtered: filter.workload.is_some() || filter.state.is_some(),
        newest_link: filter.before.map(|_| address(&filter, None, false)),
        older_link,
    })
}

fn filter(query: &ListQuery) -> ActionFilter {
    let workload = query.workload.clone();
    ActionFilter {
        workload: workload.filter(|name| !name.is_empty()),
        state: query.state.as_deref().and_then(|word| word.parse().ok()),
        before: query.before.as_deref().and_then(|id| id.parse().ok()),
    }
}

/// Alerts that nothing is done about are in no state, and are on the first page alone.
fn unattended(remediation: &Remediation, filter: &ActionFilter, now: Timestamp) -> Section {
    if filter.before.is_some() || filter.state.is_some() {
        return Section::default();
    }
    Section::new(remediation, filter.workload.as_deref(), now)
}

fn fits(action: &Action, filter: &ActionFilter) -> bool {
    let is_about = filter.workload.as_ref();
    is_about.is_none_or(|name| *name == action.workload)
        && filter.state.is_none_or(|state| state == action.state)
}

/// The query of this list from another action on.
fn address(filter: &ActionFilter, before: Option<&Action>, is_fresh: bool) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    if let Some(workload) = &filter.workload {
        query.append_pair("workload", workload);
    }
    if let Some(state) = filter.state {
        query.append_pair("state", state.as_str());
    }
    if let Some(action) = before {
        query.append_pair("before", &action.id.to_string());
    }
    if is_fresh {
        query.append_pair("refresh", &REFRESH.to_string());
    }
    query.finish()
}

fn row(action: &Action, now: Timestamp) -> Row {
    let plan = Plan::from_json(action.plan.as_ref()).ok();
    Row {
        id: action.id.to_string(),
        workload: action.workload.clone(),
        state: StateView::of(action.state),
        change: plan.as_ref().map(change),
        at: at(action.updated_at),
        ago: ago(action.updated_at, now),
        reason: cut(&action.reason, MAX_REASON),
    }
}

impl SwitchView {
    fn new(switch: KillSwitch, tokens: &Tokens, caller: &str, now: Timestamp) -> Self {
        let last = switch.last.map(|turn| {
            let what = if turn.thrown { "thrown" } else { "released" };
            let (when, who) = (ago(turn.at, now), turn.actor);
            let here = format!("last {what} by {who}, {when}: {}", turn.reason);
            match (turn.thrown, &switch.stands) {
                (false, Some(_)) => format!("it stands all the same; here {here}"),
                (true, None) => format!("the file is gone all the same; here {here}"),
                _ => here,
            }
        });
        Self {
            stands: switch.stands,
            file: switch.file.display().to_string(),
            last,
            token: tokens.issue(caller, KILL_SWITCH),
        }
    }
}
