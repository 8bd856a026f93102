//! Reading a shape from what an actuator says.

use crate::{
    Shape,
    config::Fields,
    shape::{Colour, Fleets},
};
use serde_json::Value;

/// Takes the shape from where the configuration says it is.
pub(super) fn shape(answer: &[u8], fields: &Fields) -> Result<Shape, String> {
    let json: Value = serde_json::from_slice(answer).map_err(|e| format!("it is not JSON: {e}"))?;
    let fleets = fields.fleets.as_ref().map(|at| {
        let text = find(&json, &at.active)?.as_str();
        let active: Colour = text
            .ok_or_else(|| format!("at `{}` is no colour", at.active))?
            .parse()?;
        let idle = count(&json, &at.idle)?;
        Ok::<_, String>(Fleets { active, idle })
    });
    Ok(Shape {
        fleets: fleets.transpose()?,
        ..Shape::of(count(&json, &fields.replicas)?)
    })
}

fn count(json: &Value, field: &str) -> Result<u32, String> {
    let number = find(json, field)?.as_u64();
    let number = number.and_then(|number| number.try_into().ok());
    number.ok_or_else(|| format!("at `{field}` is no number of replicas"))
}

fn find<'a>(json: &'a Value, field: &str) -> Result<&'a Value, String> {
    json.pointer(field)
        .ok_or_else(|| format!("it has nothing at `{field}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::FleetFields;

    #[track_caller]
    fn check(body: &str, field: &str, expect: Result<u32, &str>) {
        let fields = Fields {
            replicas: field.to_owned(),
            fleets: None,
        };
        let got = shape(body.as_bytes(), &fields);
        match expect {
            Ok(count) => assert_eq!(got, Ok(Shape::of(count))),
            Err(words) => assert!(got.as_ref().is_err_and(|e| e.contains(words)), "{got:?}"),
        }
    }

    #[test]
    fn the_count_is_read_where_the_pointer_says() {
        check(r#"{"replicas": 4}"#, "/replicas", Ok(4));
        check(r#"{"spec": [{"n": 0}]}"#, "/spec/0/n", Ok(0));
        check("7\n", "", Ok(7));
    }

    #[test]
    fn what_is_no_count_is_refused() {
        check("<html>", "/replicas", Err("not JSON"));
        check("{}", "/replicas", Err("nothing at `/replicas`"));
        for value in ["-1", "4.5", "null", "\"4\"", "4294967296"] {
            let body = format!(r#"{{"replicas": {value}}}"#);
            check(&body, "/replicas", Err("no number of replicas"));
        }
    }

    #[test]
    fn two_fleets_are_told_from_each_other() {
        let fields = Fields {
            replicas: "/n".to_owned(),
            fleets: Some(FleetFields {
                active: "/live".to_owned(),
                idle: "/spare".to_owned(),
            }),
        };
        let read = |body: &str| shape(body.as_bytes(), &fields).map(|shape| shape.to_string());
        let both = r#"{"n": 4, "live": "green", "spare": 2}"#;
        assert_eq!(read(both).unwrap(), "4 green beside 2 blue");
        let odd = r#"{"n": 4, "live": "red", "spare": 2}"#;
        assert!(read(odd).unwrap_err().contains("neither blue nor green"));
    }
}
