//! Alerts that are judged once more: matched with the workloads of a new configuration, or taken in again.

use crate::{
    Remediation,
    attention::{Group, Memory},
    config::Workload,
    receiver::proposal,
    remediation::Current,
};
use series::Timestamp;
use std::sync::Arc;
use store::{Delivery, Intake, StoreError};

/// Alerts that one tick takes in once more; the others follow.
const MAX_DOUBTED: u32 = 1_000;

/// Alerts that are matched anew at once.
const PAGE: u32 = 500;

impl Remediation {
    /// Takes in once more what was heard of right after its end and has not been ended again: it fires anew.
    pub(crate) async fn take_up_doubted(
        &self,
        current: &Current,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for doubted in self.journal.doubted(now, MAX_DOUBTED).await? {
            let name = doubted.workload.unwrap_or_default();
            let Some(workload) = current.settings.workload(&name) else {
                continue;
            };
            let guards = &current.settings.guards;
            let obstacle = self.deferral(workload, guards, now).await?;
            let intake = Intake::Asks {
                delivery: Delivery {
                    cause: doubted.cause,
                    status: doubted.status,
                    ends_at: None,
                    received_at: now,
                    alert: doubted.alert,
                },
                proposal: proposal(workload, format!("an alert about {name} fires"), now),
                deferral: obstacle.map(|obstacle| obstacle.why),
            };
            self.journal.take_in(vec![intake]).await?;
        }
        Ok(())
    }

    /// Matches alerts anew that nothing is done about, once for each configuration, and where their workload is gone:
    /// one may have come, gone or got another name.
    pub(crate) async fn match_anew(
        &self,
        memory: &mut Memory,
        current: &Arc<Current>,
    ) -> Result<(), StoreError> {
        let number = current.number;
        memory.is_new_config = memory.matched.is_none_or(|(matched, _)| matched != number);
        // An action that the reload has ended frees its alerts only then.
        let is_gone = |group: &Group| current.settings.workload(&group.workload).is_none();
        let are_freed = memory.groups.iter().any(is_gone)
            && memory
                .matched
                .is_some_and(|(_, at)| at != self.journal.changes());
        if !memory.is_new_config && !are_freed {
            return Ok(());
        }
        let mut after = 0;
        loop {
            let page = self.journal.unsettled(after, PAGE).await?;
            let Some((last, _)) = page.last() else {
                break;
            };
            after = *last;
            for (seq, alert) in &page {
                let Some(labels) = alert.alert.as_ref().and_then(|said| said.get("labels")) else {
                    continue;
                };
                let carries = |name: &str, value: &str| labels[name].as_str() == Some(value);
                let mut workloads = current.settings.workloads.iter();
                let fits =
                    |w: &&Workload| w.labels.iter().all(|(name, value)| carries(name, value));
                let now_about = workloads.find(fits).map(|workload| workload.name.as_str());
                if now_about != alert.workload.as_deref() {
                    let reason = match now_about {
                        Some(name) => format!("the alert is about workload {name} by now"),
                        None => "no workload's `match` fits the labels of the alert".to_owned(),
                    };
                    self.journal.rematch(*seq, now_about, &reason).await?;
                }
            }
        }
        memory.matched = Some((number, self.journal.changes()));
        Ok(())
    }
}
