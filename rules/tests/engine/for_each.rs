//! Rules that ask for the series of one label's values at a time.

use crate::world::{LOAD, NOW, World, at, engine, evaluate, load, outcome};
use prometheus_api::Reason;
use rules::FailureReason;

fn rule() -> String {
    LOAD.replace("expr: load", "expr: load, for_each: zone")
}

const CENSUS: &str = "count by (zone) (load\n)";

/// Three series of two zones, and one without.
fn zones() -> World {
    let world = World::default();
    for (app, zone) in [("shop", "eu"), ("blog", "eu"), ("shop", "us"), ("shop", "")] {
        let shard = format!("load{{zone=\"{zone}\"}}");
        for expr in ["load", &shard] {
            world.add(
                expr,
                &[("__name__", "load"), ("app", app), ("zone", zone)],
                |t| Some(load(t)),
            );
        }
    }
    for (zone, n_series) in [("eu", 2.0), ("us", 1.0), ("", 1.0)] {
        world.add(CENSUS, &[("zone", zone)], move |_| Some(n_series));
    }
    world
}

#[tokio::test]
async fn each_value_is_asked_for_on_its_own_and_all_are_foreseen_alike() {
    let world = zones();
    let sharded = engine(&world, &[&rule()]);
    let figures = evaluate(&sharded, NOW).await;
    assert_eq!((figures.series, figures.samples), (4, 24));
    let history = |zone: &str| format!("load{{zone=\"{zone}\"}} {}..{NOW}/10m", NOW - 575 * 600);
    let now = |zone: &str| format!("load{{zone=\"{zone}\"}} at {NOW}");
    let mut asked = vec![format!("{CENSUS} at {NOW}")];
    asked.extend(["", "eu", "us"].map(now));
    asked.extend(["", "eu", "us"].map(history));
    let mut got = world.asked();
    got.sort();
    asked.sort();
    assert_eq!(got, asked);
    evaluate(&sharded, NOW + 600).await;
    assert_eq!(world.asked().len(), 4);

    let whole = engine(&world, &[LOAD]);
    evaluate(&whole, NOW).await;
    evaluate(&whole, NOW + 600).await;
    assert_eq!(
        sharded.predictions(at(NOW + 600)),
        whole.predictions(at(NOW + 600))
    );
}

#[tokio::test]
async fn a_long_gap_is_made_up_for_in_all_parts() {
    let world = zones();
    let (sharded, whole) = (engine(&world, &[&rule()]), engine(&world, &[LOAD]));
    for engine in [&sharded, &whole] {
        evaluate(engine, NOW).await;
        evaluate(engine, NOW + 150 * 600).await;
    }
    let now = at(NOW + 150 * 600);
    assert_eq!(sharded.predictions(now), whole.predictions(now));
}

#[tokio::test]
async fn a_value_that_comes_later_is_foreseen_from_then_on() {
    let world = zones();
    let engine = engine(&world, &[&rule()]);
    evaluate(&engine, NOW).await;
    world.add("load{zone=\"af\"}", &[("zone", "af")], |t| Some(load(t)));
    world.add(CENSUS, &[("zone", "af")], |_| Some(1.0));
    let figures = evaluate(&engine, NOW + 600).await;
    assert_eq!((figures.series, figures.not_enough_history), (5, 0));
}

#[tokio::test]
async fn a_part_that_gives_nothing_fails_with_the_reason() {
    let world = zones();
    world.add(CENSUS, &[("zone", "moon")], |_| Some(7.0));
    let failure = outcome(engine(&world, &[&rule()]).evaluate(0, at(NOW)).await).unwrap_err();
    assert_eq!(failure.reason, FailureReason::Query(Reason::Rejected));
    let expect = "load{zone=\"moon\"} gives no series, although 7 were counted for this value: `for_each: zone` needs \
                  every metric of the expression to have the label, and every aggregation to keep it";
    assert_eq!(failure.to_string(), expect);
}

#[tokio::test]
async fn too_many_series_or_values_are_counted_before_any_is_asked_for() {
    let world = zones();
    world.add(CENSUS, &[("zone", "huge")], |_| Some(1e15));
    let failure = outcome(engine(&world, &[&rule()]).evaluate(0, at(NOW)).await).unwrap_err();
    assert_eq!(
        failure.to_string(),
        "expression gives 1000000000000004 series, limit is 50"
    );
    assert_eq!(world.asked(), [format!("{CENSUS} at {NOW}")]);
    for n in 0..1_000 {
        world.add(CENSUS, &[("zone", &n.to_string())], |_| Some(1.0));
    }
    let failure = outcome(engine(&world, &[&rule()]).evaluate(0, at(NOW)).await).unwrap_err();
    let expect = "`zone` has 1004 values, at most 1000 are asked for one by one";
    assert_eq!(failure.to_string(), expect);
}

#[tokio::test]
async fn what_a_value_had_before_it_went_away_is_not_lost() {
    let world = World::default();
    let away = |t: i64| t == NOW + 1_200;
    for expr in ["load", "load{zone=\"eu\"}", "load{zone=\"us\"}"] {
        for zone in ["eu", "us"]
            .into_iter()
            .filter(|zone| expr == "load" || expr.contains(zone))
        {
            let is_here = move |t| zone == "eu" || !away(t);
            // Far from what was expected, so that it is missed.
            let value = move |t| load(t) + if t == NOW + 600 { 50.0 } else { 0.0 };
            let labels = [("__name__", "load"), ("app", "shop"), ("zone", zone)];
            world.add(expr, &labels, move |t| is_here(t).then(|| value(t)));
        }
    }
    world.add(CENSUS, &[("zone", "eu")], |_| Some(1.0));
    world.add(CENSUS, &[("zone", "us")], move |t| {
        (!away(t)).then_some(1.0)
    });
    let (sharded, whole) = (engine(&world, &[&rule()]), engine(&world, &[LOAD]));
    for engine in [&sharded, &whole] {
        for now in [NOW, NOW + 1_200, NOW + 1_800] {
            evaluate(engine, now).await;
        }
    }
    let now = at(NOW + 1_800);
    assert_eq!(sharded.predictions(now).len(), 12);
    assert_eq!(sharded.predictions(now), whole.predictions(now));
}
