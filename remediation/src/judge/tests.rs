//! Rulings over made-up looks.

use super::*;
use crate::config::{Measured, Pair, Sides, Template};
use proptest::prelude::*;
use series::Timestamp;
use std::time::Duration;

const JUDGING: Judging = Judging {
    count: 3,
    interval: Duration::from_secs(30),
    failure_limit: 1,
    inconclusive_limit: 1,
    error_limit: 2,
};

fn looks(name: &str, letters: &str) -> Vec<Look> {
    let look = |(idx, letter): (usize, char)| Look {
        stage: 0,
        number: u32::try_from(idx).unwrap() + 1,
        at: Timestamp::from_seconds(0),
        check: name.to_owned(),
        verdict: match letter {
            's' => LookVerdict::Successful,
            'f' => LookVerdict::Failed,
            'i' => LookVerdict::Inconclusive,
            _ => LookVerdict::Error,
        },
        before: None,
        after: None,
        reason: format!("look {idx}"),
    };
    letters.chars().enumerate().map(look).collect()
}

#[track_caller]
fn check_ruling(letters: &str, expect: &Ruling) {
    let ruling = rule(&looks("p99", letters), &["p99"], &JUDGING);
    assert_eq!(ruling, *expect);
}

#[test]
fn enough_good_looks_are_good() {
    check_ruling("", &Ruling::More);
    check_ruling("ss", &Ruling::More);
    let good = || Ruling::Good("verified in 3 looks: p99".to_owned());
    check_ruling("sss", &good());
    check_ruling("sfs", &good());
    check_ruling("sis", &good());
}

#[test]
fn a_second_failure_is_one_too_many() {
    check_ruling("sf", &Ruling::More);
    let why = "2 of 3 looks failed: look 2".to_owned();
    check_ruling("fsf", &Ruling::Bad(why));
}

#[test]
fn doubts_are_weighed_once_there_are_enough_looks() {
    check_ruling("ii", &Ruling::More);
    let why = "2 of 3 looks inconclusive: look 1".to_owned();
    check_ruling("iis", &Ruling::Doubtful(why));
}

#[test]
fn errors_do_not_count_but_too_many_in_a_row_do() {
    check_ruling(
        "sesees",
        &Ruling::Good("verified in 3 looks: p99".to_owned()),
    );
    let why = "3 of 5 looks error: look 4".to_owned();
    check_ruling("sseee", &Ruling::Unjudgeable(why));
}

#[test]
fn each_check_has_to_pass_on_its_own() {
    let mut both = looks("p99", "sss");
    assert_eq!(rule(&both, &["p99", "errors"], &JUDGING), Ruling::More);
    both.extend(looks("errors", "sfs"));
    let why = "verified in 3 looks: all 2 checks".to_owned();
    assert_eq!(rule(&both, &["p99", "errors"], &JUDGING), Ruling::Good(why));
}

fn p99() -> Check {
    Check {
        expr: "p99 < 0.5".to_owned(),
        zero_is_false: false,
        measured: Some(Measured {
            expr: "p99".to_owned(),
            better: Better::Lower,
        }),
    }
}

#[track_caller]
fn check_hold(before: Option<(bool, f64)>, now: (bool, f64), verdict: LookVerdict, reason: &str) {
    let found = |(holds, value)| Found {
        holds,
        value: Some(value),
    };
    let opinion = hold(&p99(), before.map(found), found(now));
    assert_eq!(
        (opinion.verdict, opinion.reason.as_str()),
        (verdict, reason)
    );
}

#[test]
fn what_was_bad_before_says_nothing_against_the_effect() {
    use LookVerdict::{Failed, Inconclusive, Successful};
    check_hold(
        Some((true, 0.089_736_824)),
        (true, 1_234_567.0),
        Successful,
        "p99 < 0.5 holds (0.08974 → 1235000)",
    );
    check_hold(
        Some((true, 0.3)),
        (false, 0.9),
        Failed,
        "p99 < 0.5 does not hold (0.3 → 0.9)",
    );
    check_hold(
        Some((false, 0.8)),
        (false, 2.9),
        Inconclusive,
        "p99 < 0.5 does not hold, as before the action (0.8 → 2.9)",
    );
    check_hold(
        Some((false, 2.0)),
        (false, 0.6),
        Successful,
        "p99 < 0.5 does not hold yet, but got better (2 → 0.6)",
    );
    check_hold(
        Some((false, 2.0)),
        (true, 0.4),
        Successful,
        "p99 < 0.5 holds (2 → 0.4)",
    );
}

#[test]
fn without_a_look_from_before_what_does_not_hold_has_failed() {
    check_hold(
        None,
        (false, 0.9),
        LookVerdict::Failed,
        "p99 < 0.5 does not hold (0.9)",
    );
}

fn comparison(margin: f64, min_sample: u32) -> Comparison {
    let text = |text: &str| Template::literal(text);
    let value = Pair {
        canary: text("a"),
        rest: text("b"),
    };
    Comparison {
        name: "errors".to_owned(),
        sides: Sides::Values {
            value,
            better: Better::Lower,
        },
        margin,
        min_sample,
    }
}

fn events(canary: (f64, f64), rest: (f64, f64)) -> Seen {
    let counts = |(bad, total)| Counts { bad, total };
    Seen::Events {
        canary: counts(canary),
        rest: counts(rest),
    }
}

#[track_caller]
fn check_compare(seen: &Seen, verdict: LookVerdict) {
    let opinion = compare(&comparison(0.01, 100), seen, Better::Lower);
    assert_eq!(opinion.verdict, verdict, "{}", opinion.reason);
}

#[test]
fn a_canary_is_good_only_where_enough_was_seen() {
    use LookVerdict::{Failed, Inconclusive, Successful};
    check_compare(&events((0.0, 99.0), (0.0, 5_000.0)), Inconclusive);
    check_compare(&events((0.0, 1_000.0), (5.0, 5_000.0)), Successful);
    // One per cent more is within the margin, but 200 requests cannot show that it is no more.
    check_compare(&events((2.0, 200.0), (5.0, 5_000.0)), Inconclusive);
    check_compare(&events((60.0, 1_000.0), (5.0, 5_000.0)), Failed);
}

#[test]
fn values_are_compared_the_good_way_round() {
    let seen = Seen::Values {
        canary: vec![10.1, 9.9, 10.0, 10.0],
        rest: vec![20.0, 20.2, 19.8, 20.1],
    };
    let of = |better| compare(&comparison(0.1, 3), &seen, better).verdict;
    assert_eq!(of(Better::Lower), LookVerdict::Successful);
    assert_eq!(of(Better::Higher), LookVerdict::Failed);
}

proptest! {
    #[test]
    fn more_errors_never_make_a_better_verdict(bad in 0..200_u32, more in 1..100_u32) {
        let rank = |bad: u32| {
            let seen = events((f64::from(bad), 1_000.0), (20.0, 2_000.0));
            match compare(&comparison(0.01, 100), &seen, Better::Lower).verdict {
                LookVerdict::Successful => 0,
                LookVerdict::Inconclusive => 1,
                _ => 2,
            }
        };
        prop_assert!(rank(bad) <= rank(bad + more));
    }

    #[test]
    fn looks_always_come_to_a_ruling(letters in "[sfie]{0,40}") {
        let all = looks("p99", &letters);
        // Counting looks up to the limit and errors that never come in too long a row bound it.
        let most = 3 * (JUDGING.error_limit as usize + 1);
        if letters.len() >= most {
            prop_assert_ne!(rule(&all, &["p99"], &JUDGING), Ruling::More);
        }
    }
}
