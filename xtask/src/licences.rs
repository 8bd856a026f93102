//! Licences of everything that is linked in, against the list in `deny.toml`.

use anyhow::Context as _;
use cargo_metadata::Metadata;
use std::path::Path;

/// Sentences about dependencies whose licence expression the list does not satisfy.
pub fn offences(metadata: &Metadata, deny_toml: &Path) -> anyhow::Result<Vec<String>> {
    let text = std::fs::read_to_string(deny_toml).context("reading deny.toml")?;
    let table: toml::Table = text.parse().context("parsing deny.toml")?;
    let allowed = table
        .get("licenses")
        .and_then(|l| l.get("allow"))
        .and_then(|a| a.as_array());
    let allowed: Vec<&str> = allowed
        .context("deny.toml has no licenses.allow")?
        .iter()
        .filter_map(|v| v.as_str())
        .collect();
    let packages = metadata.packages.iter();
    let refused =
        packages.filter(|p| !p.license.as_deref().is_some_and(|l| satisfied(l, &allowed)));
    let name = |p: &cargo_metadata::Package| {
        let licence = p.license.as_deref().unwrap_or("no licence");
        format!("{} {} is under {licence}", p.name, p.version)
    };
    Ok(refused.map(name).collect())
}

/// Whether one alternative of an SPDX expression is wholly allowed. Parentheses are opened first, so that
/// `(A OR B) AND C` needs C and either A or B.
fn satisfied(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let (value, rest) = any_of(&tokens, allowed);
    value && rest.is_empty()
}

fn any_of<'t>(tokens: &'t [&'t str], allowed: &[&str]) -> (bool, &'t [&'t str]) {
    let (mut value, mut rest) = all_of(tokens, allowed);
    while let Some((&"OR", tail)) = rest.split_first() {
        let (other, tail) = all_of(tail, allowed);
        (value, rest) = (value || other, tail);
    }
    (value, rest)
}

fn all_of<'t>(tokens: &'t [&'t str], allowed: &[&str]) -> (bool, &'t [&'t str]) {
    let (mut value, mut rest) = one(tokens, allowed);
    while let Some((&"AND", tail)) = rest.split_first() {
        let (other, tail) = one(tail, allowed);
        (value, rest) = (value && other, tail);
    }
    (value, rest)
}

fn one<'t>(tokens: &'t [&'t str], allowed: &[&str]) -> (bool, &'t [&'t str]) {
    match tokens {
        ["(", inner @ ..] => match any_of(inner, allowed) {
            (value, [")", rest @ ..]) => (value, rest),
            (_, rest) => (false, rest),
        },
        [name, "WITH", exception, rest @ ..] => (
            allowed.contains(&format!("{name} WITH {exception}").as_str())
                || allowed.contains(name),
            rest,
        ),
        [name, rest @ ..] => (allowed.contains(name), rest),
        [] => (false, tokens),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(expression: &str, expect: bool) {
        assert_eq!(
            satisfied(expression, &["MIT", "Apache-2.0", "ISC"]),
            expect,
            "{expression}"
        );
    }

    #[test]
    fn one_allowed_alternative_is_enough_and_every_conjunct_counts() {
        check("MIT", true);
        check("GPL-3.0", false);
        check("GPL-3.0 OR MIT", true);
        check("MIT/Apache-2.0", true);
        check("MIT AND GPL-3.0", false);
        check("(GPL-3.0 OR MIT) AND ISC", true);
        check("(GPL-3.0 OR BSL-1.0) AND ISC", false);
        check("Apache-2.0 WITH LLVM-exception OR GPL-3.0", true);
        check("", false);
        check("(MIT", false);
    }
}
