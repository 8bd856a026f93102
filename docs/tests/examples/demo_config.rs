//! The demo's configuration, which users start from: whole files, as they stand.

use crate::programs::{amtool, complaint, foreshadow, promtool};
use docs::root;
use std::fs;

#[test]
fn every_file_of_the_demo_is_taken_as_it_stands() {
    let dir = root().join("demo/config");
    let ours = foreshadow();
    let said = [
        promtool(&["check", "config", "prometheus.yml"], &dir),
        promtool(&["check", "rules", "alerts.yml"], &dir),
        amtool(&["check-config", "alertmanager.yml"], &dir),
        complaint(&ours, &["check", "rules", "rules.yml"], &dir),
        complaint(&ours, &["check", "config", "foreshadow.yml"], &dir),
    ];
    let said: Vec<_> = said.into_iter().flatten().collect();
    crate::none(&said);
}

#[test]
fn no_file_of_the_demo_has_a_place_to_be_filled_in() {
    for entry in fs::read_dir(root().join("demo/config")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains('@'), "{}", path.display());
    }
}
