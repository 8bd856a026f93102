//! The configuration files of the demo, which are examples for users too, with the places of one run filled in.

use anyhow::bail;

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

/// Replaces each `@NAME@` by its value.
///
/// # Errors
/// When a place stays empty, with its line.
pub fn fill(template: &str, places: &[(&str, String)]) -> anyhow::Result<String> {
    let mut text = template.to_owned();
    for (name, value) in places {
        text = text.replace(&format!("@{name}@"), value);
    }
    let open = |line: &&str| !line.starts_with('#') && line.matches('@').count() > 1;
    if let Some(line) = text.lines().find(open) {
        bail!(
            "a place in the configuration is not filled in: {}",
            line.trim()
        );
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_and_empty_ones_refused() {
        let places = [("PORT", "1234".to_owned())];
        assert_eq!(fill("a: '@PORT@'", &places).unwrap(), "a: '1234'");
        let error = fill("a: @PORT@\n  b: @HOST@\n", &places).unwrap_err();
        assert!(error.to_string().ends_with("b: @HOST@"), "{error}");
    }
}
