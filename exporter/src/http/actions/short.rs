//! Identifiers of actions by their beginnings.

use axum::http::StatusCode;
use store::ActionId;

/// The status and the sentence of a refusal.
type Refusal = (StatusCode, String);

/// Actions that are told where a beginning is not enough.
pub(super) const TOLD: u32 = 5;

/// Characters of a whole identifier.
const WHOLE: usize = 36;

/// Whether a text may be the beginning of an identifier.
pub(super) fn is_beginning(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_hexdigit() || c == '-';
    (1..WHOLE).contains(&text.len()) && text.chars().all(is_part)
}

/// The only action that begins so.
pub(super) fn only(beginning: &str, found: &[ActionId]) -> Result<ActionId, Refusal> {
    match found {
        [one] => Ok(*one),
        [] => Err((
            StatusCode::NOT_FOUND,
            format!("there is no action {beginning}"),
        )),
        several => {
            let several: Vec<String> = several.iter().map(ToString::to_string).collect();
            Err((
                StatusCode::BAD_REQUEST,
                format!(
                    "several actions begin with {beginning}, write more of it: {}",
                    several.join(", ")
                ),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_has_hexadecimal_digits_and_dashes_and_is_not_whole() {
        for good in ["0", "01a200af", "01A200af-42b"] {
            assert!(is_beginning(good), "{good}");
        }
        for bad in [
            "",
            "list",
            "01a2/..",
            "01a200af-42ba-7ec6-a899-cee0347a228b",
        ] {
            assert!(!is_beginning(bad), "{bad}");
        }
    }

    #[test]
    fn a_beginning_of_none_or_several_is_refused() {
        let ids: Vec<ActionId> = (0..2)
            .map(|n| {
                format!("01a200af-42ba-7ec6-a899-cee0347a228{n}")
                    .parse()
                    .unwrap()
            })
            .collect();
        assert_eq!(only("01a2", &ids[..1]).unwrap(), ids[0]);
        assert_eq!(only("01a2", &ids).unwrap_err().0, 400);
        assert_eq!(only("ff", &[]).unwrap_err().0, 404);
    }
}
