//! The journal when something below it goes wrong: it says so, writes nothing by halves, and goes on afterwards.

#![expect(
    clippy::unwrap_used,
    reason = "shared test code may stop the test where it stands"
)]

use series::Timestamp;
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};
use store::{
    ActionId, AlertStatus, Cause, Change, Delivery, Journal, Mode, Outcome, Proposal, State,
    StoreError,
};
use tempfile::TempDir;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

async fn journal() -> (TempDir, PathBuf, Journal) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data/journal.db");
    let journal = Journal::open(&path).await.unwrap();
    (folder, path, journal)
}

async fn fire(journal: &Journal, fingerprint: &str) -> Result<Option<ActionId>, StoreError> {
    let delivery = Delivery {
        cause: Cause {
            fingerprint: fingerprint.to_owned(),
            starts_at: NOW,
        },
        status: AlertStatus::Firing,
        ends_at: None,
        received_at: NOW,
        alert: None,
    };
    let proposal = Proposal {
        workload: fingerprint.to_owned(),
        mode: Mode::Auto,
        deadline: NOW,
        reason: "an alert fires".to_owned(),
        actor: "receiver".to_owned(),
    };
    let accepted = journal.accept(&delivery, &proposal).await?;
    assert_eq!(accepted.delivery().outcome, Outcome::Acted);
    Ok(accepted.delivery().action)
}

async fn execute(path: &Path, sql: &'static str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let raw = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::raw_sql(sql).execute(&raw).await.unwrap();
    raw.close().await;
}

/// Makes every kind of write fail by triggers, and looks that each works once these are gone.
async fn check_each_write(make: &'static str, unmake: &'static str) {
    let (_folder, path, journal) = journal().await;
    let id = fire(&journal, "first").await.unwrap().unwrap();
    let change = Change::new(State::Grace, NOW, "test", "on");
    execute(&path, make).await;
    for _ in 0..3 {
        fire(&journal, "second").await.unwrap_err();
        let moved = journal.transition(id, State::Proposed, &change);
        moved.await.unwrap_err();
        let switched = journal.note_switch(true, NOW, "ann", "stop").await;
        switched.unwrap_err();
    }
    let id_state = journal.current(id).await.unwrap().state;
    assert_eq!(id_state, State::Proposed, "nothing is written by halves");
    execute(&path, unmake).await;
    fire(&journal, "second").await.unwrap();
    let moved = journal.transition(id, State::Proposed, &change);
    moved.await.unwrap();
    let switched = journal.note_switch(true, NOW, "ann", "stop").await;
    switched.unwrap();
    assert_eq!(journal.open_actions().await.unwrap().len(), 2);
}

/// A COMMIT that is refused leaves its transaction open.
#[tokio::test]
async fn a_commit_that_failed_leaves_nothing_behind() {
    check_each_write(
        "CREATE TABLE parents (id INTEGER PRIMARY KEY);
         CREATE TABLE orphans (id INTEGER REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED);
         CREATE TRIGGER a AFTER INSERT ON deliveries BEGIN INSERT INTO orphans VALUES (1); END;
         CREATE TRIGGER b AFTER INSERT ON transitions BEGIN INSERT INTO orphans VALUES (1); END;
         CREATE TRIGGER c AFTER INSERT ON kill_switch BEGIN INSERT INTO orphans VALUES (1); END;",
        "DROP TRIGGER a; DROP TRIGGER b; DROP TRIGGER c",
    )
    .await;
}

/// SQLite ends the transaction by itself, as when the disk is full.
#[tokio::test]
async fn a_transaction_that_was_ended_from_below_leaves_nothing_behind() {
    check_each_write(
        "CREATE TRIGGER a AFTER INSERT ON deliveries BEGIN SELECT RAISE(ROLLBACK, 'no'); END;
         CREATE TRIGGER b AFTER INSERT ON transitions BEGIN SELECT RAISE(ROLLBACK, 'no'); END;
         CREATE TRIGGER c AFTER INSERT ON kill_switch BEGIN SELECT RAISE(ROLLBACK, 'no'); END;",
        "DROP TRIGGER a; DROP TRIGGER b; DROP TRIGGER c",
    )
    .await;
}

#[tokio::test]
async fn a_caller_who_hangs_up_half_way_leaves_nothing_behind() {
    let (_folder, path, journal) = journal().await;
    let id = fire(&journal, "first").await.unwrap().unwrap();
    let change = Change::new(State::Grace, NOW, "test", "on");
    for n_polls in 1..40 {
        let mut moved = Box::pin(journal.transition(id, State::Proposed, &change));
        for _ in 0..n_polls {
            let waker = std::task::Waker::noop();
            let polled = moved
                .as_mut()
                .poll(&mut std::task::Context::from_waker(waker));
            if polled.is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(moved);
        journal.probe().await.unwrap();
    }
    assert_eq!(journal.trouble(), None);
    execute(&path, "CREATE TABLE unlocked (x)").await;
}

#[tokio::test]
async fn a_file_that_is_gone_is_noticed_and_found_again_when_it_is_back() {
    let (folder, path, journal) = journal().await;
    let id = fire(&journal, "first").await.unwrap().unwrap();
    let (data, away) = (folder.path().join("data"), folder.path().join("away"));
    fs::rename(&data, &away).unwrap();
    assert!(matches!(
        journal.look_for_file().await,
        Err(StoreError::Gone { .. })
    ));
    fire(&journal, "second").await.unwrap_err();
    let change = Change::new(State::Grace, NOW, "test", "on");
    let moved = journal.transition(id, State::Proposed, &change).await;
    assert!(matches!(moved, Err(StoreError::Gone { .. })), "{moved:?}");
    let trouble = journal.trouble().unwrap();
    let expected = format!("the journal {} cannot be written: ", path.display());
    assert!(trouble.starts_with(&expected), "{trouble}");
    assert!(!data.exists(), "nothing new takes its place");

    // Another journal at the same path is not ours either.
    let other = Journal::open(&path).await.unwrap();
    let moved = journal.transition(id, State::Proposed, &change).await;
    assert!(
        matches!(moved, Err(StoreError::Replaced { .. })),
        "{moved:?}"
    );
    other.close().await;
    fs::remove_dir_all(&data).unwrap();

    fs::rename(&away, &data).unwrap();
    journal.probe().await.unwrap();
    assert_eq!(journal.trouble(), None);
    journal
        .transition(id, State::Proposed, &change)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_write_ahead_log_that_was_deleted_is_noticed_and_saved_at_the_end() {
    let (_folder, path, journal) = journal().await;
    let id = fire(&journal, "first").await.unwrap().unwrap();
    let log = path.with_file_name("journal.db-wal");
    fs::remove_file(&log).unwrap();
    let error = fire(&journal, "second").await.unwrap_err();
    assert!(
        error.to_string().contains("journal.db-wal is gone"),
        "{error}"
    );
    assert!(journal.trouble().is_some());
    journal.close().await;
    let journal = Journal::open(&path).await.unwrap();
    assert_eq!(journal.current(id).await.unwrap().state, State::Proposed);
    assert_eq!(journal.trouble(), None);
}

#[tokio::test]
async fn the_files_are_for_their_owner_alone() {
    let (_folder, path, journal) = journal().await;
    fire(&journal, "first").await.unwrap();
    let names = ["journal.db", "journal.db-wal", "journal.db-shm"];
    let modes = || {
        let mode = |name: &&str| {
            let file = fs::metadata(path.with_file_name(name)).unwrap();
            file.permissions().mode() & 0o777
        };
        names.iter().map(mode).collect::<Vec<_>>()
    };
    assert_eq!(modes(), [0o600; 3]);
    // What an earlier version left.
    for name in names {
        let open = fs::Permissions::from_mode(0o644);
        fs::set_permissions(path.with_file_name(name), open).unwrap();
    }
    let _again = Journal::open(&path).await.unwrap();
    assert_eq!(modes(), [0o600; 3]);
}
