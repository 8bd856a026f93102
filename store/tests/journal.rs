//! The journal on a real file: what it promises, and what it refuses.

#![expect(
    clippy::unwrap_used,
    reason = "shared test code may stop the test where it stands"
)]

use series::Timestamp;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};
use store::{
    Accepted, Action, ActionFilter, ActionId, AlertStatus, Cause, Change, Delivery, Ending, Intake,
    Journal, Look, LookVerdict, Mode, Outcome, Proposal, Record, State, StoreError, Waiting,
};
use tempfile::TempDir;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn after(seconds: u64) -> Timestamp {
    NOW + std::time::Duration::from_secs(seconds)
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/journal.db");
    (folder, path)
}

async fn journal() -> (TempDir, Journal) {
    let (folder, path) = folder();
    (folder, Journal::open(&path).await.unwrap())
}

fn delivery(fingerprint: &str, status: AlertStatus) -> Delivery {
    let cause = Cause {
        fingerprint: fingerprint.to_owned(),
        starts_at: NOW,
    };
    Delivery {
        cause,
        status,
        ends_at: None,
        received_at: NOW,
        alert: None,
    }
}

fn proposal(workload: &str) -> Proposal {
    Proposal {
        workload: workload.to_owned(),
        mode: Mode::Auto,
        deadline: after(60),
        reason: "a breach is foreseen".to_owned(),
        actor: "receiver".to_owned(),
    }
}

async fn fire(journal: &Journal, fingerprint: &str, workload: &str) -> Accepted {
    let firing = delivery(fingerprint, AlertStatus::Firing);
    journal.accept(&firing, &proposal(workload)).await.unwrap()
}

async fn resolve(journal: &Journal, fingerprint: &str) -> Outcome {
    let end = delivery(fingerprint, AlertStatus::Resolved);
    let end = Intake::Ends {
        delivery: end,
        workload: Some("shop".to_owned()),
        actor: "receiver".to_owned(),
    };
    let accepted = journal.take_in(vec![end]).await.unwrap();
    accepted[0].delivery().outcome
}

async fn propose(journal: &Journal, workload: &str) -> ActionId {
    let accepted = fire(journal, workload, workload).await;
    assert_eq!(accepted.delivery().outcome, Outcome::Acted);
    accepted.delivery().action.unwrap()
}

fn change(to: State) -> Change {
    Change {
        deadline: Some(after(90)),
        ..Change::new(to, after(1), "test", format!("on to {to}"))
    }
}

async fn walk(journal: &Journal, id: ActionId, states: &[State]) -> Action {
    let mut action = journal.current(id).await.unwrap();
    for to in states {
        action = journal
            .transition(id, action.state, &change(*to))
            .await
            .unwrap();
    }
    action
}

#[tokio::test]
async fn a_transition_happens_only_from_the_state_that_was_seen() {
    let (_folder, journal) = journal().await;
    let id = propose(&journal, "shop").await;
    let plan = serde_json::json!({"replicas": 7});
    let planned = Change {
        plan: Some(plan.clone()),
        ..change(State::Grace)
    };
    let action = journal
        .transition(id, State::Proposed, &planned)
        .await
        .unwrap();
    assert_eq!(
        (action.state, action.deadline),
        (State::Grace, Some(after(90)))
    );

    let late = journal
        .transition(id, State::Proposed, &change(State::Expired))
        .await;
    assert_eq!(
        late.unwrap_err().to_string(),
        format!("action {id} is grace, not proposed")
    );
    let Record {
        action,
        transitions: history,
        ..
    } = journal.record(id).await.unwrap();
    assert_eq!((action.state, action.plan), (State::Grace, Some(plan)));
    let states: Vec<_> = history.iter().map(|line| (line.from, line.to)).collect();
    assert_eq!(
        states,
        [
            (None, State::Proposed),
            (Some(State::Proposed), State::Grace)
        ]
    );
}

#[tokio::test]
async fn an_unknown_action_is_not_found() {
    let (_folder, journal) = journal().await;
    let id = ActionId::new(NOW);
    let moved = journal
        .transition(id, State::Grace, &change(State::Applying))
        .await;
    assert!(matches!(moved, Err(StoreError::NotFound(got)) if got == id));
    assert!(matches!(
        journal.current(id).await,
        Err(StoreError::NotFound(_))
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_alerts_at_once_one_begins_the_action_and_the_others_join() {
    let (_folder, journal) = journal().await;
    let tasks: Vec<_> = (0..40)
        .map(|idx| {
            let journal = journal.clone();
            // Every fingerprint comes twice, as from a highly available pair.
            tokio::spawn(async move { fire(&journal, &format!("f{}", idx / 2), "shop").await })
        })
        .collect();
    let (mut outcomes, mut actions, mut duplicates) = (Vec::new(), BTreeSet::new(), 0);
    for task in tasks {
        let accepted = task.await.unwrap();
        actions.extend(accepted.delivery().action);
        match accepted {
            Accepted::New(delivery) => outcomes.push(delivery.outcome),
            Accepted::Duplicate(_) => duplicates += 1,
        }
    }
    let acted = outcomes.iter().filter(|o| **o == Outcome::Acted).count();
    let joined = outcomes.iter().filter(|o| **o == Outcome::Joined).count();
    assert_eq!((acted, joined, duplicates, actions.len()), (1, 19, 20, 1));
    assert_eq!(journal.open_actions().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_writers_one_wins_the_swap() {
    let (_folder, journal) = journal().await;
    let id = propose(&journal, "shop").await;
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let journal = journal.clone();
            tokio::spawn(async move {
                let change = change(State::Grace);
                journal
                    .transition(id, State::Proposed, &change)
                    .await
                    .is_ok()
            })
        })
        .collect();
    let mut n_winners = 0;
    for task in tasks {
        n_winners += usize::from(task.await.unwrap());
    }
    assert_eq!(n_winners, 1);
}

#[tokio::test]
async fn the_end_of_the_last_alert_supersedes_what_has_had_no_effect() {
    let (_folder, journal) = journal().await;
    let id = propose(&journal, "shop").await;
    assert_eq!(
        fire(&journal, "other", "shop").await.delivery().outcome,
        Outcome::Joined
    );
    assert_eq!(resolve(&journal, "shop").await, Outcome::Resolved);
    assert_eq!(journal.firing(id).await.unwrap(), 1);
    assert_eq!(resolve(&journal, "other").await, Outcome::Superseded);
    let Record {
        action,
        transitions: history,
        ..
    } = journal.record(id).await.unwrap();
    assert_eq!(action.state, State::Superseded);
    assert_eq!(
        history.last().unwrap().reason,
        "the alert resolved before anything was done"
    );
}

#[tokio::test]
async fn the_end_of_an_alert_leaves_an_effect_alone() {
    let (_folder, journal) = journal().await;
    let id = propose(&journal, "shop").await;
    walk(&journal, id, &[State::Grace, State::Applying]).await;
    assert_eq!(resolve(&journal, "shop").await, Outcome::Resolved);
    let action = journal.current(id).await.unwrap();
    assert_eq!(action.state, State::Applying);
}

#[tokio::test]
async fn a_beginning_heard_after_its_end_is_ignored() {
    let (_folder, journal) = journal().await;
    assert_eq!(resolve(&journal, "shop").await, Outcome::Resolved);
    let late = fire(&journal, "shop", "shop").await;
    assert_eq!(late.delivery().outcome, Outcome::Ignored);
    assert_eq!(journal.open_actions().await.unwrap(), []);
}

#[tokio::test]
async fn a_deferred_alert_is_taken_up_later_and_others_are_not() {
    let (_folder, journal) = journal().await;
    let firing = delivery("shop", AlertStatus::Firing);
    let cooling = Intake::Asks {
        delivery: firing,
        proposal: proposal("shop"),
        deferral: Some("cooling".to_owned()),
    };
    let deferred = journal.take_in(vec![cooling]).await.unwrap();
    assert_eq!(deferred[0].delivery().reason, "cooling");
    assert_eq!(deferred[0].delivery().outcome, Outcome::Deferred);
    let waiting = calling(&journal).await;
    assert_eq!((waiting.len(), waiting[0].action), (1, None));
    let taken = fire(&journal, "shop", "shop").await;
    assert_eq!(taken.delivery().outcome, Outcome::Acted);
    assert_eq!(calling(&journal).await, []);

    let again = fire(&journal, "shop", "shop").await;
    assert!(matches!(again, Accepted::Duplicate(d) if d.outcome == Outcome::Acted));
}

#[tokio::test]
async fn an_alert_that_nobody_was_about_is_taken_up_once_a_workload_is() {
    let (_folder, journal) = journal().await;
    let stray = delivery("stray", AlertStatus::Firing);
    let note = async || {
        let stray = Intake::Strays {
            delivery: stray.clone(),
            reason: "no workload".to_owned(),
        };
        journal.take_in(vec![stray]).await.unwrap().remove(0)
    };
    assert!(matches!(note().await, Accepted::New(_)));
    assert!(matches!(note().await, Accepted::Duplicate(_)));
    let matched = fire(&journal, "stray", "shop").await;
    let taken = matched.delivery();
    assert_eq!(
        (taken.outcome, taken.workload.as_deref()),
        (Outcome::Acted, Some("shop"))
    );
    assert!(matches!(note().await, Accepted::Duplicate(d) if d.outcome == Outcome::Acted));
}

/// The groups of alerts that wait and call for another action.
async fn calling(journal: &Journal) -> Vec<Waiting> {
    let mut waiting = journal.waiting().await.unwrap();
    waiting.retain(|group| group.calls);
    waiting
}

/// Ends an action that is proposed.
async fn close(journal: &Journal, id: ActionId, to: State, ending: Ending) {
    let change = Change {
        ending: Some(ending),
        ..Change::new(to, after(60), "supervisor", "so it ends")
    };
    let from = journal.current(id).await.unwrap().state;
    journal.transition(id, from, &change).await.unwrap();
}

#[tokio::test]
async fn alerts_that_outlast_their_actions_are_handed_on_together() {
    let (_folder, journal) = journal().await;
    let first = propose(&journal, "shop").await;
    fire(&journal, "other", "shop").await;
    assert_eq!(calling(&journal).await, [], "it still runs");
    let path = [State::Grace, State::Applying, State::Verifying];
    walk(&journal, first, &path).await;
    close(&journal, first, State::Succeeded, Ending::Met).await;
    let waiting = calling(&journal).await;
    assert_eq!((waiting.len(), waiting[0].n_alerts), (1, 2));
    assert_eq!(waiting[0].action, Some(first));

    resolve(&journal, "shop").await;
    let wanted = proposal("shop");
    let again = async || {
        let proposed = journal.propose_waiting(&wanted, NOW, after(300));
        proposed.await.unwrap()
    };
    let late = journal.propose_waiting(&wanted, after(1), after(300));
    assert_eq!(late.await.unwrap(), None, "they were heard of before that");
    let second = again().await.unwrap();
    assert_eq!(again().await, None, "there is an open action");
    let Record {
        action,
        transitions: history,
        ..
    } = journal.record(second).await.unwrap();
    assert_eq!(
        (action.state, action.cause.fingerprint.as_str()),
        (State::Proposed, "other")
    );
    assert_eq!((action.created_at, history.len()), (after(300), 1));
    assert_eq!(
        (action.begun, action.moved),
        (history[0].seq, history[0].seq)
    );
    assert_eq!(action.attempt, 1, "the one before had come to its end");
    assert_eq!(journal.firing(second).await.unwrap(), 1);
    assert_eq!(calling(&journal).await, []);
    close(&journal, second, State::Rejected, Ending::Refused).await;
    assert_eq!(journal.waiting().await.unwrap(), [], "somebody said no");
    assert_eq!(again().await, None, "somebody said no");
}

#[tokio::test]
async fn an_attempt_that_was_hindered_is_followed_by_another_that_keeps_its_place() {
    let (_folder, journal) = journal().await;
    let first = propose(&journal, "shop").await;
    close(&journal, first, State::Expired, Ending::Hindered).await;
    let waiting = calling(&journal).await;
    assert_eq!(waiting[0].ending, Some(Ending::Hindered));
    let wanted = proposal("shop");
    let again = journal.propose_waiting(&wanted, NOW, after(90));
    let second = again.await.unwrap().unwrap();
    // A new alert on the workload is one more reason for the same chain of attempts.
    close(&journal, second, State::Expired, Ending::Unanswered).await;
    let late = Delivery {
        received_at: after(120),
        ..delivery("late", AlertStatus::Firing)
    };
    let accepted = journal.accept(&late, &proposal("shop")).await.unwrap();
    let third = accepted.delivery().action.unwrap();
    let attempts = async |id| {
        let action = journal.current(id).await.unwrap();
        (action.attempt, action.wanted_since)
    };
    assert_eq!(attempts(second).await, (2, NOW));
    assert_eq!(attempts(third).await, (3, NOW));
    assert_eq!(journal.firing(third).await.unwrap(), 2, "both call for it");
}

#[tokio::test]
async fn a_no_to_one_alert_holds_for_those_that_outlast_an_earlier_action() {
    let (_folder, journal) = journal().await;
    let first = propose(&journal, "shop").await;
    let path = [State::Grace, State::Applying, State::Verifying];
    walk(&journal, first, &path).await;
    close(&journal, first, State::Succeeded, Ending::Met).await;
    assert_eq!(calling(&journal).await.len(), 1);
    let late = Delivery {
        received_at: after(60),
        ..delivery("late", AlertStatus::Firing)
    };
    let accepted = journal.accept(&late, &proposal("shop")).await.unwrap();
    let second = accepted.delivery().action.unwrap();
    close(&journal, second, State::Rejected, Ending::Refused).await;
    assert_eq!(calling(&journal).await, []);
}

#[tokio::test]
async fn an_alert_that_is_matched_anew_waits_for_its_new_workload() {
    let (_folder, journal) = journal().await;
    let first = propose(&journal, "shop").await;
    let unsettled = async || journal.unsettled(0, 10).await.unwrap();
    assert_eq!(unsettled().await, [], "its action is open");
    close(&journal, first, State::Rejected, Ending::Hindered).await;
    let alerts = unsettled().await;
    assert_eq!(alerts.len(), 1);
    let seq = alerts[0].0;
    let after = journal.unsettled(seq, 10).await.unwrap();
    assert_eq!(after, []);
    journal.rematch(seq, Some("store"), "moved").await.unwrap();
    let waiting = calling(&journal).await;
    assert_eq!((&*waiting[0].workload, waiting[0].action), ("store", None));
    assert_eq!(journal.waiting_alerts("store", 9).await.unwrap().len(), 1);
    journal.rematch(seq, None, "gone").await.unwrap();
    assert_eq!(journal.waiting().await.unwrap(), []);
    assert_eq!(unsettled().await[0].1.outcome, Outcome::Unmatched);
}

#[tokio::test]
async fn an_alert_that_is_repeated_was_heard_of_lately() {
    let (_folder, journal) = journal().await;
    let first = propose(&journal, "shop").await;
    close(&journal, first, State::Expired, Ending::Hindered).await;
    let heard = async || calling(&journal).await[0].last_heard_at;
    assert_eq!(heard().await, NOW);
    for (seconds, expect) in [(60, NOW), (3_600, after(3_600))] {
        let again = Delivery {
            received_at: after(seconds),
            ..delivery("shop", AlertStatus::Firing)
        };
        let accepted = journal.accept(&again, &proposal("shop")).await.unwrap();
        assert!(matches!(accepted, Accepted::Duplicate(_)));
        assert_eq!(heard().await, expect);
    }
}

#[tokio::test]
async fn old_deliveries_make_room_unless_their_action_is_open() {
    let (_folder, journal) = journal().await;
    let at = |fingerprint: &str, days: u64| Delivery {
        received_at: after(days * 86_400),
        ..delivery(fingerprint, AlertStatus::Firing)
    };
    let note = async |delivery: &Delivery| {
        let stray = Intake::Strays {
            delivery: delivery.clone(),
            reason: "no workload".to_owned(),
        };
        journal.take_in(vec![stray]).await.unwrap();
    };
    let held = propose(&journal, "shop").await;
    for idx in 0..25 {
        note(&at(&format!("f{idx}"), 0)).await;
    }
    let count = async || journal.deliveries(100).await.unwrap().len();
    note(&at("thirty", 30)).await;
    assert_eq!(count().await, 27, "30 days are kept");
    for (idx, left) in [18, 9, 5, 6].into_iter().enumerate() {
        note(&at(&format!("new{idx}"), 31)).await;
        assert_eq!(count().await, left, "{idx}");
    }
    assert_eq!(journal.firing(held).await.unwrap(), 1);
    walk(&journal, held, &[State::Rejected]).await;
    note(&at("last", 31)).await;
    assert_eq!(journal.firing(held).await.unwrap(), 0);
}

#[tokio::test]
async fn a_workload_that_is_busy_again_keeps_a_finished_action_closed() {
    let (_folder, journal) = journal().await;
    let first = propose(&journal, "shop").await;
    let path = [
        State::Grace,
        State::Applying,
        State::Verifying,
        State::Succeeded,
    ];
    walk(&journal, first, &path).await;
    fire(&journal, "second", "shop").await;
    let reopened = journal
        .transition(first, State::Succeeded, &change(State::RollingBack))
        .await;
    assert_eq!(
        reopened.unwrap_err().to_string(),
        "workload shop already has an open action; reject that one, or wait for its end"
    );
}

#[tokio::test]
async fn only_actions_with_an_effect_count_for_cool_downs_and_rates() {
    let (_folder, journal) = journal().await;
    let rejected = propose(&journal, "shop").await;
    walk(&journal, rejected, &[State::Rejected]).await;
    assert_eq!(journal.last_finished("shop").await.unwrap(), None);
    assert_eq!(journal.ordered_since(NOW, 9).await.unwrap(), []);

    let accepted = fire(&journal, "again", "shop").await;
    let applied = accepted.delivery().action.unwrap();
    walk(&journal, applied, &[State::Grace, State::Applying]).await;
    assert_eq!(
        journal.last_finished("shop").await.unwrap(),
        None,
        "it still runs"
    );
    walk(&journal, applied, &[State::Failed]).await;
    let last = journal.last_finished("shop").await.unwrap().unwrap();
    assert_eq!((last.id, last.applied_at), (applied, Some(after(1))));
    let all = journal.all_last_finished(&["other", "shop"]).await.unwrap();
    let all: Vec<_> = all
        .into_iter()
        .map(|last| (last.id, last.ended_at))
        .collect();
    assert_eq!(all, [(applied, after(1))]);
    assert_eq!(journal.ordered_since(after(1), 9).await.unwrap().len(), 1);
    assert_eq!(journal.ordered_since(after(2), 9).await.unwrap(), []);
}

#[tokio::test]
async fn actions_are_listed_newest_first_and_filtered() {
    let (_folder, journal) = journal().await;
    let shop = propose(&journal, "shop").await;
    walk(&journal, shop, &[State::Rejected]).await;
    let search = propose(&journal, "search").await;
    let list = async |workload: Option<&str>, state, limit| {
        let filter = ActionFilter {
            workload: workload.map(str::to_owned),
            state,
            before: None,
        };
        let actions = journal.actions(&filter, limit).await.unwrap();
        actions.iter().map(|a| a.id).collect::<BTreeSet<_>>()
    };
    assert_eq!(list(None, None, 10).await, BTreeSet::from([shop, search]));
    assert_eq!(list(None, None, 1).await.len(), 1);
    assert_eq!(
        list(Some("search"), None, 10).await,
        BTreeSet::from([search])
    );
    assert_eq!(
        list(None, Some(State::Rejected), 10).await,
        BTreeSet::from([shop])
    );
    assert_eq!(journal.deliveries(10).await.unwrap().len(), 2);
}

/// Whoever opens the file by other means cannot change or delete the rows of a table either.
async fn refuse_to_forget(path: &Path, table: &str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let raw = sqlx::SqlitePool::connect_with(options).await.unwrap();
    for sql in [
        format!("UPDATE {table} SET actor = 'x'"),
        format!("DELETE FROM {table}"),
    ] {
        let sql = sqlx::AssertSqlSafe(sql);
        let error = sqlx::query(sql).execute(&raw).await.unwrap_err();
        assert!(error.to_string().contains("append-only"), "{error}");
    }
    raw.close().await;
}

#[tokio::test]
async fn history_can_be_neither_changed_nor_deleted() {
    let (_guard, path) = folder();
    let journal = Journal::open(&path).await.unwrap();
    propose(&journal, "shop").await;
    refuse_to_forget(&path, "transitions").await;
}

#[tokio::test]
async fn what_was_answered_survives_a_reopening() {
    let (_guard, path) = folder();
    let id = {
        let journal = Journal::open(&path).await.unwrap();
        let id = propose(&journal, "shop").await;
        let noted = Change {
            pre_image: Some(serde_json::json!({"replicas": 4})),
            ..change(State::Applying)
        };
        walk(&journal, id, &[State::Grace]).await;
        journal.transition(id, State::Grace, &noted).await.unwrap();
        id
    };
    let journal = Journal::open(&path).await.unwrap();
    let Record {
        action,
        transitions: history,
        ..
    } = journal.record(id).await.unwrap();
    assert_eq!((action.state, history.len()), (State::Applying, 3));
    assert_eq!(action.pre_image, Some(serde_json::json!({"replicas": 4})));
    let again = fire(&journal, "shop", "shop").await;
    assert!(matches!(again, Accepted::Duplicate(d) if d.action == Some(id)));
}

/// The error and its causes, as the program prints them.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

#[tokio::test]
async fn a_file_that_is_no_journal_is_refused_with_a_sentence() {
    let (_guard, path) = folder();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(
        &path,
        "not a database, but long enough to look like one ".repeat(40),
    )
    .unwrap();
    let error = Journal::open(&path).await.unwrap_err();
    let words = chain(&error);
    assert!(words.starts_with("cannot open the journal "), "{words}");
    assert!(words.contains("file is not a database"), "{words}");
}

#[tokio::test]
async fn damaged_pages_are_found_when_the_file_is_opened() {
    let (_guard, path) = folder();
    let journal = Journal::open(&path).await.unwrap();
    for idx in 0..50 {
        propose(&journal, &format!("workload-{idx}")).await;
    }
    journal.close().await;
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    for byte in &mut bytes[4096..middle] {
        *byte = 0xa5;
    }
    std::fs::write(&path, bytes).unwrap();
    let words = chain(&Journal::open(&path).await.unwrap_err());
    assert!(
        words.contains("damaged") || words.contains("malformed"),
        "{words}"
    );
}

#[tokio::test]
async fn the_file_of_another_program_or_a_newer_version_is_left_alone() {
    let (_guard, path) = folder();
    let execute = async |sql: &'static str| {
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let raw = sqlx::SqlitePool::connect_with(options).await.unwrap();
        sqlx::raw_sql(sql).execute(&raw).await.unwrap();
        raw.close().await;
    };
    execute("CREATE TABLE theirs (x)").await;
    let words = chain(&Journal::open(&path).await.unwrap_err());
    assert!(words.contains("another program"), "{words}");
    std::fs::remove_file(&path).unwrap();

    Journal::open(&path).await.unwrap().close().await;
    execute("PRAGMA user_version = 99").await;
    let words = chain(&Journal::open(&path).await.unwrap_err());
    assert!(words.contains("schema version 99"), "{words}");
}

#[tokio::test]
async fn the_file_of_an_older_version_is_brought_up_to_date() {
    let (_guard, path) = folder();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true);
    let raw = sqlx::SqlitePool::connect_with(options).await.unwrap();
    let tables = include_str!("../src/sql/0001_journal.sql");
    let stamp = "PRAGMA application_id = 0x466f7265; PRAGMA user_version = 1";
    for sql in [tables, stamp] {
        sqlx::raw_sql(sql).execute(&raw).await.unwrap();
    }
    raw.close().await;
    let journal = Journal::open(&path).await.unwrap();
    let id = propose(&journal, "shop").await;
    assert_eq!(journal.open_actions().await.unwrap()[0].id, id);
}

#[tokio::test]
async fn an_action_is_shown_with_readable_times_and_states() {
    let (_folder, journal) = journal().await;
    let id = propose(&journal, "shop").await;
    let action = journal.current(id).await.unwrap();
    let json = serde_json::to_value(&action).unwrap();
    assert_eq!(json["id"], id.to_string());
    assert_eq!(json["state"], "proposed");
    assert_eq!(json["created_at"], "2027-01-15T08:00:00Z");
    assert_eq!(json["applied_at"], serde_json::Value::Null);
}

#[tokio::test]
async fn a_decision_holds_for_the_plan_that_was_seen() {
    let (_folder, journal) = journal().await;
    let id = propose(&journal, "shop").await;
    let planned = |to, replicas: u32| Change {
        plan: Some(serde_json::json!({ "replicas": replicas })),
        ..change(to)
    };
    let seen = journal
        .transition(id, State::Proposed, &planned(State::AwaitingApproval, 7))
        .await
        .unwrap();
    let edit = planned(State::AwaitingApproval, 9);
    journal.transition(id, seen.state, &edit).await.unwrap();
    let approval = Change {
        of_plan: Some(seen.plan_no),
        ..change(State::Grace)
    };
    let late = journal.transition(id, seen.state, &approval).await;
    assert_eq!(
        late.unwrap_err().to_string(),
        format!("action {id} has another plan by now")
    );
    let now = journal.current(id).await.unwrap();
    let informed = Change {
        of_plan: Some(now.plan_no),
        ..change(State::Grace)
    };
    journal.transition(id, now.state, &informed).await.unwrap();
}

#[tokio::test]
async fn stages_are_stamped_when_they_are_ordered() {
    let (_folder, journal) = journal().await;
    let id = propose(&journal, "shop").await;
    let action = walk(&journal, id, &[State::Grace, State::Applying]).await;
    assert_eq!((action.stage, action.stage_at), (0, Some(after(1))));
    walk(&journal, id, &[State::Verifying]).await;
    let next = Change {
        at: after(60),
        stage: Some(1),
        ..change(State::Applying)
    };
    let action = journal
        .transition(id, State::Verifying, &next)
        .await
        .unwrap();
    assert_eq!((action.stage, action.stage_at), (1, Some(after(60))));
    assert_eq!(action.applied_at, Some(after(1)));
}

#[tokio::test]
async fn looks_are_kept_in_order_and_for_good() {
    let (_folder, journal) = journal().await;
    let id = propose(&journal, "shop").await;
    let look = |number, verdict| Look {
        stage: 0,
        number,
        at: after(u64::from(number)),
        check: "errors".to_owned(),
        verdict,
        before: Some(serde_json::json!(0.25)),
        after: None,
        reason: "because".to_owned(),
    };
    let all = [
        look(0, LookVerdict::Baseline),
        look(1, LookVerdict::Inconclusive),
        look(2, LookVerdict::Successful),
    ];
    journal.note_looks(id, &all[..1]).await.unwrap();
    journal.note_looks(id, &all[1..]).await.unwrap();
    assert_eq!(journal.looks(id).await.unwrap(), all);
    let stranger = ActionId::new(NOW);
    assert!(journal.note_looks(stranger, &all[..1]).await.is_err());
    assert_eq!(journal.looks(stranger).await.unwrap(), []);
}

#[tokio::test]
async fn what_an_alert_said_is_kept_until_it_resolves() {
    let (_folder, journal) = journal().await;
    let said = serde_json::json!({"labels": {"service": "shop"}});
    let firing = Delivery {
        alert: Some(said.clone()),
        ..delivery("f1", AlertStatus::Firing)
    };
    let accepted = journal.accept(&firing, &proposal("shop")).await.unwrap();
    let id = accepted.delivery().action.unwrap();
    let alerts = journal.firing_alerts(id).await.unwrap();
    assert_eq!(alerts[0].alert, Some(said));
    resolve(&journal, "f1").await;
    assert_eq!(journal.firing_alerts(id).await.unwrap(), []);
}

#[tokio::test]
async fn an_action_of_an_older_version_goes_on_in_the_newest() {
    let (_guard, path) = folder();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true);
    let raw = sqlx::SqlitePool::connect_with(options).await.unwrap();
    let id = ActionId::new(NOW);
    for sql in [
        include_str!("../src/sql/0001_journal.sql"),
        include_str!("../src/sql/0002_views.sql"),
        "PRAGMA application_id = 0x466f7265; PRAGMA user_version = 2",
    ] {
        sqlx::raw_sql(sql).execute(&raw).await.unwrap();
    }
    sqlx::query(
        "INSERT INTO actions VALUES ($1, 'shop', 'verifying', 'auto', 'f1', 1, '{\"replicas\": 7}', NULL,
             1, 2, 2000, 3000, 'scaled')",
    )
    .bind(id.to_string())
    .execute(&raw)
    .await
    .unwrap();
    raw.close().await;
    let journal = Journal::open(&path).await.unwrap();
    let open = journal.open_actions().await.unwrap();
    assert_eq!((open[0].id, open[0].stage), (id, 0));
    assert_eq!(open[0].stage_at, Some(Timestamp::from_millis(2_000)));
    let paused = walk(&journal, id, &[State::Paused]).await;
    assert_eq!(paused.state, State::Paused);
}

#[tokio::test]
async fn a_notification_is_taken_in_as_a_whole() {
    use Outcome::{Acted, Joined, Resolved};
    let (_folder, journal) = journal().await;
    let asks = |fingerprint: &str, workload: &str| Intake::Asks {
        delivery: delivery(fingerprint, AlertStatus::Firing),
        proposal: proposal(workload),
        deferral: None,
    };
    let ends = Intake::Ends {
        delivery: delivery("a", AlertStatus::Resolved),
        workload: Some("shop".to_owned()),
        actor: "receiver".to_owned(),
    };
    let all = [
        asks("a", "shop"),
        asks("b", "shop"),
        asks("a", "shop"),
        ends,
        asks("c", "search"),
    ];
    let accepted = journal.take_in(all.to_vec()).await.unwrap();
    let outcomes: Vec<_> = accepted.iter().map(|one| one.delivery().outcome).collect();
    assert_eq!(outcomes, [Acted, Joined, Acted, Resolved, Acted]);
    assert!(matches!(accepted[2], Accepted::Duplicate(_)));
    assert_eq!(journal.open_actions().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_long_list_is_read_page_by_page() {
    let (_folder, journal) = journal().await;
    for idx in 0..5 {
        propose(&journal, &format!("w{idx}")).await;
    }
    let (mut filter, mut seen) = (ActionFilter::default(), Vec::new());
    loop {
        let page = journal.actions(&filter, 2).await.unwrap();
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        filter.before = Some(last.id);
        seen.extend(page.into_iter().map(|action| action.id));
    }
    let all = ActionFilter::default();
    let all = journal.actions(&all, 100).await.unwrap();
    assert_eq!(seen, all.iter().map(|action| action.id).collect::<Vec<_>>());
    assert_eq!(seen.len(), 5);
}

#[tokio::test]
async fn an_export_holds_all_that_changed_with_all_that_belongs_to_it() {
    let (_folder, journal) = journal().await;
    let old = propose(&journal, "old").await;
    let id = propose(&journal, "shop").await;
    fire(&journal, "another", "shop").await;
    let states = [State::Grace, State::Applying, State::Verifying];
    walk(&journal, id, &states).await;
    let look = Look {
        stage: 0,
        number: 1,
        at: after(2),
        check: "p99".to_owned(),
        verdict: LookVerdict::Successful,
        before: None,
        after: None,
        reason: "it holds".to_owned(),
    };
    journal.note_looks(id, &[look]).await.unwrap();

    // Both are of the same moment, so their identifiers decide which is first.
    let mut ids = [old, id];
    ids.sort_by_key(ToString::to_string);
    let [first, second] = ids;
    let page = journal.changed_since(None, None, 1).await.unwrap();
    assert_eq!(page, [first]);
    let rest = journal.changed_since(None, Some(first), 9).await.unwrap();
    assert_eq!(rest, [second]);
    assert_eq!(
        journal
            .changed_since(Some(after(1)), None, 9)
            .await
            .unwrap(),
        [id]
    );
    let record = journal.record(id).await.unwrap();
    assert_eq!(record.transitions.len(), 4);
    assert_eq!(record.looks.len(), 1);
    let fingerprints: Vec<_> = record
        .deliveries
        .iter()
        .map(|delivery| delivery.cause.fingerprint.as_str())
        .collect();
    assert_eq!(fingerprints, ["another", "shop"]);
    let glance = journal.record_up_to(id, 1).await.unwrap();
    assert_eq!(glance.deliveries, record.deliveries[..1]);
    assert_eq!((glance.n_deliveries, record.n_deliveries), (2, 2));
    let line = serde_json::to_value(&record).unwrap();
    assert_eq!(line["state"], "verifying");
    assert_eq!(line["deliveries"][1]["outcome"], "acted");
}

#[tokio::test]
async fn turns_of_the_kill_switch_are_kept_and_not_changed() {
    let (_guard, path) = folder();
    let journal = Journal::open(&path).await.unwrap();
    assert_eq!(journal.last_switch().await.unwrap(), None);
    for (thrown, actor) in [(true, "ann"), (false, "bob")] {
        journal
            .note_switch(thrown, NOW, actor, "a drill")
            .await
            .unwrap();
    }
    let last = journal.last_switch().await.unwrap().unwrap();
    assert_eq!((last.thrown, last.actor.as_str()), (false, "bob"));
    let after_first = journal.switches(None, last.seq - 1, 9).await.unwrap();
    assert_eq!(after_first, [last]);
    let later = journal.switches(Some(after(1)), 0, 9).await.unwrap();
    assert_eq!(later, []);

    refuse_to_forget(&path, "kill_switch").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notification_that_cannot_be_kept_does_not_take_others_along() {
    let (_guard, path) = folder();
    let journal = Journal::open(&path).await.unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let raw = sqlx::SqlitePool::connect_with(options).await.unwrap();
    let refuse = "CREATE TRIGGER t BEFORE INSERT ON deliveries WHEN NEW.fingerprint = 'bad'
                  BEGIN SELECT RAISE(ABORT, 'no'); END";
    sqlx::query(refuse).execute(&raw).await.unwrap();
    let names = (0..200).map(|idx| {
        if idx % 50 == 7 {
            "bad".to_owned()
        } else {
            format!("f{idx}")
        }
    });
    let tasks = names.map(|name| {
        let (journal, firing) = (journal.clone(), delivery(&name, AlertStatus::Firing));
        let task = tokio::spawn(async move { journal.accept(&firing, &proposal("shop")).await });
        (name, task)
    });
    let (mut n_kept, tasks) = (0, tasks.collect::<Vec<_>>());
    for (name, task) in tasks {
        let accepted = task.await.unwrap();
        assert_eq!(accepted.is_err(), name == "bad", "{name}: {accepted:?}");
        n_kept += usize::from(accepted.is_ok());
    }
    assert_eq!(n_kept, 196);
    assert_eq!(journal.deliveries(1_000).await.unwrap().len(), 196);
    assert_eq!(journal.open_actions().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_caller_who_hangs_up_is_taken_in_all_the_same() {
    let (_folder, journal) = journal().await;
    let firing = delivery("f", AlertStatus::Firing);
    let proposal = proposal("shop");
    {
        let taken = journal.accept(&firing, &proposal);
        let impatient = std::pin::pin!(taken);
        let waker = std::task::Waker::noop();
        let polled = impatient.poll(&mut std::task::Context::from_waker(waker));
        assert!(polled.is_pending());
    }
    // The next in line finds the first one taken in.
    let accepted = journal.accept(&firing, &proposal).await.unwrap();
    assert!(matches!(accepted, Accepted::Duplicate(_)), "{accepted:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_is_too_long_is_not_joined_and_the_rest_are_served() {
    let (_guard, path) = folder();
    let journal = Journal::open(&path).await.unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let raw = sqlx::SqlitePool::connect_with(options).await.unwrap();
    let held = raw.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let take = |nth: usize| {
        let journal = journal.clone();
        let strays = (0..1_000).map(|idx| Intake::Strays {
            delivery: delivery(&format!("f{nth}-{idx}"), AlertStatus::Firing),
            reason: "no workload".to_owned(),
        });
        let strays = strays.collect();
        tokio::spawn(async move { journal.take_in(strays).await })
    };
    let tasks: Vec<_> = (0..20).map(take).collect();
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    held.rollback().await.unwrap();

    let (mut n_kept, mut n_refused) = (0, 0);
    for task in tasks {
        match task.await.unwrap() {
            Ok(accepted) => n_kept += accepted.len(),
            Err(StoreError::Behind) => n_refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    // One or more are under way, five wait.
    assert!((6_000..20_000).contains(&n_kept), "{n_kept} kept");
    assert_eq!(n_kept + n_refused * 1_000, 20_000);
    assert_eq!(journal.deliveries(50_000).await.unwrap().len(), n_kept);
}

#[tokio::test]
async fn whoever_cannot_be_written_down_is_not_told_otherwise() {
    let (_folder, journal) = journal().await;
    journal.close().await;
    let take = |nth: usize| {
        let (journal, name) = (journal.clone(), format!("f{nth}"));
        let task = async move {
            let firing = delivery(&name, AlertStatus::Firing);
            journal.accept(&firing, &proposal("shop")).await
        };
        tokio::spawn(task)
    };
    for task in (0..9).map(take).collect::<Vec<_>>() {
        let error = task.await.unwrap().unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot begin to write to the journal",
            "{error:?}"
        );
    }
}
