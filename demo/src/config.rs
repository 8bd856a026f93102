//! The configuration files of the demo, which are whole files for users too. A run has ports of its own, so their addresses
//! are replaced by those of the run.

use anyhow::ensure;

/// Prometheus itself.
pub const PROMETHEUS: &str = include_str!("../config/prometheus.yml");
/// Recording and alerting rules of Prometheus.
pub const ALERTS: &str = include_str!("../config/alerts.yml");
/// Alertmanager.
pub const ALERTMANAGER: &str = include_str!("../config/alertmanager.yml");
/// Foreshadow.
pub const FORESHADOW: &str = include_str!("../config/foreshadow.yml");
/// Foreshadow's predictive rules.
pub const RULES: &str = include_str!("../config/rules.yml");

/// A program that the files name by its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Prometheus.
    Prometheus,
    /// Alertmanager.
    Alertmanager,
    /// Foreshadow.
    Foreshadow,
    /// The controller of the simulated fleet.
    Fleet,
}

impl Place {
    const ALL: [Self; 4] = [
        Self::Prometheus,
        Self::Alertmanager,
        Self::Foreshadow,
        Self::Fleet,
    ];

    /// The address in the files: the program's usual one.
    const fn written(self) -> &'static str {
        match self {
            Self::Prometheus => "127.0.0.1:9090",
            Self::Alertmanager => "127.0.0.1:9093",
            Self::Foreshadow => "127.0.0.1:9755",
            Self::Fleet => "127.0.0.1:8081",
        }
    }
}

/// Where one program of a run is: `HOST:PORT`.
#[derive(Debug, Clone)]
pub struct Located {
    /// The program.
    pub place: Place,
    /// Its address.
    pub address: String,
}

/// Replaces the usual addresses in a file by those of a run.
///
/// # Errors
/// When the file names a program whose address is not known, with its line.
pub fn locate(file: &str, run: &[Located]) -> anyhow::Result<String> {
    let mut text = String::with_capacity(file.len());
    let mut rest = file;
    // One pass, so that no address of the run is taken for a usual one.
    while let Some((start, place)) = next(rest) {
        let located = run.iter().find(|located| located.place == place);
        let line = || rest[start..].lines().next().unwrap_or_default();
        ensure!(
            located.is_some(),
            "cannot fill in the address of {place:?}, which is not running: {}",
            line()
        );
        text.push_str(&rest[..start]);
        text.extend(located.map(|located| located.address.as_str()));
        rest = &rest[start + place.written().len()..];
    }
    text.push_str(rest);
    Ok(text)
}

/// The first usual address in a text.
fn next(text: &str) -> Option<(usize, Place)> {
    let found = |place: Place| text.find(place.written()).map(|start| (start, place));
    Place::ALL
        .into_iter()
        .filter_map(found)
        .min_by_key(|(start, _)| *start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(place: Place, address: &str) -> Located {
        Located {
            place,
            address: address.to_owned(),
        }
    }

    #[test]
    fn addresses_of_the_run_take_the_place_of_the_usual_ones() {
        let run = [
            at(Place::Prometheus, "127.0.0.1:9093"),
            at(Place::Alertmanager, "127.0.0.1:4000"),
        ];
        let located = locate("a: http://127.0.0.1:9090/\nb: 127.0.0.1:9093\n", &run).unwrap();
        assert_eq!(located, "a: http://127.0.0.1:9093/\nb: 127.0.0.1:4000\n");
    }

    #[test]
    fn a_program_that_does_not_run_is_refused_with_its_line() {
        let error = locate("a: b\nc: [127.0.0.1:8081]\n", &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot fill in the address of Fleet, which is not running: 127.0.0.1:8081]"
        );
    }
}
