//! What receiver, supervisor and controls share.

use crate::{
    Alerting, Evidence, Foresight, RemediationError,
    actuator::Actuator,
    ages::Ages,
    attention::Attention,
    config::{Settings, Workload},
    ports::{Drivers, Ports},
    presence::Presence,
    progress::Progress,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
};
use store::Journal;

/// Turns alerts into guarded actions. One per journal; share it in an `Arc`.
pub struct Remediation {
    pub(crate) journal: Journal,
    pub(crate) foresight: Arc<dyn Foresight>,
    pub(crate) evidence: Arc<dyn Evidence>,
    pub(crate) alerting: Arc<dyn Alerting>,
    pub(crate) progress: Progress,
    pub(crate) ages: Ages,
    /// What is known of alerts that fire while nothing is done about them.
    pub(crate) attention: Attention,
    pub(crate) presence: Presence,
    /// Held from the last look at the guards to the transition, so that two actions cannot both be the last
    /// one that a limit allows.
    pub(crate) gate: tokio::sync::Mutex<()>,
    /// Held while the file of the kill switch is looked at and changed.
    pub(crate) switch: Arc<Mutex<()>>,
    drivers: Arc<dyn Drivers>,
    current: RwLock<Arc<Current>>,
}

/// The configuration in use, and what was built from it.
pub(crate) struct Current {
    /// Tells one configuration from the ones before.
    pub(crate) number: u64,
    pub(crate) settings: Settings,
    drivers: BTreeMap<String, Arc<dyn Actuator>>,
}

impl Remediation {
    /// Takes up what the journal holds; nothing happens before the first call.
    pub fn new(
        journal: Journal,
        settings: Settings,
        ports: Ports,
    ) -> Result<Self, RemediationError> {
        let current = Current::new(settings, &*ports.drivers, 0)?;
        Ok(Self {
            journal,
            foresight: ports.foresight,
            evidence: ports.evidence,
            alerting: ports.alerting,
            progress: Progress::default(),
            ages: Ages::new(ports.steady),
            attention: Attention::default(),
            presence: Presence::default(),
            gate: tokio::sync::Mutex::default(),
            switch: Arc::default(),
            drivers: ports.drivers,
            current: RwLock::new(Arc::new(current)),
        })
    }

    /// Puts another configuration in place. Open actions go on under it; one whose workload is gone ends. When
    /// an actuator cannot be built, all stays as it was.
    pub fn reload(&self, settings: Settings) -> Result<(), RemediationError> {
        let number = self.current().number + 1;
        let next = Arc::new(Current::new(settings, &*self.drivers, number)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }

    /// The configuration in use; a caller keeps it for one piece of work.
    pub(crate) fn current(&self) -> Arc<Current> {
        let current = self.current.read();
        Arc::clone(&current.unwrap_or_else(PoisonError::into_inner))
    }
}

impl Current {
    fn new(
        settings: Settings,
        drivers: &dyn Drivers,
        number: u64,
    ) -> Result<Self, RemediationError> {
        let configured = settings.actuators.iter();
        let drivers = configured
            .map(|(name, config)| Ok((name.clone(), drivers.driver(config)?)))
            .collect::<Result<_, RemediationError>>()?;
        Ok(Self {
            number,
            settings,
            drivers,
        })
    }

    /// A workload, and how it is reached.
    pub(crate) fn reach(&self, workload: &str) -> Option<(&Workload, &dyn Actuator)> {
        let workload = self.settings.workload(workload)?;
        let driver = self.drivers.get(&workload.actuator.name)?;
        Some((workload, &**driver))
    }
}
