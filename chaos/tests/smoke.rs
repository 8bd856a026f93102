//! Two rounds of the lane with a fixed seed, so that it does not rot: faults that need neither root nor libfaketime.

use chaos::{
    findings::{Count, Findings},
    run::Run,
    schedule::Lengths,
    world::Means,
};
use std::{path::Path, sync::Arc, time::Duration};

/// Has kills, a full disk, faults of targets and of Prometheus in its first round.
const SEED: u64 = 1;

#[tokio::test(flavor = "multi_thread")]
async fn some_trouble_does_no_harm() {
    let own = Path::new(env!("CARGO_BIN_EXE_foreshadow-chaos"));
    let binary = own.with_file_name("foreshadow");
    assert!(
        binary.exists(),
        "{} is not there: cargo build -p exporter",
        binary.display()
    );
    let dir = tempfile::tempdir().unwrap();
    let run = Run {
        binary,
        dir: dir.path().to_owned(),
        seed: SEED,
        lasts: Duration::from_secs(1),
        n_worlds: 1,
        lengths: Lengths::Short,
        means: Means::Plain,
        bound: Duration::from_mins(3),
    };
    let findings = Arc::new(Findings::default());
    run.go(findings.clone()).await.unwrap();
    let table = findings.table();
    assert_eq!(findings.violations(), [], "{table}");
    for count in [
        Count::Rounds,
        Count::Kills,
        Count::TargetFaults,
        Count::FullDisks,
        Count::Actions,
        Count::Effects,
    ] {
        assert!(findings.total(count) > 0, "no {}\n{table}", count.title());
    }
}
