//! Alerts that begin, end and begin again, as pairs of Prometheus and of Alertmanager deliver them.

#![expect(
    clippy::unwrap_used,
    reason = "shared test code may stop the test where it stands"
)]

use series::Timestamp;
use std::time::Duration;
use store::{
    ActionFilter, AlertStatus, Cause, Change, Delivery, Intake, Journal, Mode, Outcome, Proposal,
    RecordedDelivery, State,
};
use tempfile::TempDir;

/// Seconds after the moment at which all of these stories begin.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_800_000_000 + seconds)
}

struct World {
    _folder: TempDir,
    journal: Journal,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        Self {
            _folder: folder,
            journal: Journal::open(&path).await.unwrap(),
        }
    }

    /// Delivers the beginning of the one alert.
    async fn fires(&self, starts_at: i64, heard_at: i64) -> RecordedDelivery {
        let delivery = delivery(starts_at, None, heard_at);
        let proposal = proposal(heard_at);
        let accepted = self.journal.accept(&delivery, &proposal).await.unwrap();
        accepted.delivery().clone()
    }

    /// Delivers its end.
    async fn ends(&self, starts_at: i64, ends_at: i64, heard_at: i64) -> RecordedDelivery {
        let end = Intake::Ends {
            delivery: delivery(starts_at, Some(ends_at), heard_at),
            workload: Some("shop".to_owned()),
            actor: "receiver".to_owned(),
        };
        let accepted = self.journal.take_in(vec![end]).await.unwrap();
        accepted[0].delivery().clone()
    }

    /// Looks again at alerts that may fire anew, as the loop does.
    async fn looks_again(&self, now: i64) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for doubted in self.journal.doubted(at(now), 10).await.unwrap() {
            let delivery = Delivery {
                cause: doubted.cause,
                status: doubted.status,
                ends_at: None,
                received_at: at(now),
                alert: doubted.alert,
            };
            let taken = self
                .journal
                .accept(&delivery, &proposal(now))
                .await
                .unwrap();
            outcomes.push(taken.delivery().outcome);
        }
        outcomes
    }

    async fn states(&self) -> Vec<State> {
        let all = ActionFilter::default();
        let actions = self.journal.actions(&all, 10);
        let actions = actions.await.unwrap();
        actions.iter().rev().map(|action| action.state).collect()
    }

    /// Carries the open action out.
    async fn succeed(&self) {
        let mut action = self.journal.open_actions().await.unwrap().remove(0);
        for to in [
            State::Grace,
            State::Applying,
            State::Verifying,
            State::Succeeded,
        ] {
            let change = Change::new(to, at(5), "test", "on");
            let moved = self.journal.transition(action.id, action.state, &change);
            action = moved.await.unwrap();
        }
    }

    async fn n_firing(&self) -> u64 {
        let mut n_firing = 0;
        let all = ActionFilter::default();
        let actions = self.journal.actions(&all, 10);
        for action in actions.await.unwrap() {
            n_firing += self.journal.firing(action.id).await.unwrap();
        }
        n_firing
    }
}

fn delivery(starts_at: i64, ends_at: Option<i64>, heard_at: i64) -> Delivery {
    Delivery {
        cause: Cause {
            fingerprint: "f".to_owned(),
            starts_at: at(starts_at),
        },
        status: match ends_at {
            Some(_) => AlertStatus::Resolved,
            None => AlertStatus::Firing,
        },
        ends_at: ends_at.map(at),
        received_at: at(heard_at),
        alert: None,
    }
}

fn proposal(now: i64) -> Proposal {
    Proposal {
        workload: "shop".to_owned(),
        mode: Mode::Auto,
        deadline: at(now) + Duration::from_mins(2),
        reason: "an alert fires".to_owned(),
        actor: "receiver".to_owned(),
    }
}

#[tokio::test]
async fn an_end_with_an_earlier_beginning_ends_the_alert() {
    let world = World::new().await;
    assert_eq!(world.fires(-3, 0).await.outcome, Outcome::Acted);
    assert_eq!(world.fires(-8, 1).await.outcome, Outcome::Acted, "the same");
    assert_eq!(world.ends(-8, 2, 2).await.outcome, Outcome::Superseded);
    assert_eq!(world.states().await, [State::Superseded]);
    assert_eq!(world.n_firing().await, 0);
}

#[tokio::test]
async fn an_end_that_never_saw_the_earlier_beginning_ends_it_all_the_same() {
    for (starts_at, ends_at) in [(-8, 2), (-3, 2), (-1, 2), (1, 2)] {
        let world = World::new().await;
        world.fires(-3, 0).await;
        assert_eq!(
            world.ends(starts_at, ends_at, 3).await.outcome,
            Outcome::Superseded,
            "{starts_at}"
        );
    }
}

#[tokio::test]
async fn a_beginning_that_moves_does_not_ask_again_after_a_no() {
    let world = World::new().await;
    let id = world.fires(-3, 0).await.action.unwrap();
    let no = Change::new(State::Rejected, at(1), "ann", "not now");
    let rejected = world.journal.transition(id, State::Proposed, &no).await;
    rejected.unwrap();
    for starts_at in [-8, -1, 0] {
        assert_eq!(world.fires(starts_at, 2).await.action, Some(id));
    }
    assert_eq!(world.states().await, [State::Rejected]);
    // It began after it was last heard of: its end got lost, or is not sent.
    assert_eq!(world.fires(60, 70).await.outcome, Outcome::Acted);
}

#[tokio::test]
async fn an_end_leaves_a_later_beginning_alone() {
    let world = World::new().await;
    world.fires(0, 1).await;
    world.fires(30, 40).await;
    assert_eq!(world.n_firing().await, 1, "it cannot fire twice at once");
    assert_eq!(world.ends(0, 20, 41).await.outcome, Outcome::Resolved);
    assert_eq!(world.n_firing().await, 1);
    assert_eq!(world.states().await, [State::Proposed]);
    assert_eq!(world.ends(30, 50, 51).await.outcome, Outcome::Superseded);
}

#[tokio::test]
async fn an_alert_that_fires_again_later_than_its_end_asks_at_once() {
    let world = World::new().await;
    world.fires(0, 1).await;
    world.ends(0, 20, 21).await;
    assert_eq!(world.fires(22, 23).await.outcome, Outcome::Acted);
    assert_eq!(world.states().await, [State::Superseded, State::Proposed]);
}

#[tokio::test]
async fn an_alert_that_fires_again_with_the_beginning_that_it_had_asks_after_a_while() {
    for starts_at in [0, -5, 10] {
        let world = World::new().await;
        world.fires(0, 1).await;
        world.ends(0, 20, 21).await;
        assert_eq!(world.fires(starts_at, 24).await.outcome, Outcome::Ignored);
        assert_eq!(world.fires(starts_at, 25).await.outcome, Outcome::Ignored);
        assert_eq!(world.looks_again(53).await, [], "it may be a late copy");
        assert_eq!(world.looks_again(54).await, [Outcome::Acted]);
        assert_eq!(world.looks_again(55).await, []);
        assert_eq!(world.states().await, [State::Superseded, State::Proposed]);

        // A copy of the old end is not the end of this one; its own is.
        assert_eq!(world.ends(0, 20, 56).await.outcome, Outcome::Superseded);
        assert_eq!(world.n_firing().await, 1);
        assert_eq!(world.ends(0, 70, 71).await.outcome, Outcome::Superseded);
        assert_eq!(world.states().await, [State::Superseded, State::Superseded]);
        assert_eq!(world.n_firing().await, 0);
    }
}

#[tokio::test]
async fn an_alert_that_is_delivered_again_long_after_its_end_fires_anew() {
    let world = World::new().await;
    world.fires(0, 1).await;
    world.succeed().await;
    world.ends(0, 20, 21).await;
    assert_eq!(world.fires(0, 321).await.outcome, Outcome::Acted);
    assert_eq!(world.states().await, [State::Succeeded, State::Proposed]);
}

/// The deliveries of two members of a cluster, seconds after the first: see the recording of Alertmanager 0.25.
#[tokio::test]
async fn a_late_copy_of_a_beginning_is_ignored_once_its_end_follows() {
    let world = World::new().await;
    world.fires(-2, 0).await;
    world.succeed().await;
    assert_eq!(world.ends(-2, 18, 20).await.outcome, Outcome::Resolved);
    assert_eq!(world.fires(-2, 30).await.outcome, Outcome::Ignored);
    world.ends(-2, 18, 45).await;
    assert_eq!(world.looks_again(100).await, []);
    assert_eq!(world.states().await, [State::Succeeded]);
}

#[tokio::test]
async fn an_end_that_comes_before_its_beginning_is_believed() {
    let world = World::new().await;
    assert_eq!(world.ends(0, 20, 21).await.outcome, Outcome::Resolved);
    assert_eq!(world.fires(0, 22).await.outcome, Outcome::Ignored);
    world.ends(0, 20, 23).await;
    assert_eq!(world.looks_again(100).await, []);
    assert_eq!(world.states().await, []);
}

#[tokio::test]
async fn ends_that_the_older_journal_passed_by_are_made_good() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true);
    let raw = sqlx::SqlitePool::connect_with(options).await.unwrap();
    for sql in [
        include_str!("../src/sql/0001_journal.sql"),
        include_str!("../src/sql/0002_views.sql"),
        include_str!("../src/sql/0003_rollouts.sql"),
        include_str!("../src/sql/0004_kill_switch.sql"),
        "PRAGMA application_id = 0x466f7265; PRAGMA user_version = 4",
        "INSERT INTO deliveries (fingerprint, starts_at, status, received_at, outcome, reason) VALUES
             ('moved', 5, 'firing', 10, 'deferred', 'r'), ('moved', 3, 'resolved', 20, 'resolved', 'r'),
             ('late', 5, 'resolved', 10, 'resolved', 'r'), ('late', 5, 'firing', 20, 'deferred', 'r'),
             ('anew', 5, 'resolved', 10, 'resolved', 'r'), ('anew', 15, 'firing', 20, 'deferred', 'r')",
    ] {
        sqlx::raw_sql(sql).execute(&raw).await.unwrap();
    }
    raw.close().await;
    let journal = Journal::open(&path).await.unwrap();
    let firing = journal.unsettled(0, 10).await.unwrap();
    let firing: Vec<_> = firing
        .iter()
        .map(|(_, one)| one.cause.fingerprint.as_str())
        .collect();
    assert_eq!(firing, ["anew"]);
    assert_eq!(journal.deliveries(10).await.unwrap().len(), 6);
}
