//! One world: the program, and all that it deals with.

use crate::{
    alertmanager::AlertmanagerStub,
    clock::FakeClock,
    disk::Disk,
    event::N_WORKLOADS,
    findings::{Count, Findings, Kind},
    fleet::Fleet,
    journal::{Journal, Turn},
    people::People,
    program::Program,
    prometheus::PrometheusStub,
    scene::{Scene, lock},
    schedule::Schedule,
    workloads::{Places, WORKLOADS, usual_modes},
};
use anyhow::Context as _;
use std::{
    collections::{HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

/// Interval between looks at the history of actions.
const POLL: Duration = Duration::from_millis(250);

/// Time limit for the first forecasts.
const FIRST_FORECASTS: Duration = Duration::from_mins(2);

/// The parameters of a world.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The program `foreshadow`.
    pub binary: PathBuf,
    /// Folder of the world.
    pub dir: PathBuf,
    /// Number of the world.
    pub world: u32,
    /// Faults that are brought about.
    pub means: Means,
}

/// Faults that a machine can bring about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// Only those that need neither root nor libfaketime.
    Plain,
    /// All of them, as far as they can be had.
    All,
}

/// A running world.
#[derive(Debug)]
pub struct World {
    pub(crate) scene: Arc<Scene>,
    pub(crate) program: Arc<Program>,
    pub(crate) prometheus: PrometheusStub,
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) alertmanager: Arc<AlertmanagerStub>,
    pub(crate) people: Arc<People>,
    pub(crate) people_have_said: Arc<Mutex<Said>>,
    pub(crate) clock: Option<FakeClock>,
    pub(crate) disk: Disk,
    pub(crate) places: Places,
    pub(crate) http: reqwest::Client,
    /// Rollbacks that were judged in an earlier round.
    pub(crate) judged: Mutex<HashSet<i64>>,
    pub(crate) excused_until: Arc<Mutex<Option<Instant>>>,
    pub(crate) tasks: JoinSet<()>,
}

/// The history of all actions so far, and when people said no.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) turns: Vec<Turn>,
    pub(crate) noes: HashMap<String, Instant>,
}

impl World {
    /// Starts everything, and waits until there are forecasts.
    pub async fn start(setting: &Setting, findings: Arc<Findings>) -> anyhow::Result<Self> {
        let dir = &setting.dir;
        fs::create_dir_all(dir)
            .with_context(|| format!("cannot create the folder {}", dir.display()))?;
        let storage = dir.join("data");
        let (disk, clock) = match setting.means {
            Means::All => (Disk::make(&storage)?, FakeClock::find(dir)),
            Means::Plain => (Disk::limited(&storage), None),
        };
        if let Some(clock) = &clock {
            clock.set(0)?;
        }
        let journal = Journal::inside(&storage);
        let scene = Arc::new(Scene::new(setting.world, dir, findings, journal)?);
        let how = format!("full disks: {}", disk.how());
        scene.findings.remark(&how);
        scene.findings.remark(match clock {
            Some(_) => "clock jumps: libfaketime",
            None => "clock jumps: left out, as libfaketime is not installed or --plain was given",
        });
        let prometheus = PrometheusStub::start(WORKLOADS.map(|w| w.demand()).to_vec()).await?;
        let fleet = Arc::new(Fleet::start(scene.clone()).await?);
        let places = Places {
            dir: dir.clone(),
            storage,
            kill_switch: dir.join("STOP"),
            prometheus: prometheus.url(),
            fleet: fleet.url(),
        };
        places.configure(usual_modes())?;
        let program = Arc::new(Program::new(&setting.binary, dir, clock.clone())?);
        fleet.watch(program.clone());
        let alertmanager = AlertmanagerStub::new(program.clone(), fleet.clone(), scene.clone())?;
        let mut world = Self {
            people: Arc::new(People::new(program.clone(), scene.clone())?),
            people_have_said: Arc::default(),
            http: testbed::http_client(Duration::from_secs(4))?,
            judged: Mutex::default(),
            excused_until: Arc::default(),
            tasks: JoinSet::new(),
            alertmanager: Arc::new(alertmanager),
            scene,
            program,
            prometheus,
            fleet,
            clock,
            disk,
            places,
        };
        world.begin_tasks();
        world.wait_for_forecasts().await?;
        Ok(world)
    }

    fn begin_tasks(&mut self) {
        let (program, scene) = (self.program.clone(), self.scene.clone());
        let excused_until = self.excused_until.clone();
        self.tasks.spawn(async move {
            let (ended, mut ends) = tokio::sync::mpsc::unbounded_channel();
            let keep = program.keep(|log| drop(ended.send(log)));
            let judge = async {
                while let Some(log) = ends.recv().await {
                    let excuse = *lock(&excused_until);
                    if excuse.is_some_and(|until| Instant::now() < until) {
                        scene.say(&format!("the program ended, as it may: {log}"));
                    } else {
                        scene.violation(Kind::Crashed, log, None).await;
                    }
                }
            };
            tokio::select! {
                kept = keep => if let Err(error) = kept {
                    scene.violation(Kind::Crashed, format!("{error:#}"), None).await;
                },
                () = judge => {}
            }
        });
        for workload in 0..N_WORKLOADS {
            let alertmanager = self.alertmanager.clone();
            self.tasks
                .spawn(async move { alertmanager.run_group(workload).await });
        }
        let (scene, said) = (self.scene.clone(), self.people_have_said.clone());
        self.tasks.spawn(async move { listen(&scene, &said).await });
    }

    async fn wait_for_forecasts(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + FIRST_FORECASTS;
        while Instant::now() < deadline {
            let text = self.get("/predictions").await.unwrap_or_default();
            let has = |name: &str| text.contains(&format!("service=\"{name}\""));
            if WORKLOADS.iter().all(|workload| has(workload.name)) {
                return Ok(());
            }
            sleep(POLL).await;
        }
        anyhow::bail!(
            "there were no forecasts within {FIRST_FORECASTS:?}: see the logs in {}",
            self.places.dir.display()
        )
    }

    /// The body of an answer of 200; none of any other.
    pub(crate) async fn get(&self, path: &str) -> Option<String> {
        let answer = self.http.get(self.program.url(path)).send().await.ok()?;
        if answer.status().as_u16() == 200 {
            answer.text().await.ok()
        } else {
            None
        }
    }

    /// Brings about all that is in a schedule, each at its time.
    pub async fn run(&mut self, round: u32, schedule: &Schedule) -> anyhow::Result<()> {
        self.scene.begin_round(round);
        self.scene.count(Count::Rounds);
        self.alertmanager.begin_round(schedule.jitter_seed);
        let began = Instant::now();
        for event in &schedule.events {
            sleep_until(began + event.at).await;
            self.bring_about(event.what)?;
        }
        sleep_until(began + schedule.lasts).await;
        Ok(())
    }

    /// Ends everything. What a world with something wrong leaves is kept.
    pub async fn close(mut self) -> anyhow::Result<()> {
        let actions = self.scene.journal.actions().await?;
        self.scene
            .findings
            .add(Count::Actions, actions.len() as u64);
        self.program.stop().await?;
        self.tasks.shutdown().await;
        let (dir, is_clean) = (self.places.dir.clone(), self.scene.is_clean());
        if !is_clean {
            keep(&self.places.storage, &dir.join("data-kept"));
        }
        drop(self);
        if is_clean {
            fs::remove_dir_all(&dir)
                .with_context(|| format!("cannot remove the folder {}", dir.display()))?;
        }
        Ok(())
    }
}

/// Follows the history of all actions.
async fn listen(scene: &Scene, said: &Mutex<Said>) {
    loop {
        sleep(POLL).await;
        if !scene.journal.exists() {
            continue;
        }
        let last = lock(said).turns.last().map_or(0, |turn| turn.seq);
        match scene.journal.turns_after(last).await {
            Ok(turns) => hear(scene, said, turns),
            Err(error) => scene.say(&format!("{error:#}")),
        }
    }
}

fn hear(scene: &Scene, said: &Mutex<Said>, turns: Vec<Turn>) {
    let mut said = lock(said);
    for turn in turns {
        let Turn {
            workload,
            action,
            to,
            reason,
            ..
        } = &turn;
        scene.say(&format!("{workload}: {action} {to}: {reason}"));
        if turn.is_a_no() {
            said.noes.insert(workload.clone(), Instant::now());
        }
        said.turns.push(turn);
    }
}

/// Copies a storage folder that is unmounted soon.
fn keep(storage: &Path, to: &Path) {
    // What cannot be copied is missed when somebody looks at it, and is no reason to stop.
    let _ = Command::new("cp").arg("-r").arg(storage).arg(to).status();
}
