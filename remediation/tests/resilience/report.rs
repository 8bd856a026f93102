//! The fault report: each fault at each moment at which it can strike, and what became of the actions.

use crate::sim::{CHECK, Call, Failure, Kind, NOW, Reaction, Sim};
use remediation::Plan;
use series::Timestamp;
use std::{collections::BTreeMap, time::Duration};
use store::State;

/// What happened in the runs of one kind of fault.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    n_runs: usize,
    lost: usize,
    doubled: usize,
    unannounced: usize,
    endless: usize,
    /// The journal says one thing and the world another.
    untrue: usize,
}

/// A way that an action goes when nothing breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Course {
    Direct,
    Canary,
    BlueGreen,
    /// The effect turns out to do harm.
    Harm,
    /// A person approves, looks lead nowhere, and the person decides again.
    Asked,
}

const COURSES: [Course; 5] = [
    Course::Direct,
    Course::Canary,
    Course::BlueGreen,
    Course::Harm,
    Course::Asked,
];

/// Fine enough for each wait to end at a tick of its own.
const STEP: Duration = Duration::from_secs(10);

/// By then the longest course without a fault has ended.
const N_TICKS: u32 = 40;

/// So many ticks without an open action end a run: a second action about the same alert would begin by then.
const QUIET: u32 = 7;

/// After a fault all waits and patience run out in turn.
const AFTERMATH: [Duration; 12] = [Duration::from_mins(10); 12];

impl Course {
    async fn sim(self) -> Sim {
        let (mode, rollout) = match self {
            Self::Direct => ("auto", format!("{{direct: {{wait: 10s, {CHECK}}}}}")),
            Self::Canary | Self::Harm => (
                "auto",
                format!("{{canary: {{steps: [10%, 50%], wait: 10s, {CHECK}}}}}"),
            ),
            Self::BlueGreen => (
                "auto",
                format!("{{blue_green: {{retain: 30s, wait: 10s, {CHECK}}}}}"),
            ),
            Self::Asked => ("approve", format!("{{direct: {{wait: 10s, {CHECK}}}}}")),
        };
        Sim::new(mode, &rollout).await
    }

    /// What happens in the world before a tick, fault or not.
    async fn befall(self, sim: &Sim, idx: u32, now: Timestamp) {
        // With the second step of the canary in place; or from the start, so that nobody can tell.
        if matches!((self, idx), (Self::Harm, 5) | (Self::Asked, 0)) {
            sim.set_healthy(false);
        }
        if self != Self::Asked {
            return;
        }
        for action in sim.open_actions().await {
            if matches!(action.state, State::AwaitingApproval | State::Paused) {
                // The journal may be away; then the person comes too late.
                let _ = sim.remediation.approve(action.id, "ada", now).await;
            }
        }
    }
}

/// Runs a course to its end and beyond. `disturb` is called before each tick and may shift the clock.
async fn run(
    course: Course,
    prepare: impl FnOnce(&Sim),
    mut disturb: impl AsyncFnMut(&mut Sim, u32) -> i64,
) -> (Sim, Tally) {
    let mut sim = course.sim().await;
    prepare(&sim);
    let (mut is_taken_in, mut n_quiet) = (false, 0);
    for idx in 0..N_TICKS {
        let shift = disturb(&mut sim, idx).await;
        let now = NOW + STEP * idx;
        let now = Timestamp::from_millis(now.as_millis() + 1_000 * shift);
        // Alertmanager sends it again until it is answered with 200.
        if !is_taken_in {
            is_taken_in = sim.deliver("firing", "checkout", now).await;
        }
        course.befall(&sim, idx, now).await;
        sim.tick(now).await;
        let has_ended = is_taken_in && sim.open_actions().await.is_empty();
        n_quiet = if has_ended { n_quiet + 1 } else { 0 };
        if n_quiet > QUIET {
            break;
        }
    }
    let mut now = NOW + STEP * N_TICKS + Duration::from_hours(3);
    for pause in AFTERMATH {
        now = now + pause;
        sim.tick(now).await;
        if sim.open_actions().await.is_empty() {
            break;
        }
    }
    let tally = count(&sim).await;
    (sim, tally)
}

async fn count(sim: &Sim) -> Tally {
    let actions = sim.actions().await;
    let shape = sim.shape("checkout");
    let is_untrue = actions.first().is_some_and(|action| {
        let plan = Plan::from_json(action.plan.as_ref());
        match action.state {
            State::Succeeded => plan.is_ok_and(|plan| plan.target != shape),
            State::RolledBack | State::Expired | State::Rejected => shape.replicas != 4,
            _ => false,
        }
    });
    let sins = sim.sins();
    Tally {
        n_runs: 1,
        lost: usize::from(actions.is_empty()),
        doubled: sins.doubled,
        unannounced: sins.unannounced,
        endless: sim.open_actions().await.len(),
        untrue: usize::from(is_untrue),
    }
}

type Table = BTreeMap<String, Tally>;

/// Whether a course is struck at a moment. `make fault-report` strikes each course at each moment; else every other
/// moment is left out, in turn from course to course, but for deaths, which strike at each moment always.
fn is_struck(course: Course, idx: usize) -> bool {
    #[expect(
        clippy::disallowed_methods,
        reason = "whoever starts the tests says how thorough they are"
    )]
    let is_full = std::env::var_os("FAULT_REPORT_FULL").is_some();
    is_full || idx % 2 == course as usize % 2
}

fn note(table: &mut Table, fault: String, tally: Tally) {
    let row = table.entry(fault).or_default();
    row.n_runs += tally.n_runs;
    row.lost += tally.lost;
    row.doubled += tally.doubled;
    row.unannounced += tally.unannounced;
    row.endless += tally.endless;
    row.untrue += tally.untrue;
}

async fn undisturbed(_: &mut Sim, _: u32) -> i64 {
    0
}

/// The program dies before and after each call that it makes, one run for each.
async fn deaths(course: Course) -> Table {
    let mut table = Table::new();
    let (sim, _) = run(course, |_| (), undisturbed).await;
    let n_calls = sim.n_calls();
    for idx in 0..n_calls {
        for (reaction, side) in [
            (Reaction::DieBefore, "before"),
            (Reaction::DieAfter, "after"),
        ] {
            let strike = move |call: Call| (call.idx == idx).then_some(reaction);
            let (sim, tally) = run(course, |sim| sim.react(strike), undisturbed).await;
            assert_eq!(sim.deaths.len(), 1, "{course:?} {idx}");
            let state = sim.deaths[0].map_or("ended", State::as_str);
            note(
                &mut table,
                format!("killed in {state}, {side} a call"),
                tally,
            );
        }
    }
    table
}

/// Each kind of answer to each call of a kind, once, or from then on for good.
async fn answers(course: Course) -> Table {
    let mut table = Table::new();
    let faults = [
        ("time-out, not done", Reaction::Refuse(Failure::TimeOut)),
        ("time-out, done", Reaction::Deceive(Failure::TimeOut)),
        ("409", Reaction::Refuse(Failure::Status(409))),
        ("429", Reaction::Refuse(Failure::Status(429))),
        ("500, not done", Reaction::Refuse(Failure::Status(500))),
        ("500, done", Reaction::Deceive(Failure::Status(500))),
        ("403", Reaction::Refuse(Failure::Status(403))),
    ];
    // The most that a course calls: stages and the way back.
    for nth in 0..4 {
        for (idx, (name, reaction)) in faults.into_iter().enumerate() {
            for is_for_good in [false, true] {
                if !is_struck(course, nth + idx + usize::from(is_for_good)) {
                    continue;
                }
                let strike = move |call: Call| {
                    let is_hit = call.nth == nth || (is_for_good && call.nth > nth);
                    (call.kind == Kind::Set && is_hit).then_some(reaction)
                };
                let (_, tally) = run(course, |sim| sim.react(strike), undisturbed).await;
                let has_stages = !matches!(course, Course::Direct | Course::Asked);
                let half = if nth > 0 && has_stages {
                    " with the rollout half-way"
                } else {
                    ""
                };
                let lasts = if is_for_good { " for good" } else { "" };
                note(&mut table, format!("actuator: {name}{lasts}{half}"), tally);
            }
        }
    }
    table
}

/// From each tick on, for a while or for good, nobody answers questions of a kind.
async fn absences(course: Course) -> Table {
    let mut table = Table::new();
    for (kind, name) in [
        (Kind::Query, "Prometheus"),
        (Kind::Alertmanager, "Alertmanager"),
        (Kind::Observe, "actuator, reading"),
    ] {
        for (idx, from) in (0..24).step_by(3).enumerate() {
            for lasts in [3, u32::MAX] {
                if !is_struck(course, idx + usize::from(lasts == 3)) {
                    continue;
                }
                let away = async |sim: &mut Sim, idx: u32| {
                    let is_away = idx >= from && idx - from < lasts;
                    let refusal = Reaction::Refuse(Failure::TimeOut);
                    sim.react(move |call| (is_away && call.kind == kind).then_some(refusal));
                    if kind == Kind::Query {
                        sim.foresee((!is_away).then_some(812.0));
                    }
                    0
                };
                let (_, tally) = run(course, |_| (), away).await;
                let lasts = if lasts == u32::MAX {
                    "for good"
                } else {
                    "for 30s"
                };
                note(&mut table, format!("{name} away {lasts}"), tally);
            }
        }
    }
    table
}

/// The clock jumps at each tick, once or for good.
async fn jumps(course: Course) -> Table {
    let mut table = Table::new();
    for hours in [-2, 2] {
        for (idx, from) in (0..20).step_by(2).enumerate() {
            for is_for_good in [false, true] {
                if !is_struck(course, idx + usize::from(is_for_good)) {
                    continue;
                }
                let jump = async |_: &mut Sim, idx: u32| {
                    let is_off = idx == from || (is_for_good && idx > from);
                    i64::from(is_off) * hours * 3_600
                };
                let (_, tally) = run(course, |_| (), jump).await;
                let lasts = if is_for_good {
                    "for good"
                } else {
                    "for one tick"
                };
                note(&mut table, format!("clock {hours:+}h {lasts}"), tally);
            }
        }
    }
    table
}

/// At each tick the database takes nothing more for a while, as when the disk is full.
async fn full_disks(course: Course) -> Table {
    let mut table = Table::new();
    for from in (0..24).filter(|from| is_struck(course, *from as usize)) {
        let full = async |sim: &mut Sim, idx: u32| {
            if idx == from {
                refuse_writing(sim).await;
            } else if idx == from + 3 {
                allow_writing(sim).await;
            }
            0
        };
        let (_, tally) = run(course, |_| (), full).await;
        note(
            &mut table,
            "journal cannot be written for 30s".to_owned(),
            tally,
        );
    }
    table
}

const TABLES: [&str; 4] = ["actions", "transitions", "deliveries", "looks"];

async fn refuse_writing(sim: &Sim) {
    let refuse = |table: &str, verb: &str| {
        format!(
            "CREATE TRIGGER full_{table}_{verb} BEFORE {verb} ON {table}
             BEGIN SELECT RAISE(ABORT, 'the disk is full'); END;"
        )
    };
    execute(sim, refuse).await;
}

async fn allow_writing(sim: &Sim) {
    let allow = |table: &str, verb: &str| format!("DROP TRIGGER full_{table}_{verb};");
    execute(sim, allow).await;
}

/// Executes what is to be said of each way in which something is written.
async fn execute(sim: &Sim, say: impl Fn(&str, &str) -> String) {
    use sqlx::Connection as _;
    let pairs = TABLES
        .iter()
        .flat_map(|table| ["INSERT", "UPDATE"].map(|verb| (table, verb)));
    let sql: String = pairs.map(|(table, verb)| say(table, verb)).collect();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&sim.path);
    let mut raw = sqlx::SqliteConnection::connect_with(&options)
        .await
        .unwrap();
    let sql = sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
    sql.execute(&mut raw).await.unwrap();
    raw.close().await.unwrap();
}

/// What a course comes to without a fault, so that the faults are known to strike at something.
async fn check_course(course: Course) {
    let (sim, tally) = run(course, |_| (), undisturbed).await;
    let actions = sim.actions().await;
    let states: Vec<_> = actions.iter().map(|action| action.state).collect();
    let (expect, n_changes) = match course {
        Course::Direct | Course::Asked => (State::Succeeded, 1),
        Course::Canary | Course::BlueGreen => (State::Succeeded, 3),
        Course::Harm => (State::RolledBack, 3),
    };
    assert_eq!(
        (states, sim.n_changes()),
        (vec![expect], n_changes),
        "{course:?}"
    );
    assert_eq!(tally.untrue, 0);
}

/// All faults of a course. They take turns on one thread, each on a journal of its own.
fn all_of(course: Course) -> [Table; 5] {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(async {
        check_course(course).await;
        let tables = futures::join!(
            deaths(course),
            answers(course),
            absences(course),
            jumps(course),
            full_disks(course),
        );
        [tables.0, tables.1, tables.2, tables.3, tables.4]
    })
}

#[test]
fn fault_report() {
    let courses = std::thread::scope(|scope| {
        let threads = COURSES.map(|course| scope.spawn(move || all_of(course)));
        threads.map(|thread| thread.join().unwrap())
    });
    let mut whole = Table::new();
    for (fault, tally) in courses.into_iter().flatten().flatten() {
        note(&mut whole, fault, tally);
    }
    print(&whole);
    let n_runs: usize = whole.values().map(|tally| tally.n_runs).sum();
    println!("{n_runs} runs");
    for (fault, tally) in whole {
        let bad = [
            tally.lost,
            tally.doubled,
            tally.unannounced,
            tally.endless,
            tally.untrue,
        ];
        assert_eq!(bad, [0; 5], "{fault}");
    }
}

fn print(table: &Table) {
    println!(
        "{:<62} {:>5} {:>8} {:>8} {:>12} {:>8} {:>8}",
        "fault", "runs", "actions", "effects", "effects", "actions", "journal"
    );
    println!(
        "{:<62} {:>5} {:>8} {:>8} {:>12} {:>8} {:>8}",
        "", "", "lost", "doubled", "unannounced", "endless", "untrue"
    );
    for (fault, tally) in table {
        println!(
            "{fault:<62} {:>5} {:>8} {:>8} {:>12} {:>8} {:>8}",
            tally.n_runs, tally.lost, tally.doubled, tally.unannounced, tally.endless, tally.untrue
        );
    }
}
