//! What outlives a reload.

use crate::world::{LOAD, NOW, World, at, engine, engine_after, evaluate, options};
use rules::{Engine, Options};
use series::Labels;

#[tokio::test]
async fn a_rule_that_did_not_change_keeps_its_models_and_its_output() {
    let world = World::with_load();
    world.add("sum", &[], |_| Some(1.0));
    let before = engine(&world, &[LOAD]);
    evaluate(&before, NOW).await;
    world.asked();
    let after = engine_after(&world, &["record: total, expr: sum", LOAD], Some(&before));
    assert_eq!(
        after.predictions(at(NOW + 30)),
        before.predictions(at(NOW + 30))
    );
    evaluate(&after, NOW + 60).await;
    assert_eq!(world.asked()[1..], [format!("load {NOW}..{NOW}/10m")]);
}

#[tokio::test]
async fn a_rule_that_changed_begins_anew() {
    let world = World::with_load();
    let before = engine(&world, &[LOAD]);
    evaluate(&before, NOW).await;
    world.asked();
    let changed = LOAD.replace("history: 4d", "history: 3d");
    let after = engine_after(&world, &[&changed], Some(&before));
    assert_eq!(after.predictions(at(NOW)), []);
    evaluate(&after, NOW + 60).await;
    assert_eq!(world.asked()[0], format!("load at {NOW}"));
}

#[tokio::test]
async fn other_external_labels_make_other_series() {
    let world = World::with_load();
    let before = engine(&world, &[LOAD]);
    evaluate(&before, NOW).await;
    let options = Options {
        external_labels: Labels::default(),
        ..options()
    };
    let groups = before.groups().to_vec();
    let after = Engine::new(world.clone(), groups, options, Some(&before));
    assert_eq!(after.predictions(at(NOW)), []);
}
