//! Whether the demo showed what it promises.

use crate::{
    evidence::Evidence,
    fleet::CONTROL,
    terminal::{clock_time, whole},
};

/// What is missing, each as a sentence; nothing when the promise was kept.
pub fn missing(evidence: &Evidence) -> Vec<String> {
    let checks = [
        restart(evidence),
        alert(evidence),
        action(evidence),
        control(evidence),
        managed(evidence),
    ];
    checks.into_iter().flatten().collect()
}

fn restart(evidence: &Evidence) -> Option<String> {
    let Some(restart) = &evidence.restart else {
        return Some("Foreshadow was not restarted.".to_owned());
    };
    (!restart.kept_state()).then(|| {
        format!(
            "The restart kept {} series and read {} samples again.",
            whole(restart.series),
            whole(restart.read_again)
        )
    })
}

fn alert(evidence: &Evidence) -> Option<String> {
    match (evidence.alert.firing, evidence.control.first_breach) {
        (None, _) => Some("No alert fired on the forecast.".to_owned()),
        (Some(alert), Some(breach)) if alert >= breach => Some(format!(
            "The alert fired at {}, not before the breach at {}.",
            clock_time(alert),
            clock_time(breach)
        )),
        _ => None,
    }
}

fn action(evidence: &Evidence) -> Option<String> {
    match evidence.actions.as_slice() {
        [] => Some("Foreshadow took no action.".to_owned()),
        [action] if action.state == "succeeded" => None,
        [action] => {
            let reason = if action.reason.is_empty() {
                "no reason given"
            } else {
                &action.reason
            };
            Some(format!(
                "The action {} is {}: {reason}.",
                action.id, action.state
            ))
        }
        actions => Some(format!(
            "Foreshadow took {} actions where one was due.",
            actions.len()
        )),
    }
}

fn control(evidence: &Evidence) -> Option<String> {
    let breached = evidence.control.first_breach.is_some();
    (!breached).then(|| format!("{CONTROL} kept its objective, so there was nothing to avert."))
}

fn managed(evidence: &Evidence) -> Option<String> {
    let breach = evidence.managed.first_breach?;
    Some(format!(
        "checkout missed its objective at {} all the same.",
        clock_time(breach)
    ))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{
        actions::{Action, Transition},
        evidence::{Alert, Foreseen, Outcome},
        fleet::{Change, MANAGED},
        restart::Restart,
    };
    use series::Timestamp;
    use std::time::Duration;

    /// So many seconds into a run.
    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_790_000_000 + seconds)
    }

    fn restarted() -> Restart {
        Restart {
            at: at(4),
            away: Duration::from_secs(3),
            series: 2.0,
            read_first: 60_482.0,
            read_again: 4.0,
        }
    }

    /// A run in which everything went well.
    pub(crate) fn averted() -> Evidence {
        let quantiles = vec![(0.05, 371.0), (0.5, 420.0), (0.95, 461.0)];
        let step = |to: &str, seconds, reason: &str| Transition {
            to: to.to_owned(),
            at: at(seconds),
            reason: reason.to_owned(),
        };
        let outcome = Outcome {
            worst_p99: 0.123,
            first_breach: None,
            in_breach: Duration::ZERO,
            requests: 51_234.0,
            slow_or_failed: 3.0,
            replica_minutes: 19.4,
        };
        Evidence {
            opening: at(75),
            restart: Some(restarted()),
            foreseen: Some(Foreseen {
                at: at(10),
                ahead: Duration::from_mins(5),
                quantiles,
                capacity: 400.0,
            }),
            alert: Alert {
                pending: Some(at(15)),
                firing: Some(at(25)),
                alertmanager: Some(at(26)),
            },
            actions: vec![Action {
                id: "0199-a".to_owned(),
                workload: MANAGED.to_owned(),
                state: "succeeded".to_owned(),
                reason: String::new(),
                replicas: Some(6),
                created: None,
                transitions: vec![
                    step("proposed", 27, "451 requests/s foreseen"),
                    step("succeeded", 63, ""),
                ],
            }],
            changes: vec![Change {
                at: at(32),
                service: MANAGED,
                from: 4,
                to: 6,
                ready_at: at(52),
            }],
            managed: outcome,
            control: Outcome {
                worst_p99: 2.43,
                first_breach: Some(at(185)),
                in_breach: Duration::from_secs(30),
                slow_or_failed: 5_120.0,
                replica_minutes: 15.0,
                ..outcome
            },
        }
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Evidence), expect: &str) {
        let mut evidence = averted();
        change(&mut evidence);
        assert_eq!(missing(&evidence).join("\n"), expect);
    }

    #[test]
    fn nothing_is_missing_when_the_promise_was_kept() {
        check(|_| {}, "");
    }

    #[test]
    fn each_broken_promise_is_named() {
        check(|e| e.restart = None, "Foreshadow was not restarted.");
        let read_again = |e: &mut Evidence| {
            e.restart.as_mut().unwrap().read_again = 60_482.0;
        };
        check(
            read_again,
            "The restart kept 2 series and read 60,482 samples again.",
        );
        check(|e| e.alert.firing = None, "No alert fired on the forecast.");
        check(
            |e| e.alert.firing = Some(at(185)),
            "The alert fired at 14:16:25, not before the breach at 14:16:25.",
        );
        check(|e| e.actions.clear(), "Foreshadow took no action.");
        check(
            |e| e.actions[0].state = "failed".to_owned(),
            "The action 0199-a is failed: no reason given.",
        );
        check(
            |e| e.actions.extend(e.actions.clone()),
            "Foreshadow took 2 actions where one was due.",
        );
        check(
            |e| e.control.first_breach = None,
            "checkout-unmanaged kept its objective, so there was nothing to avert.",
        );
        check(
            |e| e.managed.first_breach = Some(at(190)),
            "checkout missed its objective at 14:16:30 all the same.",
        );
    }
}
