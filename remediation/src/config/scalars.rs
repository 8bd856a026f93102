//! Small values that several sections write in the same way.

use series::PromDuration;
use std::{str::FromStr, time::Duration};
use yaml::Node;

/// A share above zero, written as a percentage; 1 is all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Percentage(pub(crate) f64);

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("`{0}` is not a percentage above zero: write a number and a percent sign, like 25%")]
pub(crate) struct PercentageError(String);

impl FromStr for Percentage {
    type Err = PercentageError;

    fn from_str(text: &str) -> Result<Self, PercentageError> {
        let number = text.strip_suffix('%').and_then(|n| n.trim().parse().ok());
        number
            .filter(|n: &f64| n.is_finite() && *n > 0.0)
            .map(|n| Self(n / 100.0))
            .ok_or_else(|| PercentageError(text.to_owned()))
    }
}

/// A percentage, as a share.
pub(crate) fn share(node: &Node) -> Option<f64> {
    node.parse::<Percentage>().map(|share| share.0)
}

/// A duration that may be zero.
pub(crate) fn duration(node: &Node) -> Option<Duration> {
    node.parse::<PromDuration>().map(PromDuration::get)
}

/// A duration above zero.
pub(crate) fn positive_duration(node: &Node) -> Option<Duration> {
    let duration = duration(node)?;
    if duration.is_zero() {
        node.problem("must be longer than 0s");
        return None;
    }
    Some(duration)
}

/// A number of replicas or the like.
pub(crate) fn count(node: &Node) -> Option<u32> {
    let count = node.integer()?;
    node.accept(u32::try_from(count).map_err(|_| format!("{count} is too large")))
}

/// A text with something in it.
pub(crate) fn words(node: &Node) -> Option<String> {
    let text = node.string()?;
    if text.trim().is_empty() {
        node.problem("must not be empty");
        return None;
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_need_their_sign_and_something_to_share() {
        assert_eq!("25%".parse(), Ok(Percentage(0.25)));
        assert_eq!("100 %".parse(), Ok(Percentage(1.0)));
        for text in ["25", "0%", "-5%", "NaN%", "inf%", "%", ""] {
            let error = text.parse::<Percentage>().unwrap_err();
            assert_eq!(error, PercentageError(text.to_owned()));
        }
    }
}
