//! Deliveries of the alerts of some notifications, as the journal holds them and as they have become since.

use crate::{
    ActionId, AlertStatus, Cause, Delivery, Intake, RecordedDelivery, State, StoreError,
    accept::Verdict,
    error::doing,
    lookup,
    occurrence::{Beginning, End},
    record::HEARING,
    rows,
};
use series::Timestamp;
use sqlx::SqliteConnection;
use std::collections::{BTreeSet, HashMap};

/// Ends of one alert that are looked at; an earlier one that is sent again is taken for another.
const MAX_ENDS: i64 = 8;

/// One delivery, as it is in the journal or is about to be.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// None until it is written.
    pub(crate) seq: Option<i64>,
    /// From when on an end is one of this beginning.
    pub(crate) begun_at: Timestamp,
    /// When the alert stopped, as its end says.
    pub(crate) ends_at: Option<Timestamp>,
    /// When the end of a beginning was heard, or an end was heard last.
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) delivery: RecordedDelivery,
    /// When it was last heard of, to some minutes.
    pub(crate) heard_at: Timestamp,
    /// Set where the journal does not have it like this.
    pub(crate) is_changed: bool,
    /// Set where the journal does not have the time like this.
    pub(crate) is_heard: bool,
}

impl Row {
    pub(crate) fn of(delivery: &Delivery, begun_at: Timestamp, verdict: Verdict) -> Self {
        let is_end = delivery.status == AlertStatus::Resolved;
        Self {
            seq: None,
            begun_at,
            ends_at: delivery.ends_at,
            ended_at: is_end.then_some(delivery.received_at),
            delivery: RecordedDelivery {
                cause: delivery.cause.clone(),
                status: delivery.status,
                workload: verdict.workload,
                received_at: delivery.received_at,
                outcome: verdict.outcome,
                reason: verdict.reason,
                action: verdict.action,
                alert: delivery.alert.clone(),
            },
            heard_at: delivery.received_at,
            is_changed: true,
            is_heard: false,
        }
    }

    fn is_firing(&self) -> bool {
        self.delivery.status == AlertStatus::Firing && self.ended_at.is_none()
    }

    fn as_beginning(&self) -> Beginning {
        Beginning {
            starts_at: self.delivery.cause.starts_at,
            begun_at: self.begun_at,
            heard_at: self.delivery.received_at,
        }
    }

    /// None for a beginning.
    fn as_end(&self) -> Option<End> {
        let is_end = self.delivery.status == AlertStatus::Resolved;
        is_end.then(|| End {
            stopped_at: stopped_at(
                self.ends_at,
                &self.delivery.cause,
                self.delivery.received_at,
            ),
            heard_at: self.ended_at.unwrap_or(self.delivery.received_at),
        })
    }
}

/// When an alert stopped: never before it began, and where its end does not say, when that was heard.
fn stopped_at(ends_at: Option<Timestamp>, cause: &Cause, heard_at: Timestamp) -> Timestamp {
    ends_at.unwrap_or(heard_at).max(cause.starts_at)
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Known {
    rows: Vec<Row>,
    by_alert: HashMap<String, Vec<usize>>,
    states: HashMap<ActionId, State>,
    /// By workload.
    open: HashMap<String, ActionId>,
    /// Number of alerts that call for an action, by what is written.
    counted: HashMap<ActionId, i64>,
    /// Number of alerts that do so since then, less those that ended.
    since: HashMap<ActionId, i64>,
}

impl Known {
    /// Reads what is known of the alerts of some notifications, and of the actions of their workloads.
    pub(crate) async fn load(
        connection: &mut SqliteConnection,
        notifications: &[Vec<Intake>],
    ) -> Result<Self, StoreError> {
        let (mut alerts, mut workloads) = (BTreeSet::new(), BTreeSet::new());
        for intake in notifications.iter().flatten() {
            alerts.insert(intake.delivery().cause.fingerprint.as_str());
            if let Intake::Asks { proposal, .. } = intake {
                workloads.insert(proposal.workload.as_str());
            }
        }
        let mut known = Self::default();
        known.load_rows(connection, &alerts).await?;
        let actions: BTreeSet<_> = known
            .rows
            .iter()
            .filter_map(|row| row.delivery.action)
            .collect();
        for (id, state) in lookup::states(connection, &actions).await? {
            known.states.insert(id, state);
        }
        for open in lookup::open_on(connection, &workloads).await? {
            known.states.insert(open.id, open.state);
            known.open.insert(open.workload, open.id);
        }
        Ok(known)
    }

    async fn load_rows(
        &mut self,
        connection: &mut SqliteConnection,
        alerts: &BTreeSet<&str>,
    ) -> Result<(), StoreError> {
        // What the alerts said is not needed, and may be long.
        let rows = sqlx::query(
            "SELECT seq, begun_at, ends_at, ended_at, heard_at, fingerprint, starts_at, status, workload, received_at, outcome,
                    reason, action, NULL AS alert
             FROM deliveries WHERE seq IN (
                 SELECT begun.seq FROM json_each($1) AS asked JOIN deliveries AS begun
                     ON begun.fingerprint = asked.value AND begun.status = 'firing' AND begun.ended_at IS NULL
                 UNION ALL
                 SELECT ended.seq FROM json_each($1) AS asked JOIN deliveries AS ended
                     ON ended.seq IN (
                         SELECT seq FROM deliveries WHERE fingerprint = asked.value AND status = 'resolved'
                         ORDER BY received_at DESC LIMIT $2))
             ORDER BY seq",
        )
        .bind(serde_json::json!(alerts).to_string())
        .bind(MAX_ENDS)
        .fetch_all(connection)
        .await
        .map_err(doing("look up the deliveries of alerts"))?;
        for row in &rows {
            self.push(rows::row(row)?);
        }
        Ok(())
    }

    fn push(&mut self, row: Row) -> usize {
        let idx = self.rows.len();
        let fingerprint = row.delivery.cause.fingerprint.clone();
        self.by_alert.entry(fingerprint).or_default().push(idx);
        self.rows.push(row);
        idx
    }

    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub(crate) fn row(&self, idx: usize) -> &Row {
        &self.rows[idx]
    }

    fn of_alert(&self, fingerprint: &str) -> impl DoubleEndedIterator<Item = usize> + '_ {
        self.by_alert
            .get(fingerprint)
            .into_iter()
            .flatten()
            .copied()
    }

    /// The occurrence that fires and includes this beginning, the last heard of first.
    pub(crate) fn beginning(&self, cause: &Cause) -> Option<usize> {
        self.of_alert(&cause.fingerprint).rev().find(|idx| {
            let row = &self.rows[*idx];
            row.is_firing() && row.as_beginning().includes(cause.starts_at)
        })
    }

    /// Notes that a beginning was heard of again, where it was not lately.
    pub(crate) fn hear(&mut self, idx: usize, now: Timestamp) {
        let row = &mut self.rows[idx];
        if now >= row.heard_at + HEARING {
            row.heard_at = now;
            row.is_heard = true;
        }
    }

    /// The ends of the alert that were heard.
    pub(crate) fn ends(&self, cause: &Cause) -> Vec<End> {
        self.of_alert(&cause.fingerprint)
            .filter_map(|idx| self.rows[idx].as_end())
            .collect()
    }

    /// The same end, as it was written down before. It counts as heard again.
    pub(crate) fn same_end(&mut self, delivery: &Delivery) -> Option<RecordedDelivery> {
        let idx = self.of_alert(&delivery.cause.fingerprint).find(|idx| {
            let row = &self.rows[*idx];
            row.delivery.status == AlertStatus::Resolved
                && row.delivery.cause == delivery.cause
                && row.ends_at.is_none_or(|at| Some(at) == delivery.ends_at)
        })?;
        let row = &mut self.rows[idx];
        row.ended_at = Some(delivery.received_at);
        row.is_changed = true;
        Some(row.delivery.clone())
    }

    /// Ends every beginning up to the end of an alert, and names the actions that they called for.
    pub(crate) fn end_beginnings(&mut self, end: &Delivery) -> BTreeSet<ActionId> {
        let stopped_at = stopped_at(end.ends_at, &end.cause, end.received_at);
        let mut actions = BTreeSet::new();
        for idx in self.of_alert(&end.cause.fingerprint).collect::<Vec<_>>() {
            let row = &self.rows[idx];
            if row.is_firing() && row.as_beginning().is_ended_by(stopped_at) {
                actions.extend(self.note_ended(idx, end.received_at));
            }
        }
        actions
    }

    /// Ends the beginnings that fired before this one began: an alert fires once at a time, so their ends got lost, or
    /// are not sent.
    pub(crate) fn end_earlier(&mut self, later: &Delivery) {
        for idx in self.of_alert(&later.cause.fingerprint).collect::<Vec<_>>() {
            if self.rows[idx].is_firing() {
                self.note_ended(idx, later.received_at);
            }
        }
    }

    /// Names the action that the beginning called for.
    fn note_ended(&mut self, idx: usize, now: Timestamp) -> Option<ActionId> {
        let row = &mut self.rows[idx];
        row.ended_at = Some(now);
        row.is_changed = true;
        let id = row.delivery.action?;
        *self.since.entry(id).or_default() -= 1;
        Some(id)
    }

    /// Adds a delivery.
    pub(crate) fn add(&mut self, row: Row) -> RecordedDelivery {
        if let (true, Some(id)) = (row.is_firing(), row.delivery.action) {
            *self.since.entry(id).or_default() += 1;
        }
        let idx = self.push(row);
        self.rows[idx].delivery.clone()
    }

    /// Writes over what was provisional of a beginning; when it was first heard of stays.
    pub(crate) fn settle(
        &mut self,
        idx: usize,
        begun_at: Timestamp,
        delivery: &Delivery,
        verdict: Verdict,
    ) -> RecordedDelivery {
        if let Some(id) = verdict.action {
            *self.since.entry(id).or_default() += 1;
        }
        let row = &mut self.rows[idx];
        row.begun_at = begun_at;
        row.is_changed = true;
        row.delivery = RecordedDelivery {
            workload: verdict.workload,
            outcome: verdict.outcome,
            reason: verdict.reason,
            action: verdict.action,
            alert: delivery.alert.clone(),
            ..row.delivery.clone()
        };
        row.delivery.clone()
    }

    /// The open action on a workload.
    pub(crate) fn open_action(&self, workload: &str) -> Option<ActionId> {
        self.open.get(workload).copied()
    }

    /// The state of an action that was read.
    pub(crate) fn state(&self, id: ActionId) -> Option<State> {
        self.states.get(&id).copied()
    }

    pub(crate) fn note_proposed(&mut self, id: ActionId, workload: &str) {
        self.states.insert(id, State::Proposed);
        self.open.insert(workload.to_owned(), id);
    }

    pub(crate) fn note_closed(&mut self, id: ActionId, state: State) {
        self.states.insert(id, state);
        self.open.retain(|_, open| *open != id);
    }

    /// Tells whether an alert that fires calls for an action.
    pub(crate) async fn is_called_for(
        &mut self,
        connection: &mut SqliteConnection,
        id: ActionId,
    ) -> Result<bool, StoreError> {
        let counted = match self.counted.get(&id) {
            Some(counted) => *counted,
            None => lookup::firing(connection, id).await?,
        };
        self.counted.insert(id, counted);
        Ok(counted + self.since.get(&id).copied().unwrap_or(0) > 0)
    }
}
