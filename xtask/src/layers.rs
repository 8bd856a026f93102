//! The direction of dependencies between the crates of the workspace.

use cargo_metadata::{DependencyKind, Metadata};

/// Every crate and its layer. A crate uses crates of lower layers only; `ARCHITECTURE.md` explains each.
pub const LAYERS: [(&str, u8); 21] = [
    ("series", 0),
    ("yaml", 0),
    ("files", 0),
    ("promql", 1),
    ("forecast", 1),
    ("remote-read", 1),
    ("prometheus-api", 1),
    ("alertmanager-client", 1),
    ("store", 1),
    ("rules", 2),
    ("remediation", 2),
    ("exporter", 3),
    // Beside the product: what tests and shows it.
    ("testbed", 2),
    ("kubernetes-stand-in", 0),
    ("demo", 4),
    ("docs", 4),
    ("bench", 4),
    ("bench-rules", 4),
    ("chaos", 4),
    ("fuzz-bodies", 4),
    ("xtask", 0),
];

fn layer(name: &str) -> Option<u8> {
    LAYERS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, layer)| *layer)
}

/// Sentences about crates without a layer and about arrows that do not point down. What only tests use
/// may come from anywhere.
pub fn offences(metadata: &Metadata) -> Vec<String> {
    let mut offences = Vec::new();
    for package in metadata.workspace_packages() {
        let Some(from) = layer(&package.name) else {
            offences.push(format!(
                "crate {} has no layer in xtask/src/layers.rs",
                package.name
            ));
            continue;
        };
        let shipped = package
            .dependencies
            .iter()
            .filter(|d| d.kind != DependencyKind::Development);
        for dependency in shipped {
            match layer(&dependency.name) {
                Some(to) if to >= from => offences.push(format!(
                    "{} (layer {from}) may not use {} (layer {to})",
                    package.name, dependency.name
                )),
                _ => {}
            }
        }
    }
    offences
}

/// Crates of layers 0 and 1 that think, and so must know neither I/O nor clocks.
pub const PURE: [&str; 4] = ["series", "yaml", "forecast", "remote-read"];

/// What a pure crate may not depend on.
const IMPURE: [&str; 6] = ["tokio", "reqwest", "axum", "sqlx", "hyper", "mio"];

/// Sentences about pure crates that use a crate of the outer world. What a feature brings in, somebody has asked for.
pub fn impurities(metadata: &Metadata) -> Vec<String> {
    let pure = metadata
        .workspace_packages()
        .into_iter()
        .filter(|package| PURE.contains(&package.name.as_str()));
    pure.flat_map(|package| {
        let shipped = package
            .dependencies
            .iter()
            .filter(|d| d.kind != DependencyKind::Development && !d.optional);
        let impure = shipped.filter(|d| IMPURE.contains(&d.name.as_str()));
        impure.map(|d| format!("{} is pure and may not use {}", package.name, d.name))
    })
    .collect()
}
