//! Bringing about what a schedule says, and putting it right again.

use crate::{
    event::{Fault, Mode, N_WORKLOADS, What},
    findings::Count,
    fleet::Trap,
    scene::lock,
    workloads::{START, usual_modes},
    world::World,
};
use anyhow::Context as _;
use std::{fs, path::Path, time::Duration};
use tokio::time::{Instant, sleep};

/// Time for which a configuration stays broken.
const BROKEN: Duration = Duration::from_millis(600);

/// Time after a full disk or a broken configuration in which the program may still end because of it.
const GRACE: Duration = Duration::from_secs(3);

impl World {
    /// Brings about one thing.
    pub(crate) fn bring_about(&mut self, what: What) -> anyhow::Result<()> {
        if !matches!(what, What::Fire { .. } | What::Resolve { .. }) {
            self.scene.say(&format!("{what:?}"));
        }
        match what {
            What::Fire { workload, alert } => self.alertmanager.fire(workload, alert),
            What::Resolve { workload, alert } => self.alertmanager.resolve(workload, alert),
            What::SeenEarlier {
                workload,
                by_seconds,
            } => self.alertmanager.see_earlier(workload, by_seconds),
            What::Gossip { workload } => {
                let alertmanager = self.alertmanager.clone();
                self.tasks
                    .spawn(async move { alertmanager.gossip(workload).await });
            }
            What::Begin(fault) => self.begin(fault)?,
            What::End(fault) => self.end(fault)?,
            What::Kill { down_millis } => {
                if self.program.kill(Duration::from_millis(down_millis)) {
                    self.scene.count(Count::Kills);
                }
            }
            What::KillAt {
                moment,
                down_millis,
            } => self.fleet.set_trap(Trap {
                moment,
                down: Duration::from_millis(down_millis),
            }),
            What::Reload(modes) => self.reload(modes)?,
            What::BrokenReload => self.break_configuration()?,
            What::OtherWriter { workload, replicas } => {
                self.fleet.set(workload, replicas);
                self.scene.count(Count::OtherWriters);
            }
            What::Person { decision, pick } => {
                let people = self.people.clone();
                self.tasks
                    .spawn(async move { people.decide(decision, pick).await });
            }
        }
        Ok(())
    }

    fn begin(&mut self, fault: Fault) -> anyhow::Result<()> {
        let count = match fault {
            Fault::Target { workload, fault } => {
                self.fleet.begin(workload, fault);
                Count::TargetFaults
            }
            Fault::Prometheus(fault) => {
                self.prometheus.begin(fault);
                Count::PrometheusOutages
            }
            Fault::FullDisk => {
                self.excuse(Duration::from_hours(1));
                self.disk.fill(self.program.pid())?;
                Count::FullDisks
            }
            Fault::Clock(offset) => match &self.clock {
                Some(clock) => {
                    clock.set(offset)?;
                    Count::ClockJumps
                }
                None => Count::LeftOut,
            },
            Fault::KillSwitch => {
                let path = &self.places.kill_switch;
                fs::write(path, "chaos")
                    .with_context(|| format!("cannot write {}", path.display()))?;
                Count::KillSwitches
            }
        };
        self.scene.count(count);
        Ok(())
    }

    fn end(&mut self, fault: Fault) -> anyhow::Result<()> {
        match fault {
            Fault::Target { workload, fault } => self.fleet.end(workload, fault),
            Fault::Prometheus(fault) => self.prometheus.end(fault),
            Fault::FullDisk => {
                self.disk.free(self.program.pid())?;
                self.excuse(GRACE);
            }
            Fault::Clock(_) => {
                if let Some(clock) = &self.clock {
                    clock.set(0)?;
                }
            }
            Fault::KillSwitch => release(&self.places.kill_switch)?,
        }
        Ok(())
    }

    /// For so long, the program may end by itself.
    fn excuse(&self, lasts: Duration) {
        *lock(&self.excused_until) = Some(Instant::now() + lasts);
    }

    fn reload(&self, modes: [Mode; N_WORKLOADS]) -> anyhow::Result<()> {
        self.places.configure(modes)?;
        if self.program.reload() {
            self.scene.count(Count::Reloads);
        }
        Ok(())
    }

    fn break_configuration(&mut self) -> anyhow::Result<()> {
        self.places.break_configuration()?;
        self.excuse(BROKEN + GRACE);
        if self.program.reload() {
            self.scene.count(Count::Reloads);
        }
        let (places, scene) = (self.places.clone(), self.scene.clone());
        self.tasks.spawn(async move {
            sleep(BROKEN).await;
            if let Err(error) = places.configure(usual_modes()) {
                scene.say(&format!("{error:#}"));
            }
        });
        Ok(())
    }

    /// Puts everything right again.
    pub(crate) fn mend(&self) -> anyhow::Result<()> {
        self.scene.say("everything is right again");
        self.prometheus.mend();
        self.fleet.mend();
        self.disk.free(self.program.pid())?;
        if let Some(clock) = &self.clock {
            clock.set(0)?;
        }
        release(&self.places.kill_switch)?;
        self.excuse(GRACE);
        self.places.configure(usual_modes())
    }

    /// Puts the numbers back to what a round begins with, as somebody else would.
    pub(crate) fn rewind(&self) {
        for workload in 0..N_WORKLOADS {
            if self.fleet.replicas(workload) != START {
                self.fleet.set(workload, START);
            }
        }
    }
}

fn release(kill_switch: &Path) -> anyhow::Result<()> {
    match fs::remove_file(kill_switch) {
        Err(error) if kill_switch.exists() => {
            Err(error).with_context(|| format!("cannot remove {}", kill_switch.display()))
        }
        _ => Ok(()),
    }
}
