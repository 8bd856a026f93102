//! The kill switch as people turn it: a file, and a line in the journal.

use crate::sim::{CHECK, NOW, Sim};
use remediation::SwitchError;
use std::fs;
use store::State;

#[tokio::test]
async fn a_thrown_switch_stops_actions_and_a_released_one_lets_them_go_on() {
    let mut sim = Sim::new("auto", &format!("{{direct: {{wait: 10s, {CHECK}}}}}")).await;
    let remediation = sim.remediation.clone();
    let switch = remediation.kill_switch().await.unwrap().unwrap();
    assert_eq!((switch.stands, switch.last), (None, None));

    remediation
        .throw_kill_switch("ann", "a drill", NOW)
        .await
        .unwrap();
    let thrown = fs::read_to_string(&sim.kill_switch).unwrap();
    assert_eq!(thrown, "ann, 2027-01-15T08:00:00Z: a drill\n");
    assert!(sim.deliver("firing", "checkout", NOW).await);
    sim.tick(NOW).await;
    assert_eq!(sim.actions().await, [], "the switch is thrown");
    // Whoever throws it last is who asked for it.
    remediation
        .throw_kill_switch("bob", "me too", NOW)
        .await
        .unwrap();
    let switch = remediation.kill_switch().await.unwrap().unwrap();
    assert!(switch.stands.unwrap().contains("is there"));
    assert_eq!(switch.last.unwrap().actor, "bob");
    let thrown = fs::read_to_string(&sim.kill_switch).unwrap();
    assert_eq!(thrown, "bob, 2027-01-15T08:00:00Z: me too\n");

    remediation
        .release_kill_switch("bob", "done", NOW)
        .await
        .unwrap();
    assert!(!sim.kill_switch.exists());
    sim.tick(NOW).await;
    let states: Vec<_> = sim.actions().await.iter().map(|a| a.state).collect();
    assert_eq!(states, [State::Grace]);
    let turns = remediation.switches(None, 0, 9).await.unwrap();
    let turns: Vec<_> = turns.iter().map(|t| (t.thrown, &*t.actor)).collect();
    assert_eq!(turns, [(true, "ann"), (true, "bob"), (false, "bob")]);
}

#[tokio::test]
async fn a_switch_that_cannot_be_made_is_no_secret() {
    let sim = Sim::new("auto", &format!("{{direct: {{wait: 10s, {CHECK}}}}}")).await;
    let folder = sim.kill_switch.parent().unwrap();
    fs::remove_dir_all(folder).unwrap();
    fs::write(folder, "no folder").unwrap();
    let error = sim.remediation.throw_kill_switch("ann", "x", NOW).await;
    assert!(matches!(error, Err(SwitchError::File { what: "make", .. })));
}

#[tokio::test]
async fn a_throw_that_cannot_be_written_down_stops_everything_and_says_so() {
    let sim = Sim::new("auto", &format!("{{direct: {{wait: 10s, {CHECK}}}}}")).await;
    sim.break_journal().await;
    for _ in 0..2 {
        let error = sim.remediation.throw_kill_switch("ann", "fire", NOW).await;
        let error = error.unwrap_err();
        assert!(matches!(error, SwitchError::Unrecorded(_)), "{error}");
        assert!(sim.kill_switch.exists());
    }
    let error = sim.remediation.release_kill_switch("ann", "x", NOW).await;
    assert!(matches!(error, Err(SwitchError::Journal(_))), "{error:?}");
    assert!(
        sim.kill_switch.exists(),
        "what is not written down is not done"
    );
}

#[tokio::test]
async fn a_link_that_leads_nowhere_stops_everything() {
    let sim = Sim::new("auto", &format!("{{direct: {{wait: 10s, {CHECK}}}}}")).await;
    std::os::unix::fs::symlink("nowhere", &sim.kill_switch).unwrap();
    let switch = sim.remediation.kill_switch().await.unwrap().unwrap();
    assert!(switch.stands.unwrap().contains("is there"));
}
