//! Reads rule files; everything that is wrong is reported at once.

mod expr;
mod forecast;

use crate::{ForecastRule, Group, RecordRule, Rule, RuleKind, rule::defaults};
use series::{Labels, PromDuration, is_label_name, is_metric_name};
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};
use yaml::{Document, Fields, Node, Problem, Problems};

/// Bytes that a rule file may have: thousands of rules. YAML takes far more memory than its text, and an alias can
/// multiply what stands before it.
pub const MAX_BYTES: usize = 1 << 20;

/// Reads the groups of one file. `file_name` is what problems are reported under.
pub fn parse(file_name: &str, text: &str) -> Result<Vec<Group>, Problems> {
    let (groups, problems) = read(file_name, text);
    match Problems::collect(problems) {
        Some(problems) => Err(problems),
        None => Ok(groups),
    }
}

/// The same for a file that may have problems: its groups with the rules that are sound, and what is wrong with the rest.
pub fn read(file_name: &str, text: &str) -> (Vec<Group>, Vec<Problem>) {
    if text.len() > MAX_BYTES {
        return (Vec::new(), too_large(file_name).into_iter().collect());
    }
    let (mut names, mut groups) = (HashSet::new(), Vec::new());
    let mut read = |node: &Node| {
        let mut sound = Vec::new();
        let whole = group(file_name, node, &mut sound);
        let name = whole.as_ref().map(|group| group.name.clone());
        if let Some(name) = &name
            && !names.insert(name.clone())
        {
            node.problem(format!("group `{name}` is there twice"));
        }
        groups.push(whole.unwrap_or_else(|| Group {
            file: file_name.to_owned(),
            name: String::new(),
            interval: None,
            query_offset: None,
            limit: defaults::LIMIT,
            rules: sound,
        }));
        name.map(drop)
    };
    let outcome = Document::parse(file_name, text).and_then(|document| {
        document.check(|root| {
            // As promtool has it, a file of comments alone has no groups.
            if root.is_null() {
                return Some(Vec::new());
            }
            root.map(|fields| fields.required("groups", |node| node.list(&mut read)))
        })
    });
    let problems = outcome.err().map(|problems| problems.into_iter().collect());
    (groups, problems.unwrap_or_default())
}

fn too_large(file_name: &str) -> Problems {
    let problem = Problem {
        file: file_name.to_owned(),
        line: 0,
        key: String::new(),
        message: format!(
            "is larger than the {MAX_BYTES} bytes allowed; split it into several files"
        ),
    };
    Problems::collect([problem]).expect("there is one")
}

/// Checks what no file can see alone: two rules, here or there, that would give the same series.
pub fn check_all(groups: &[Group]) -> Result<(), Problems> {
    let mut first = HashMap::new();
    let mut problems = Vec::new();
    for (group, rule) in groups
        .iter()
        .flat_map(|g| g.rules.iter().map(move |r| (g, r)))
    {
        let place = format!("{}:{}", group.file, rule.line);
        if let Some(earlier) = first.insert(identity(&rule.kind), place.clone()) {
            let name = rule.kind.name();
            problems.push(Problem {
                file: group.file.clone(),
                line: rule.line,
                key: String::new(),
                message: format!("`{name}` with these labels is given by {earlier} already"),
            });
        }
    }
    Problems::collect(problems).map_or(Ok(()), Err)
}

/// What tells a rule's series from those of all others. Recording rules may share a name, as long as their
/// expressions differ: so do they in Prometheus.
fn identity(kind: &RuleKind) -> (&str, &Labels, Option<&str>) {
    match kind {
        RuleKind::Forecast(ForecastRule { name, labels, .. }) => (name, labels, None),
        RuleKind::Record(RecordRule { name, expr, labels }) => (name, labels, Some(expr)),
    }
}

/// Reads a group; `sound` gets the rules that can be read, also where others cannot.
fn group(file: &str, node: &Node, sound: &mut Vec<Rule>) -> Option<Group> {
    let mut rule = |node: &Node| {
        let rule = rule(node)?;
        sound.push(rule.clone());
        Some(rule)
    };
    node.map(|fields| {
        let name = fields.required("name", Node::string);
        let interval = fields.optional("interval", positive);
        let query_offset = fields.optional("query_offset", duration);
        let limit = fields.optional("limit", limit).unwrap_or(defaults::LIMIT);
        let labels = fields.optional("labels", |node| labels(node, &forecast::TAKEN));
        let rules = fields.required("rules", |node| node.list(&mut rule));
        let labels = labels.unwrap_or_default();
        Some(Group {
            file: file.to_owned(),
            name: name?,
            interval,
            query_offset,
            limit,
            rules: rules?
                .into_iter()
                .map(|rule| rule.with_labels_below(&labels))
                .collect(),
        })
    })
}

/// Kinds of rules that are promised, and kinds that live elsewhere.
const REFUSED: [(&str, &str); 3] = [
    ("drift", NOT_AVAILABLE),
    ("trajectory", NOT_AVAILABLE),
    (
        "alert",
        "alerting rules belong in the rule files of Prometheus",
    ),
];

const NOT_AVAILABLE: &str = "is not available in this version";

fn rule(node: &Node) -> Option<Rule> {
    // Looked at before it is read: the keys of a kind that is refused are no problems of their own.
    let mut is_refused = false;
    let keys = node.entries(|key, value| {
        if let Some((_, why)) = REFUSED.iter().find(|(kind, _)| *kind == key) {
            value.problem(why);
            is_refused = true;
        }
        Some(key.to_owned())
    })?;
    let is = |kind: &str| keys.iter().any(|key| key == kind);
    let kind = match (is_refused, is("forecast"), is("record")) {
        (true, ..) => None,
        (_, true, _) => node.map(|fields| forecast::read(fields).map(RuleKind::Forecast)),
        (_, _, true) => node.map(|fields| record(fields).map(RuleKind::Record)),
        _ => {
            node.problem("a rule needs the key `forecast` or `record`");
            None
        }
    };
    let line = node.line();
    Some(Rule { line, kind: kind? })
}

fn record(fields: &Fields) -> Option<RecordRule> {
    let name = fields.required("record", metric_name);
    let expr = fields.required("expr", expr::read);
    let labels = fields.optional("labels", |node| labels(node, &[]));
    Some(RecordRule {
        name: name?,
        expr: expr?,
        labels: labels.unwrap_or_default(),
    })
}

fn metric_name(node: &Node) -> Option<String> {
    let name = node.string()?;
    if !is_metric_name(&name) {
        node.problem("a metric needs a name");
    }
    Some(name)
}

/// Labels to add; none of `taken`, which a rule's own series have already.
fn labels(node: &Node, taken: &[&str]) -> Option<Labels> {
    let pairs = node.entries(|name, value| {
        if !is_label_name(name) {
            value.problem("a label needs a name");
        } else if name == "__name__" || taken.contains(&name) {
            value.problem(format!("label `{name}` is set by the rule itself"));
        }
        Some((name.to_owned(), value.label_value()?))
    })?;
    Labels::new(pairs).ok()
}

fn duration(node: &Node) -> Option<Duration> {
    node.parse::<PromDuration>().map(PromDuration::get)
}

fn positive(node: &Node) -> Option<Duration> {
    let length = duration(node)?;
    if length.is_zero() {
        node.problem("must be longer than zero");
        return None;
    }
    Some(length)
}

/// As in Prometheus, 0 is no limit.
fn limit(node: &Node) -> Option<usize> {
    let limit = usize::try_from(node.integer()?).unwrap_or(usize::MAX);
    Some(if limit == 0 { usize::MAX } else { limit })
}

#[cfg(test)]
mod schema;

#[cfg(test)]
mod tests;
