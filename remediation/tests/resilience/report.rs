//! The fault report: each fault at each moment at which it can strike, and what became of the actions.

use crate::sim::{CHECK, Call, Failure, Kind, NOW, Reaction, Sim};
use remediation::Plan;
use series::Timestamp;
use std::{collections::BTreeMap, time::Duration};
use store::{Ending, State};

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
    /// The alert fires, nothing is tried, and nobody is told.
    unheeded: usize,
    /// The obstacle has passed, the alert fires, and what it asks for is not there.
    unserved: usize,
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

/// By then obstacles of some minutes have passed, and the attempt after them has ended.
const N_TICKS_AFTER: u32 = 170;

/// So many ticks without an open action end a run: a second action about the same alert would begin by then.
const QUIET: u32 = 7;

/// After a fault all waits and patience run out in turn.
const AFTERMATH: [Duration; 12] = [Duration::from_mins(10); 12];

/// Longer than a world is asked that does not answer.
const LONG_AFTER: Duration = Duration::from_hours(13);

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
    disturb: impl AsyncFnMut(&mut Sim, u32) -> i64,
) -> (Sim, Tally) {
    run_for(N_TICKS, course, prepare, disturb).await
}

/// The same for so many ticks.
async fn run_for(
    n_ticks: u32,
    course: Course,
    prepare: impl FnOnce(&Sim),
    mut disturb: impl AsyncFnMut(&mut Sim, u32) -> i64,
) -> (Sim, Tally) {
    let mut sim = course.sim().await;
    prepare(&sim);
    let (mut is_taken_in, mut n_quiet) = (false, 0);
    for idx in 0..n_ticks {
        let shift = disturb(&mut sim, idx).await;
        let now = NOW + STEP * idx;
        let now = Timestamp::from_millis(now.as_millis() + 1_000 * shift);
        // Alertmanager sends it again until it is answered with 200.
        if !is_taken_in {
            is_taken_in = sim.deliver("firing", "checkout", now).await;
        }
        course.befall(&sim, idx, now).await;
        sim.tick(now).await;
        let is_pending = n_ticks > N_TICKS && !sim.remediation.unattended().is_empty();
        let has_ended = is_taken_in && !is_pending && sim.open_actions().await.is_empty();
        n_quiet = if has_ended { n_quiet + 1 } else { 0 };
        if n_quiet > QUIET {
            break;
        }
    }
    let is_served = matches!(sim.shape("checkout").replicas, 7);
    let mut now = NOW + STEP * n_ticks + Duration::from_hours(3);
    for pause in AFTERMATH {
        now = now + pause;
        sim.tick(now).await;
        if sim.open_actions().await.is_empty() {
            break;
        }
    }
    sim.tick(now).await;
    let is_unheeded = is_unheeded(&sim).await;
    // The alert ends, so that no further attempt begins.
    sim.deliver("resolved", "checkout", now).await;
    for _ in 0..6 {
        sim.tick(now).await;
        now = now + LONG_AFTER;
    }
    let tally = Tally {
        unheeded: usize::from(is_unheeded),
        unserved: usize::from(n_ticks > N_TICKS && !is_served && course != Course::Harm),
        ..count(&sim).await
    };
    (sim, tally)
}

/// Whether the alert that fires is forgotten: no action is open, the last one was neither good nor refused, and
/// nothing tells people so.
async fn is_unheeded(sim: &Sim) -> bool {
    let last = sim.actions().await.into_iter().max_by_key(|one| one.begun);
    let is_settled = last.is_some_and(|last| {
        last.state.is_open() || matches!(last.ending, Some(Ending::Met | Ending::Refused))
    });
    !is_settled && sim.remediation.unattended().is_empty()
}

async fn count(sim: &Sim) -> Tally {
    let actions = sim.actions().await;
    let shape = sim.shape("checkout");
    let is_untrue = actions.first().is_some_and(|action| {
        let plan = Plan::from_json(action.plan.as_ref());
        match action.state {
            State::Succeeded => plan.is_ok_and(|plan| plan.target != shape),
            // An attempt begins at what the ones before have left.
            State::RolledBack | State::Expired | State::Rejected => {
                plan.is_ok_and(|plan| plan.observed.replicas != shape.replicas)
            }
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
        ..Tally::default()
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
    row.unheeded += tally.unheeded;
    row.unserved += tally.unserved;
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

/// What is away for longer than any patience, and comes back while the alert fires.
async fn obstacles(course: Course) -> Table {
    let mut table = Table::new();
    let faults = [
        ("Prometheus away", Some((Kind::Query, Failure::TimeOut))),
        (
            "actuator, reading away",
            Some((Kind::Observe, Failure::TimeOut)),
        ),
        (
            "actuator, reading 403",
            Some((Kind::Observe, Failure::Status(403))),
        ),
        ("actuator: 500", Some((Kind::Set, Failure::Status(500)))),
        ("actuator: 403", Some((Kind::Set, Failure::Status(403)))),
        ("kill switch thrown", None),
    ];
    for (idx, (name, fault)) in faults.into_iter().enumerate() {
        for (from, lasts) in [(0, 15), (1, 42), (3, 42), (5, 15)] {
            if !is_struck(course, idx + from as usize) {
                continue;
            }
            let away = async |sim: &mut Sim, idx: u32| {
                let is_away = idx >= from && idx - from < lasts;
                match fault {
                    Some((kind, failure)) => sim.react(move |call| {
                        (is_away && call.kind == kind).then_some(Reaction::Refuse(failure))
                    }),
                    None if is_away => std::fs::write(&sim.kill_switch, "").unwrap(),
                    None => drop(std::fs::remove_file(&sim.kill_switch)),
                }
                if matches!(fault, Some((Kind::Query, _))) {
                    sim.foresee((!is_away).then_some(812.0));
                }
                0
            };
            let (_, tally) = run_for(N_TICKS_AFTER, course, |_| (), away).await;
            let seconds = 10 * lasts;
            note(
                &mut table,
                format!("{name} for {seconds}s, and back"),
                tally,
            );
        }
    }
    for from in [1, 3] {
        let jump = async |sim: &mut Sim, idx: u32| {
            let shift = if idx >= from { -3_600 } else { 0 };
            sim.put_back(-shift);
            shift
        };
        let (_, tally) = run_for(N_TICKS_AFTER, course, |_| (), jump).await;
        note(
            &mut table,
            "clock -1h for good, waits measured".to_owned(),
            tally,
        );
    }
    table
}

/// A person wants the effect undone while the actuator is away; and somebody else writes meanwhile.
async fn rollbacks(course: Course) -> Table {
    let mut table = Table::new();
    for (kind, lasts) in [(Kind::Observe, 12), (Kind::Observe, 60), (Kind::Set, 12)] {
        let mut asked_at = None;
        let away = async |sim: &mut Sim, idx: u32| {
            let last = sim.actions().await.into_iter().next();
            let done = last.filter(|last| asked_at.is_none() && last.state == State::Succeeded);
            if let Some(done) = done {
                let now = NOW + STEP * idx;
                let asked = sim.remediation.rollback(done.id, "ada", now).await;
                asked.unwrap();
                asked_at = Some(idx);
            }
            let is_away = asked_at.is_some_and(|asked_at| idx - asked_at < lasts);
            let refusal = Reaction::Refuse(Failure::Status(503));
            sim.react(move |call| (is_away && call.kind == kind).then_some(refusal));
            0
        };
        let (sim, tally) = run_for(N_TICKS_AFTER, course, |_| (), away).await;
        // What was rolled back as harmful is not asked for.
        let was_asked = sim.actions().await[0].ending == Some(Ending::Refused);
        let is_back = sim.shape("checkout").replicas == 4;
        let tally = Tally {
            unserved: usize::from(was_asked && !is_back),
            ..tally
        };
        let seconds = 10 * lasts;
        note(
            &mut table,
            format!("rollback, actuator away for {seconds}s"),
            tally,
        );
    }
    for from in (2..14).filter(|from| is_struck(course, *from as usize)) {
        let meddle = async |sim: &mut Sim, idx: u32| {
            if idx == from {
                sim.meddle("checkout", 5);
            }
            0
        };
        let (_, tally) = run(course, |_| (), meddle).await;
        // What somebody else has set is not undone, so it is not what the journal says of the end.
        let tally = Tally { untrue: 0, ..tally };
        note(&mut table, "another writer".to_owned(), tally);
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
fn all_of(course: Course) -> [Table; 7] {
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
            obstacles(course),
            rollbacks(course),
        );
        [
            tables.0, tables.1, tables.2, tables.3, tables.4, tables.5, tables.6,
        ]
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
            tally.unheeded,
            tally.unserved,
        ];
        assert_eq!(bad, [0; 7], "{fault}");
    }
}

fn print(table: &Table) {
    println!(
        "{:<62} {:>5} {:>8} {:>8} {:>12} {:>8} {:>8} {:>9} {:>9}",
        "fault", "runs", "actions", "effects", "effects", "actions", "journal", "alerts", "alerts"
    );
    println!(
        "{:<62} {:>5} {:>8} {:>8} {:>12} {:>8} {:>8} {:>9} {:>9}",
        "", "", "lost", "doubled", "unannounced", "endless", "untrue", "unheeded", "unserved"
    );
    for (fault, tally) in table {
        println!(
            "{fault:<62} {:>5} {:>8} {:>8} {:>12} {:>8} {:>8} {:>9} {:>9}",
            tally.n_runs,
            tally.lost,
            tally.doubled,
            tally.unannounced,
            tally.endless,
            tally.untrue,
            tally.unheeded,
            tally.unserved,
        );
    }
}
