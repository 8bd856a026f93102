//! What outlives a restart.

use crate::world::{LOAD, NOW, World, at, engine, evaluate, load, online, options};
use proptest::{prelude::*, test_runner::TestCaseResult};
use rules::{Engine, Options, Refused, Restored};

/// The only rule's file.
fn save(engine: &Engine<World>, now: i64) -> Vec<u8> {
    let mut savings = engine.savings(at(now));
    assert_eq!(savings.len(), 1);
    savings.remove(0).flatten().collect()
}

fn restore(engine: &Engine<World>, bytes: &[u8], now: i64) -> Restored {
    let restorings = engine.restorings();
    assert_eq!(restorings.len(), 1);
    restorings[0].read(bytes, at(now))
}

fn refused(restored: &Restored) -> Vec<String> {
    restored.refused.iter().map(ToString::to_string).collect()
}

/// A file with the state of three series, one of them young.
async fn three_series() -> (World, Vec<u8>) {
    let world = World::with_load();
    world.add("load", &[("app", "blog")], |t| {
        Some((load(t) * 7.3).fract())
    });
    world.add("load", &[("app", "new")], |t| {
        (t > NOW - 3_600).then_some(1.0)
    });
    let engine = engine(&world, &[&online()]);
    for step in 0..30 {
        evaluate(&engine, NOW + 600 * step).await;
    }
    world.asked();
    let bytes = save(&engine, SAVED);
    (world, bytes)
}

const SAVED: i64 = NOW + 29 * 600;

#[tokio::test]
async fn a_restart_asks_for_nothing_older_than_the_save() {
    let (world, bytes) = three_series().await;
    let restarted = engine(&world, &[&online()]);
    let restored = restore(&restarted, &bytes, SAVED + 1_200);
    assert_eq!((restored.series, refused(&restored)), (3, vec![]));
    let figures = evaluate(&restarted, SAVED + 1_200).await;
    assert_eq!(
        world.asked(),
        [format!("load {SAVED}..{}/10m", SAVED + 1_200)]
    );
    assert_eq!((figures.series, figures.not_enough_history), (3, 0));
}

#[tokio::test]
async fn a_restart_changes_nothing_that_is_foreseen() {
    let (world, bytes) = three_series().await;
    let restarted = engine(&world, &[&online()]);
    restore(&restarted, &bytes, SAVED);
    assert_eq!(restarted.predictions(at(SAVED)), []);
    let undisturbed = engine(&world, &[&online()]);
    for step in 0..30 {
        evaluate(&undisturbed, NOW + 600 * step).await;
    }
    for now in [SAVED, SAVED + 600] {
        evaluate(&undisturbed, now).await;
        evaluate(&restarted, now).await;
        let predictions = restarted.predictions(at(now));
        assert_eq!(predictions, undisturbed.predictions(at(now)));
        assert!(predictions.len() > 18, "quality among them");
    }
}

#[tokio::test]
async fn saving_what_was_restored_gives_the_same_bytes() {
    let (world, bytes) = three_series().await;
    let restarted = engine(&world, &[&online()]);
    restore(&restarted, &bytes, SAVED);
    assert_eq!(save(&restarted, SAVED), bytes);
    assert!(rules::is_saved_state(&bytes));
}

#[tokio::test]
async fn an_evaluation_amid_a_save_leaves_no_gap_and_takes_nothing_twice() {
    let world = World::default();
    for n in 0..300 {
        world.add("load", &[("n", &format!("{n:03}"))], |t| Some(load(t)));
    }
    let options = || Options {
        default_interval: std::time::Duration::from_mins(1),
        ..options()
    };
    let text = format!("groups: [{{name: g, limit: 0, rules: [{{{}}}]}}]", online());
    let groups = rules::parse("r.yml", &text).unwrap();
    let before = Engine::new(world.clone(), groups.clone(), options(), None);
    evaluate(&before, NOW).await;
    let mut saving = before.savings(at(NOW)).remove(0);
    let mut bytes: Vec<u8> = saving.by_ref().take(2).flatten().collect();
    evaluate(&before, NOW + 600).await;
    bytes.extend(saving.flatten());

    let after = Engine::new(world.clone(), groups, options(), None);
    assert_eq!(restore(&after, &bytes, NOW + 600).series, 300);
    world.asked();
    evaluate(&before, NOW + 1_200).await;
    evaluate(&after, NOW + 1_200).await;
    let asked = world.asked();
    assert_eq!(asked[1..], [format!("load {NOW}..{}/10m", NOW + 1_200)]);
    assert_eq!(
        after.predictions(at(NOW + 1_200)),
        before.predictions(at(NOW + 1_200))
    );
}

#[tokio::test]
async fn series_whose_models_are_not_saved_are_fitted_again() {
    let world = World::with_load();
    let before = engine(&world, &[LOAD]);
    evaluate(&before, NOW).await;
    let bytes = save(&before, NOW);
    let after = engine(&world, &[LOAD]);
    let restored = restore(&after, &bytes, NOW);
    assert_eq!((restored.series, refused(&restored)), (0, vec![]));
    world.asked();
    assert_eq!(evaluate(&after, NOW + 600).await.samples, 6);
    let start = NOW - 4 * 86_400 + 1_200;
    let expect = [
        format!("load {NOW}..{}/10m", NOW + 600),
        format!("load {start}..{}/10m", NOW + 600),
    ];
    assert_eq!(world.asked(), expect);
}

#[tokio::test]
async fn a_rule_that_was_never_evaluated_has_nothing_to_save() {
    let world = World::with_load();
    let engine = engine(&world, &[LOAD, "record: total, expr: sum"]);
    assert_eq!(engine.savings(at(NOW)).len(), 0);
    evaluate(&engine, NOW).await;
    let names: Vec<_> = engine
        .savings(at(NOW))
        .iter()
        .map(rules::Saving::file_name)
        .collect();
    assert_eq!(names, [engine.restorings()[0].file_name()]);
}

#[tokio::test]
async fn state_for_another_rule_and_state_from_another_time_are_refused() {
    let (world, bytes) = three_series().await;
    let check = |rule: &str, now: i64, reason: &str, words: &str| {
        let restarted = engine(&world, &[rule]);
        let restored = restore(&restarted, &bytes, now);
        assert_eq!(restored.series, 0);
        assert_eq!(restored.refused[0].reason(), reason);
        assert_eq!(refused(&restored), [words]);
        assert_eq!(restarted.savings(at(now)).len(), 0);
    };
    let rewritten = online().replace("history: 4d", "history: 5d");
    let words = "it was saved for another rule, or for this one when it was written otherwise";
    check(&rewritten, SAVED, "other_rule", words);
    let words = "it ends 4d ago, and the rule has no more history than that";
    check(&online(), SAVED + 4 * 86_400, "outdated", words);
}

#[tokio::test]
async fn other_files_and_other_versions_are_refused() {
    let (world, bytes) = three_series().await;
    let check = |bytes: &[u8], reason: &str, words: &str| {
        let restored = restore(&engine(&world, &[&online()]), bytes, SAVED);
        assert_eq!(restored.refused[0].reason(), reason);
        assert_eq!(refused(&restored), [words]);
    };
    let words = "it is not a file of saved models";
    check(b"", "foreign", words);
    check(b"SQLite format 3\0and more", "foreign", words);
    let mut newer = bytes.clone();
    newer[8] = 9;
    let words = "it has format version 9, this program reads version 2";
    check(&newer, "version", words);
}

#[tokio::test]
async fn good_series_beside_damaged_ones_are_kept() {
    let (world, mut bytes) = three_series().await;
    let whole = restore(&engine(&world, &[&online()]), &bytes, SAVED);
    assert_eq!(whole.series, 3);
    // Somewhere inside the first of the large records.
    bytes[4_000] ^= 1;
    let restarted = engine(&world, &[&online()]);
    let restored = restore(&restarted, &bytes, SAVED);
    assert_eq!(
        (restored.series, refused(&restored)),
        (2, vec!["1 of its series are damaged".to_owned()])
    );
    // The damaged one alone is read anew.
    let figures = evaluate(&restarted, SAVED + 600).await;
    assert_eq!(figures.series, 3);
    let asked = world.asked();
    assert_eq!(asked[0], format!("load {SAVED}..{}/10m", SAVED + 600));
    assert_eq!(asked.len(), 3, "{asked:?}");
}

#[tokio::test]
async fn a_file_that_is_cut_short_gives_what_it_has() {
    let (world, bytes) = three_series().await;
    let restarted = engine(&world, &[&online()]);
    let restored = restore(&restarted, &bytes[..bytes.len() - 30], SAVED);
    assert_eq!(
        (restored.series, refused(&restored)),
        (
            2,
            vec!["it is cut short or damaged after 2 series".to_owned()]
        )
    );
    assert_eq!(evaluate(&restarted, SAVED + 600).await.series, 3);
}

/// Bytes of the end mark.
const END: usize = 25;

#[tokio::test]
async fn no_damage_goes_unnoticed_and_none_does_harm() {
    let (world, bytes) = three_series().await;
    let n_bytes = bytes.len();
    let check = |damaged: &[u8], idx: usize| -> TestCaseResult {
        let restarted = engine(&world, &[&online()]);
        let restored = restore(&restarted, damaged, SAVED);
        prop_assert!(!restored.refused.is_empty());
        // Only damage behind the last series leaves all of them.
        prop_assert_eq!(restored.series == 3, idx >= n_bytes - END);
        Ok(())
    };
    let config = ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(idx in 0..n_bytes, bit in 0..8)| {
        let mut damaged = bytes.clone();
        damaged[idx] ^= 1_u8 << bit;
        check(&damaged, idx)?;
        check(&bytes[..idx], idx)?;
    });
    let longer = [&bytes[..], b"x"].concat();
    let restored = restore(&engine(&world, &[&online()]), &longer, SAVED);
    assert!(matches!(restored.refused[..], [Refused::Broken(3)]));
}

#[tokio::test]
async fn a_long_gap_is_made_up_for_in_pieces() {
    let (world, bytes) = three_series().await;
    let groups = engine(&world, &[&online()]).groups().to_vec();
    let limited = Options {
        max_batch_samples: 200,
        ..options()
    };
    let restarted = Engine::new(world.clone(), groups, limited, None);
    restore(&restarted, &bytes, SAVED);
    world.asked();
    let end = SAVED + 150 * 600;
    evaluate(&restarted, end).await;
    let piece = |from: i64, to: i64| {
        let [from, to] = [from, to].map(|n| SAVED + 600 * n);
        format!("load {from}..{to}/10m")
    };
    let expect = [
        format!("load at {end}"),
        piece(0, 65),
        piece(66, 131),
        piece(132, 149),
    ];
    assert_eq!(world.asked()[..4], expect);

    let at_once = engine(&world, &[&online()]);
    restore(&at_once, &bytes, SAVED);
    evaluate(&at_once, end).await;
    assert_eq!(restarted.predictions(at(end)), at_once.predictions(at(end)));
}

#[tokio::test]
async fn a_gap_that_broke_off_goes_on_where_it_got_to() {
    let (world, bytes) = three_series().await;
    let groups = engine(&world, &[&online()]).groups().to_vec();
    let limited = Options {
        max_batch_samples: 200,
        ..options()
    };
    let restarted = Engine::new(world.clone(), groups, limited, None);
    restore(&restarted, &bytes, SAVED);
    let end = SAVED + 150 * 600;
    // Prometheus answers the first two questions.
    world.inner().fails_after = Some(2);
    restarted.evaluate(0, at(end)).await.rules[0]
        .outcome
        .as_ref()
        .unwrap_err();
    world.inner().fails_after = None;
    world.asked();
    evaluate(&restarted, end).await;
    let begin = SAVED + 65 * 600;
    assert_eq!(world.asked()[0], format!("load {begin}..{end}/10m"));
}
