//! By what a rule is known again after a restart.

use crate::{ForecastRule, RuleKind};
use forecast::Settings;
use series::Labels;

/// The most letters of a rule's name that its file is named by; file systems allow 255 bytes.
const MAX_NAME: usize = 100;

/// The name of the file for a rule's saved models. Rules of one name differ in their labels, so these are part of it;
/// a rule that was rewritten keeps its file, and is told from what it was by its [`fingerprint`].
pub(crate) fn file_name(rule: &ForecastRule) -> String {
    // Colons are for metric names, and not for every file system.
    let name = rule.name.replace(':', "_");
    let short = &name[..name.len().min(MAX_NAME)];
    let hash = of_text(&format!("{:?}\n{}", rule.name, rule.labels));
    format!("{short}-{hash:016x}.state")
}

/// A number that tells rules apart as far as their models and the labels of their series depend on them. Quantiles
/// are left out, since they are only read off what a model foresees, and so is the way in which the series are asked for.
pub(crate) fn fingerprint(rule: &ForecastRule, external_labels: &Labels) -> u64 {
    let ForecastRule {
        name,
        expr,
        for_each: _,
        step,
        history,
        horizons,
        quantiles: _,
        settings,
        labels,
    } = rule;
    let Settings {
        model,
        seasons,
        bounds,
        max_horizon,
    } = settings;
    let horizons: Vec<_> = horizons.iter().map(|named| named.horizon.get()).collect();
    of_text(&format!(
        "{name:?}\n{expr:?}\n{:?} {history:?} {horizons:?}\n{model:?} {seasons:?} {:?} {:?} {max_horizon:?}\n\
         {labels}\n{external_labels}",
        step.get(),
        bounds.lower,
        bounds.upper,
    ))
}

/// The fingerprint of a rule that has models.
pub(crate) fn of(kind: &RuleKind, external_labels: &Labels) -> Option<u64> {
    match kind {
        RuleKind::Forecast(rule) => Some(fingerprint(rule, external_labels)),
        RuleKind::Record(_) => None,
    }
}

fn of_text(text: &str) -> u64 {
    fnv1a(text.bytes())
}

/// The Fowler–Noll–Vo hash, which stays the same from one release to the next.
pub(crate) fn fnv1a(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;
    use series::Step;
    use std::time::Duration;

    fn rule(more: &str) -> ForecastRule {
        let text = format!(
            "groups: [{{name: g, rules: [{{forecast: 'a:b', expr: up, step: 5m{more}}}]}}]"
        );
        let groups = parse("r.yml", &text).unwrap_or_else(|problems| panic!("{problems}"));
        match &groups[0].rules[0].kind {
            RuleKind::Forecast(rule) => rule.clone(),
            RuleKind::Record(_) => panic!("a recording"),
        }
    }

    fn plain(more: &str) -> u64 {
        fingerprint(&rule(more), &Labels::default())
    }

    #[test]
    fn whatever_changes_a_model_or_a_label_changes_the_fingerprint() {
        let changes = [
            ", history: 15d",
            ", horizons: [1h, 24h]",
            ", seasons: [1d]",
            ", bounds: [0, null]",
            ", model: mstl",
            ", labels: {team: a}",
        ];
        for change in changes {
            assert_ne!(plain(change), plain(""), "{change}");
        }
        let rewritten = [
            ForecastRule {
                expr: "down".to_owned(),
                ..rule("")
            },
            ForecastRule {
                name: "a:c".to_owned(),
                ..rule("")
            },
            ForecastRule {
                step: Step::new(Duration::from_mins(1)).unwrap(),
                ..rule("")
            },
        ];
        for rule in rewritten {
            assert_ne!(
                fingerprint(&rule, &Labels::default()),
                plain(""),
                "{rule:?}"
            );
        }
        let external = Labels::new([("cluster", "eu")]).unwrap();
        assert_ne!(fingerprint(&rule(""), &external), plain(""));
    }

    #[test]
    fn other_quantiles_are_read_off_the_same_models() {
        assert_eq!(plain(", quantiles: [0.5]"), plain(""));
    }

    #[test]
    fn a_file_is_named_after_the_rule_and_not_after_its_wording() {
        let name = file_name(&rule(""));
        assert!(name.starts_with("a_b-") && !name.contains(':'), "{name}");
        assert_eq!(file_name(&rule(", history: 15d")), name);
        assert_ne!(file_name(&rule(", labels: {team: a}")), name);
        let long = ForecastRule {
            name: "x".repeat(1_000),
            ..rule("")
        };
        assert!(file_name(&long).len() < 200);
    }
}
