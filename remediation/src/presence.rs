//! What there is by now where an action has ended: somebody else may have taken its effect away since.

use crate::{
    Remediation, Shape,
    actuator::Occasion,
    config::{Guards, Workload},
};
use series::Timestamp;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use store::{Action, ActionId};

/// What was read last of each workload.
#[derive(Debug, Default)]
pub(crate) struct Presence(Mutex<Readings>);

#[derive(Debug, Default)]
struct Readings {
    by_workload: HashMap<String, Reading>,
    /// When anything was read last.
    last: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy)]
struct Reading {
    action: ActionId,
    at: Timestamp,
    /// None where it could not be read.
    shape: Option<Shape>,
}

/// The outcome of a look at what was read before.
enum LookUp {
    /// The shape; none where it could not be read.
    Known(Option<Shape>),
    ToBeRead,
}

/// How often a workload is read on which nothing is done.
const PAUSE: Duration = Duration::from_secs(30);

/// The time of one reading.
const LIMIT: Duration = Duration::from_secs(3);

impl Presence {
    /// Looks up the workload of an action. It may be read anew where nothing fresh is known and nothing else was read
    /// just now: one reading at a time is enough, and a fleet that does not answer must not hold up all else.
    fn look_up(&self, past: &Action, now: Timestamp) -> LookUp {
        let mut readings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let reading = readings.by_workload.get(&past.workload).copied();
        let reading = reading.filter(|reading| reading.action == past.id);
        let is_fresh = |reading: &Reading| reading.at <= now && now < reading.at + PAUSE;
        if reading.as_ref().is_some_and(is_fresh) || readings.last == Some(now) {
            return LookUp::Known(reading.and_then(|reading| reading.shape));
        }
        readings.last = Some(now);
        LookUp::ToBeRead
    }

    fn note(&self, past: &Action, reading: Reading) {
        let mut readings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        readings.by_workload.insert(past.workload.clone(), reading);
    }
}

impl Remediation {
    /// What there is by now on the workload of an action that has ended; none where that is not known.
    pub(crate) async fn present(
        &self,
        past: &Action,
        guards: &Guards,
        now: Timestamp,
    ) -> Option<Shape> {
        if let LookUp::Known(shape) = self.presence.look_up(past, now) {
            return shape;
        }
        let current = self.current();
        let (workload, actuator): (&Workload, _) = current.reach(&past.workload)?;
        let reading = actuator.observe(Occasion {
            target: &workload.actuator.target,
            object: workload.actuator.object.as_deref(),
            action: past.id,
            workload: &workload.name,
            alerts: &[],
            state: past.state,
            guards,
            now,
        });
        let shape = match tokio::time::timeout(LIMIT, reading).await {
            Ok(Ok(shape)) => Some(shape),
            Ok(Err(_)) | Err(_) => None,
        };
        let reading = Reading {
            action: past.id,
            at: now,
            shape,
        };
        self.presence.note(past, reading);
        shape
    }
}
