//! Alerts that go on firing: taken up once nothing stands against them any more, and again when more is
//! foreseen than was done.

use crate::{
    Plan, Remediation,
    config::{Settings, Workload},
    receiver::proposal,
    sizing::Sized,
};
use series::Timestamp;
use std::{collections::BTreeSet, time::Duration};
use store::{Action, Delivery, StoreError};

/// How long after it was first heard of an alert is kept in mind. Its end may have got lost, and what was
/// deferred and fires for longer is delivered again.
const ATTENTION: Duration = Duration::from_hours(24);

/// How many deferred alerts one tick looks at; the others are looked at once these have gone.
const MAX_DEFERRED: u32 = 1_000;

impl Remediation {
    /// Takes up what still fires and was not settled. Alertmanager would repeat it too, but only after hours.
    pub(crate) async fn reconsider(&self, now: Timestamp) -> Result<(), StoreError> {
        let current = self.current();
        self.take_up(&current.settings, now).await?;
        self.take_up_again(&current.settings, now).await
    }

    /// Deferred alerts that nothing stands against any more, and those that fire anew since their end was heard.
    async fn take_up(&self, settings: &Settings, now: Timestamp) -> Result<(), StoreError> {
        let mut waiting = BTreeSet::new();
        let since = now - ATTENTION;
        let doubted = self.journal.doubted(now, MAX_DEFERRED).await?;
        let deferred = self.journal.deferred(since, MAX_DEFERRED).await?;
        for deferred in doubted.into_iter().chain(deferred) {
            let name = deferred.workload.unwrap_or_default();
            let Some(workload) = settings.workload(&name) else {
                continue;
            };
            if waiting.contains(&name) {
                continue;
            }
            if self
                .deferral(workload, &settings.guards, now)
                .await?
                .is_some()
            {
                waiting.insert(name);
                continue;
            }
            let delivery = Delivery {
                cause: deferred.cause,
                status: deferred.status,
                ends_at: None,
                received_at: now,
                alert: deferred.alert,
            };
            let reason = format!("an alert about {name} fires");
            let proposal = proposal(workload, reason, now);
            self.journal.accept(&delivery, &proposal).await?;
        }
        Ok(())
    }

    /// Alerts that outlast an action whose plan is too small by now: one step is rarely all the way.
    async fn take_up_again(&self, settings: &Settings, now: Timestamp) -> Result<(), StoreError> {
        for past in self.journal.outlasted(now - ATTENTION).await? {
            let Some(workload) = settings.workload(&past.workload) else {
                continue;
            };
            let guards = &settings.guards;
            if !self.is_outgrown(workload, &past, now).await?
                || self.deferral(workload, guards, now).await?.is_some()
            {
                continue;
            }
            let reason = format!("more is foreseen than action {} was planned for", past.id);
            let proposal = proposal(workload, reason, now);
            self.journal.propose_again(past.id, &proposal, now).await?;
        }
        Ok(())
    }

    async fn is_outgrown(
        &self,
        workload: &Workload,
        past: &Action,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let outlook = self.outlook(workload).await?;
        let (Ok(plan), Some(foreseen)) = (
            Plan::from_json(past.plan.as_ref()),
            self.foreseen(&outlook, now),
        ) else {
            return Ok(false);
        };
        let sized = outlook.sizing.size(&foreseen, plan.target);
        Ok(matches!(sized, Sized::Up { .. }))
    }
}
