//! Taking in notifications: every alert gets an outcome with a reason, written down before it is answered.

use crate::{
    Remediation, RemediationError,
    config::{Settings, Workload},
    machine::PLANNING_LIMIT,
};
use alertmanager_client::webhook::{Alert, Status, Webhook};
use serde::Serialize;
use serde_json::json;
use series::Timestamp;
use std::collections::BTreeMap;
use store::{
    Accepted, ActionId, AlertStatus, Cause, Delivery, Intake, Outcome, Proposal, RecordedDelivery,
    StoreError,
};

/// What became of a notification.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Receipt {
    /// One for each alert, in the order of the notification.
    pub alerts: Vec<AlertReceipt>,
    /// How many alerts Alertmanager left out; they are not known to us.
    pub truncated: u64,
}

/// What became of one alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AlertReceipt {
    /// Which alert.
    pub fingerprint: String,
    /// Whether it fires.
    pub status: AlertStatus,
    /// Whether it was heard of before; the rest is then what was found out at that time.
    pub is_duplicate: bool,
    /// The workload that it is about.
    pub workload: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// Why, as a sentence.
    pub reason: String,
    /// The action that it brought about, joined or ended.
    pub action: Option<ActionId>,
}

/// The name under which the receiver writes history.
const RECEIVER: &str = "receiver";

impl Remediation {
    /// Takes in a notification. Once this returns, all of it is on the disk and may be answered with 200; an
    /// error should be answered with 503, which makes Alertmanager send it again.
    ///
    /// Labels only choose among the configured workloads: the first in the file whose `match` they carry.
    pub async fn receive(
        &self,
        webhook: &Webhook,
        now: Timestamp,
    ) -> Result<Receipt, RemediationError> {
        let current = self.current();
        let intakes = self.intakes(webhook, &current.settings, now).await?;
        let accepted = self.journal.take_in(intakes).await?;
        Ok(Receipt {
            alerts: accepted.into_iter().map(told).collect(),
            truncated: webhook.truncated_alerts,
        })
    }

    /// What each alert asks for. The guards are looked at once for each workload.
    async fn intakes(
        &self,
        webhook: &Webhook,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<Vec<Intake>, StoreError> {
        let about = webhook.alerts.iter().map(|alert| {
            let mut workloads = settings.workloads.iter();
            workloads.find(|workload| is_about(alert, workload))
        });
        let about: Vec<_> = about.collect();
        let asked: BTreeMap<_, _> = std::iter::zip(&webhook.alerts, &about)
            .filter(|(alert, _)| alert.status == Status::Firing)
            .filter_map(|(_, workload)| workload.map(|workload| (workload.name.as_str(), workload)))
            .collect();
        let deferrals = self.deferrals(&asked, &settings.guards, now).await?;
        let intake = |(alert, workload): (&Alert, Option<&Workload>)| {
            let delivery = delivery(webhook, alert, now);
            match (delivery.status, workload) {
                (AlertStatus::Resolved, workload) => Intake::Ends {
                    delivery,
                    workload: workload.map(|workload| workload.name.clone()),
                    actor: RECEIVER.to_owned(),
                },
                (AlertStatus::Firing, Some(workload)) => {
                    let name = workload.name.as_str();
                    Intake::Asks {
                        delivery,
                        proposal: proposal(workload, format!("an alert about {name} fires"), now),
                        deferral: deferrals.get(name).cloned(),
                    }
                }
                (AlertStatus::Firing, None) => Intake::Strays {
                    delivery,
                    reason: "no workload's `match` fits the labels of the alert".to_owned(),
                },
            }
        };
        Ok(std::iter::zip(&webhook.alerts, about).map(intake).collect())
    }
}

/// Tells of what is new. What is sent again is most of what comes in at a bad hour.
fn told(accepted: Accepted) -> AlertReceipt {
    let receipt = receipt(accepted);
    if receipt.is_duplicate {
        return receipt;
    }
    tracing::info!(
        fingerprint = receipt.fingerprint,
        status = %receipt.status,
        outcome = %receipt.outcome,
        workload = receipt.workload,
        reason = receipt.reason,
        "alert taken in"
    );
    receipt
}

/// What an alert says is kept up to so many bytes; Alertmanager's own limits are far below.
const MAX_KEPT_BYTES: usize = 32 << 10;

fn delivery(webhook: &Webhook, alert: &Alert, now: Timestamp) -> Delivery {
    let said = json!({
        "receiver": webhook.receiver_name(),
        "external_url": webhook.external_url,
        "group_labels": webhook.group_labels,
        "labels": alert.labels,
        "annotations": alert.annotations,
        "generator_url": alert.generator_url,
    });
    let is_kept = said.to_string().len() <= MAX_KEPT_BYTES;

    Delivery {
        cause: Cause {
            fingerprint: alert.fingerprint.clone(),
            starts_at: time(alert.starts_at),
        },
        status: match alert.status {
            Status::Firing => AlertStatus::Firing,
            Status::Resolved => AlertStatus::Resolved,
        },
        ends_at: alert.ends_at.map(time),
        received_at: now,
        alert: is_kept.then_some(said),
    }
}

fn time(at: jiff::Timestamp) -> Timestamp {
    Timestamp::from_millis(at.as_millisecond())
}

fn is_about(alert: &Alert, workload: &Workload) -> bool {
    let mut wanted = workload.labels.iter();
    wanted.all(|(name, value)| alert.labels.get(name).is_some_and(|seen| seen == value))
}

pub(crate) fn proposal(workload: &Workload, reason: String, now: Timestamp) -> Proposal {
    Proposal {
        workload: workload.name.clone(),
        mode: workload.mode,
        deadline: now + PLANNING_LIMIT,
        reason,
        actor: RECEIVER.to_owned(),
    }
}

fn receipt(accepted: Accepted) -> AlertReceipt {
    let (is_duplicate, delivery): (bool, RecordedDelivery) = match accepted {
        Accepted::New(delivery) => (false, delivery),
        Accepted::Duplicate(delivery) => (true, delivery),
    };
    AlertReceipt {
        fingerprint: delivery.cause.fingerprint,
        status: delivery.status,
        is_duplicate,
        workload: delivery.workload,
        outcome: delivery.outcome,
        reason: delivery.reason,
        action: delivery.action,
    }
}
