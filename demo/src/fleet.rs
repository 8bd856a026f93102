//! The simulated fleet: services under the same load, their replicas, and a clock that only goes on.

use crate::{
    demand::Demand,
    exposition::{Family, Kind, Reading},
    replica::Replica,
};
use series::Timestamp;
use std::time::Duration;

/// The service that Foreshadow looks after.
pub const MANAGED: &str = "checkout";
/// Its twin under the same load, for which nobody acts.
pub const CONTROL: &str = "checkout-unmanaged";
/// How long a new replica takes to start.
pub const START_UP: Duration = Duration::from_secs(20);
/// More than anybody would ask of a simulation.
pub const MAX_REPLICAS: usize = 50;

static WANTED: Family = Family {
    name: "service_replicas",
    kind: Kind::Gauge,
    help: "Replicas that the fleet controller was asked for.",
};
static READY: Family = Family {
    name: "service_ready_replicas",
    kind: Kind::Gauge,
    help: "Replicas that take requests.",
};

/// A service and its instances.
#[derive(Debug, Clone)]
pub struct Service {
    name: &'static str,
    replicas: Vec<Replica>,
}

/// One change of a replica count, as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// When it was asked for.
    pub at: Timestamp,
    /// The service.
    pub service: &'static str,
    /// The count before.
    pub from: usize,
    /// The count wanted.
    pub to: usize,
    /// When the last of the new replicas takes requests; `at` when there are none.
    pub ready_at: Timestamp,
}

/// Every service, at one time.
#[derive(Debug, Clone)]
pub struct Fleet {
    demand: Demand,
    services: Vec<Service>,
    now: Timestamp,
    changes: Vec<Change>,
}

impl Service {
    /// The service's name, as the label `service` has it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its instances, oldest first, those that still start included.
    pub fn replicas(&self) -> &[Replica] {
        &self.replicas
    }

    /// How many instances take requests.
    pub fn ready(&self, now: Timestamp) -> usize {
        self.replicas.iter().filter(|r| r.is_ready(now)).count()
    }

    /// An instance's name, as the label `instance` has it.
    pub fn instance(&self, replica: &Replica) -> String {
        format!("{}-{}", self.name, replica.number())
    }

    /// What the fleet's controller tells of it: wanted and ready replicas.
    pub fn readings(&self, now: Timestamp) -> [Reading; 2] {
        [
            Reading::new(&WANTED, "", None, self.replicas.len() as f64),
            Reading::new(&READY, "", None, self.ready(now) as f64),
        ]
    }

    /// The load balancer spreads evenly over whoever is ready.
    fn serve(&mut self, rate: f64, now: Timestamp, span: Duration) {
        let share = rate / self.ready(now).max(1) as f64;
        for replica in self.replicas.iter_mut().filter(|r| r.is_ready(now)) {
            replica.serve(share, span);
        }
    }
}

impl Fleet {
    /// Two services of the same size, just started.
    pub fn new(demand: Demand, replicas: usize, now: Timestamp) -> Self {
        let service = |name| Service {
            name,
            replicas: (1..)
                .take(replicas)
                .map(|n| Replica::new(n, now, now))
                .collect(),
        };
        Self {
            demand,
            services: vec![service(MANAGED), service(CONTROL)],
            now,
            changes: Vec::new(),
        }
    }

    /// The load that each service is offered.
    pub fn demand(&self) -> &Demand {
        &self.demand
    }

    /// How far the fleet has come.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The services.
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// One service.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name == name)
    }

    /// All changes of replica counts, oldest first.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Goes on in whole steps, as many as fit before `to`; what is left over waits for the next call.
    pub fn advance(&mut self, to: Timestamp, step: Duration) {
        while self.now + step <= to {
            let rate = self.demand.at(self.now);
            for service in &mut self.services {
                service.serve(rate, self.now, step);
            }
            self.now = self.now + step;
        }
    }

    /// Ensures a replica count: new ones start, the youngest go at once. `None` when there is no such service.
    pub fn scale(&mut self, service: &str, wanted: usize) -> Option<&Service> {
        let now = self.now;
        let idx = self.services.iter().position(|s| s.name == service)?;
        let service = &mut self.services[idx];
        let from = service.replicas.len();
        service.replicas.truncate(wanted);
        let youngest = service.replicas.last().map_or(0, Replica::number);
        let fresh = (youngest + 1..).take(wanted.saturating_sub(from));
        let ready_at = if wanted > from { now + START_UP } else { now };
        service
            .replicas
            .extend(fresh.map(|n| Replica::new(n, now, ready_at)));
        if wanted != from {
            self.changes.push(Change {
                at: now,
                service: service.name,
                from,
                to: wanted,
                ready_at,
            });
        }
        Some(service)
    }

    /// Restarts one instance of every service, as a rolling update does.
    pub fn restart(&mut self, number: u32) {
        let replicas = self.services.iter_mut().flat_map(|s| &mut s.replicas);
        for replica in replicas.filter(|replica| replica.number() == number) {
            replica.restart(self.now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPENING: Timestamp = Timestamp::from_seconds(1_790_000_000);
    const SECOND: Duration = Duration::from_secs(1);

    fn fleet() -> Fleet {
        let before = OPENING - Duration::from_mins(1);
        Fleet::new(Demand::new(OPENING, 1), 4, before)
    }

    /// The share of requests answered within half a second, from one time to another.
    fn within_objective(before: &Fleet, after: &Fleet, service: &str) -> f64 {
        let total = |fleet: &Fleet, idx: usize| -> f64 {
            let replicas = fleet.service(service).unwrap().replicas();
            replicas.iter().map(|r| r.readings()[idx].value).sum()
        };
        let grown = |idx| total(after, idx) - total(before, idx);
        grown(8) / grown(13)
    }

    #[test]
    fn todays_opening_breaks_the_control_and_not_the_service_that_was_scaled() {
        let mut fleet = fleet();
        fleet.advance(OPENING, SECOND);
        fleet.scale(MANAGED, 6).unwrap();
        fleet.advance(OPENING + Duration::from_secs(150), SECOND);
        let before = fleet.clone();
        fleet.advance(OPENING + Duration::from_secs(210), SECOND);
        assert!(within_objective(&before, &fleet, CONTROL) < 0.9);
        assert!(within_objective(&before, &fleet, MANAGED) > 0.999);
    }

    #[test]
    fn a_new_replica_takes_requests_after_its_start_up() {
        let mut fleet = fleet();
        fleet.scale(MANAGED, 6).unwrap();
        let service = |fleet: &Fleet| fleet.service(MANAGED).unwrap().clone();
        assert_eq!(service(&fleet).ready(fleet.now()), 4);
        fleet.advance(fleet.now() + START_UP + SECOND, SECOND);
        assert_eq!(service(&fleet).ready(fleet.now()), 6);
        assert!(service(&fleet).replicas()[5].readings()[3].value > 0.0);
    }

    #[test]
    fn asking_twice_changes_once() {
        let mut fleet = fleet();
        for _ in 0..2 {
            fleet.scale(MANAGED, 6).unwrap();
        }
        fleet.scale(MANAGED, 3).unwrap();
        let counts: Vec<_> = fleet.changes().iter().map(|c| (c.from, c.to)).collect();
        assert_eq!(counts, [(4, 6), (6, 3)]);
        assert!(fleet.scale("nobody", 3).is_none());
    }

    #[test]
    fn the_clock_goes_by_whole_steps_however_often_it_is_asked() {
        let (mut often, mut once) = (fleet(), fleet());
        for millis in 0..200 {
            often.advance(once.now() + Duration::from_millis(millis * 150), SECOND);
        }
        once.advance(once.now() + Duration::from_millis(199 * 150), SECOND);
        assert_eq!(often.now(), once.now());
        let totals = |fleet: &Fleet| {
            let replica = &fleet.services()[0].replicas()[0];
            replica.readings().map(|reading| reading.value.to_bits())
        };
        assert_eq!(totals(&often), totals(&once));
    }
}
