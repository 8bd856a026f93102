//! What receiver, supervisor and controls share.

use crate::{
    Evidence, Foresight, RemediationError,
    actuator::{Actuator, HttpDriver},
    config::{Settings, Workload},
    progress::Progress,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};
use store::Journal;

/// Turns alerts into guarded actions. One per journal; share it in an `Arc`.
pub struct Remediation {
    pub(crate) journal: Journal,
    pub(crate) foresight: Arc<dyn Foresight>,
    pub(crate) evidence: Arc<dyn Evidence>,
    pub(crate) progress: Progress,
    /// Held from the last look at the guards to the transition, so that two actions cannot both be the last
    /// one that a limit allows.
    pub(crate) gate: tokio::sync::Mutex<()>,
    current: RwLock<Arc<Current>>,
    http: reqwest::Client,
}

/// The configuration in use, and what was built from it.
pub(crate) struct Current {
    pub(crate) settings: Settings,
    drivers: BTreeMap<String, HttpDriver>,
}

impl Remediation {
    /// Takes up what the journal holds; nothing happens before the first call.
    pub fn new(
        journal: Journal,
        settings: Settings,
        foresight: Arc<dyn Foresight>,
        evidence: Arc<dyn Evidence>,
    ) -> Result<Self, RemediationError> {
        let http = HttpDriver::client().map_err(RemediationError::Client)?;
        Ok(Self {
            journal,
            foresight,
            evidence,
            progress: Progress::default(),
            gate: tokio::sync::Mutex::default(),
            current: RwLock::new(Arc::new(Current::new(settings, &http))),
            http,
        })
    }

    /// Puts another configuration in place. Open actions go on under it; one whose workload is gone ends.
    pub fn reload(&self, settings: Settings) {
        let next = Arc::new(Current::new(settings, &self.http));
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
    }

    /// The configuration in use; a caller keeps it for one piece of work.
    pub(crate) fn current(&self) -> Arc<Current> {
        let current = self.current.read();
        Arc::clone(&current.unwrap_or_else(PoisonError::into_inner))
    }
}

impl Current {
    fn new(settings: Settings, http: &reqwest::Client) -> Self {
        let driver = |config: &_| HttpDriver::new(Clone::clone(config), http.clone());
        let drivers = settings
            .actuators
            .iter()
            .map(|(name, config)| (name.clone(), driver(config)))
            .collect();
        Self { settings, drivers }
    }

    /// A workload, and how it is reached.
    pub(crate) fn reach(&self, workload: &str) -> Option<(&Workload, &dyn Actuator)> {
        let workload = self.settings.workload(workload)?;
        let driver = self.drivers.get(&workload.actuator.name)?;
        Some((workload, driver))
    }
}
