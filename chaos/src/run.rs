//! A run: worlds side by side, round after round, until its time is over.

use crate::{
    findings::Findings,
    quiet::Patience,
    schedule::{Lengths, schedule},
    world::{Means, Setting, World},
};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::{task::JoinSet, time::Instant};

/// Rounds after which a world is replaced by a new one.
const ROUNDS_A_WORLD: u32 = 8;

/// Usual length of a round beside its troubled part.
const REST: Duration = Duration::from_secs(12);

/// A run to be made.
#[derive(Debug, Clone)]
pub struct Run {
    /// The program `foreshadow`.
    pub binary: PathBuf,
    /// Folder for those of the worlds.
    pub dir: PathBuf,
    /// Decides on all faults and their times.
    pub seed: u64,
    /// After this time no round begins.
    pub lasts: Duration,
    /// Worlds side by side.
    pub n_worlds: u32,
    /// Lengths of rounds.
    pub lengths: Lengths,
    /// Which faults are brought about.
    pub means: Means,
    /// Time limits of the quiet end of a round.
    pub patience: Patience,
}

impl Run {
    /// Runs to its end. What was wrong is among the findings; an error means that the run itself broke off.
    pub async fn go(&self, findings: Arc<Findings>) -> anyhow::Result<()> {
        let end = Instant::now() + self.lasts;
        let mut worlds = JoinSet::new();
        for world in 0..self.n_worlds {
            let (run, findings) = (self.clone(), findings.clone());
            worlds.spawn(async move { run.world(world, end, findings).await });
        }
        while let Some(ended) = worlds.join_next().await {
            ended??;
        }
        Ok(())
    }

    /// One world after the other, each some rounds long.
    async fn world(self, world: u32, end: Instant, findings: Arc<Findings>) -> anyhow::Result<()> {
        let mut round = 0;
        loop {
            let setting = Setting {
                binary: self.binary.clone(),
                dir: self.dir.join(format!("world-{world}-{round}")),
                world,
                means: self.means,
            };
            let mut running = World::start(&setting, findings.clone()).await?;
            let next = round + ROUNDS_A_WORLD;
            while round < next {
                let schedule = schedule(self.seed, world, round, self.lengths);
                if round > 0 && Instant::now() + schedule.lasts + REST > end {
                    return running.close().await;
                }
                running.run(round, &schedule).await?;
                running.settle(&schedule, self.patience).await?;
                round += 1;
            }
            running.close().await?;
        }
    }
}
