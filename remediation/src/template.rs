//! Request bodies with places for the figures of a plan.

use crate::{Shape, Target};
use minijinja::{
    Environment, Output, State, UndefinedBehavior,
    value::{Value, ValueKind},
};

/// A body such as `{"replicas": {{ replicas }}, "name": "{{ target.name }}"}`.
///
/// `replicas` is a number; `target` has what the workload's configuration gives, each text escaped as the
/// inside of a JSON string. There is nothing else to refer to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(String);

/// Why a body cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("the body template cannot be rendered: {0}")]
pub struct TemplateError(minijinja::Error);

impl Template {
    /// Checks the syntax.
    pub fn new(text: impl Into<String>) -> Result<Self, TemplateError> {
        let text = text.into();
        environment()
            .template_from_str(&text)
            .map_err(TemplateError)?;
        Ok(Self(text))
    }

    /// Fills in a target and a shape; a name that is not there is an error, not an empty text.
    pub fn render(&self, target: &Target, shape: Shape) -> Result<String, TemplateError> {
        let target = target
            .iter()
            .map(|(name, value)| (name.as_str(), Value::from(value.as_str())));
        let context = Value::from_iter([
            ("replicas", Value::from(shape.replicas)),
            ("target", target.collect()),
        ]);
        environment()
            .render_str(&self.0, context)
            .map_err(TemplateError)
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_formatter(escape);
    environment
}

fn escape(out: &mut Output, _: &State, value: &Value) -> Result<(), minijinja::Error> {
    let text = match value.kind() {
        // What `tojson` made has its quotes already.
        ValueKind::String if value.is_safe() => value.to_string(),
        ValueKind::String => {
            let quoted = serde_json::Value::from(value.to_string()).to_string();
            quoted[1..quoted.len() - 1].to_owned()
        }
        _ => value.to_string(),
    };
    out.write_str(&text).map_err(minijinja::Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(template: &str, expect: Result<&str, &str>) {
        let target = Target::from([("name".to_owned(), "a\"b\\c\n{{ replicas }}".to_owned())]);
        let shape = Shape { replicas: 7 };
        let got = Template::new(template).and_then(|t| t.render(&target, shape));
        match (got, expect) {
            (Ok(got), Ok(expect)) => assert_eq!(got, expect),
            (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
            (got, _) => panic!("{got:?}, not {expect:?}"),
        }
    }

    #[test]
    fn figures_are_filled_in() {
        check(r#"{"replicas": {{ replicas }}}"#, Ok(r#"{"replicas": 7}"#));
        check("{{ replicas * 2 }}", Ok("14"));
    }

    #[test]
    fn texts_are_escaped_and_not_rendered_again() {
        let expect = r#"{"name": "a\"b\\c\n{{ replicas }}"}"#;
        check(r#"{"name": "{{ target.name }}"}"#, Ok(expect));
        check(r#"{"name": {{ target.name | tojson }}}"#, Ok(expect));
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        check("{{ labels.x }}", Err("undefined value"));
        check("{{ target.zone }}", Err("undefined value"));
        check("{{ replicas", Err("syntax error"));
    }
}
