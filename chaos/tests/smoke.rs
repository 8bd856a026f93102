//! One round of the lane with a fixed seed, so that it does not rot: faults that need neither root nor libfaketime.

use chaos::{
    event::{Fault, What},
    findings::{Count, Findings},
    quiet::Patience,
    run::Run,
    schedule::{Lengths, Schedule, schedule},
    world::Means,
};
use std::{path::Path, sync::Arc, time::Duration};

/// Tells if a round has one of each: a kill, a full disk, a fault of a target and of Prometheus, an alert that fires on.
fn has_everything(schedule: &Schedule) -> bool {
    let has = |is: fn(&What) -> bool| schedule.events.iter().any(|event| is(&event.what));
    has(|what| matches!(what, What::Kill { .. }))
        && has(|what| matches!(what, What::Begin(Fault::FullDisk)))
        && has(|what| matches!(what, What::Begin(Fault::Target { .. })))
        && has(|what| matches!(what, What::Begin(Fault::Prometheus(_))))
        && schedule.fires_on[0]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_of_trouble_does_no_harm() {
    let own = Path::new(env!("CARGO_BIN_EXE_foreshadow-chaos"));
    let binary = own.with_file_name("foreshadow");
    assert!(
        binary.exists(),
        "{} is not there: cargo build -p exporter",
        binary.display()
    );
    let is_good = |seed: &u64| has_everything(&schedule(*seed, 0, 0, Lengths::Short));
    let seed = (1..10_000).find(is_good).expect("a seed with everything");
    let dir = tempfile::tempdir().unwrap();
    let run = Run {
        binary,
        dir: dir.path().to_owned(),
        seed,
        lasts: Duration::from_secs(1),
        n_worlds: 1,
        lengths: Lengths::Short,
        means: Means::Plain,
        patience: Patience {
            bound: Duration::from_mins(3),
            told: Duration::from_secs(5),
        },
    };
    let findings = Arc::new(Findings::default());
    run.go(findings.clone()).await.unwrap();
    let table = findings.table();
    assert_eq!(findings.violations(), [], "{table}");
    for count in [
        Count::Rounds,
        Count::Kills,
        Count::TargetFaults,
        Count::PrometheusOutages,
        Count::FullDisks,
        Count::Actions,
        Count::Effects,
    ] {
        assert!(findings.total(count) > 0, "no {}\n{table}", count.title());
    }
}
