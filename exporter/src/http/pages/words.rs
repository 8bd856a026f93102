//! Times, durations and texts as people read them.

use series::Timestamp;
use std::time::Duration;

/// A time to the second, in UTC.
pub(super) fn at(time: Timestamp) -> String {
    let known = jiff::Timestamp::from_millisecond(time.as_millis());
    known.map_or_else(
        |_| time.as_millis().to_string(),
        |time| time.strftime("%Y-%m-%d %H:%M:%S").to_string(),
    )
}

/// How long ago a time was.
pub(super) fn ago(time: Timestamp, now: Timestamp) -> String {
    let since = now.since(time);
    if since < Duration::from_secs(1) {
        return "just now".to_owned();
    }
    format!("{} ago", span(since))
}

/// A duration in its two largest units.
pub(super) fn span(length: Duration) -> String {
    let seconds = length.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let two = |large: u64, unit: &str, small: u64, part: &str| match small {
        0 => format!("{large} {unit}"),
        _ => format!("{large} {unit} {small} {part}"),
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => two(minutes, "min", seconds % 60, "s"),
        (0, _, _) => two(hours, "h", minutes % 60, "min"),
        _ => two(days, "d", hours % 24, "h"),
    }
}

/// A text that may be of any length, cut where it becomes a nuisance.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units_at_most() {
        let said = |seconds| span(Duration::from_secs(seconds));
        assert_eq!(said(0), "0 s");
        assert_eq!(said(47), "47 s");
        assert_eq!(said(60), "1 min");
        assert_eq!(said(72), "1 min 12 s");
        assert_eq!(said(11_100), "3 h 5 min");
        assert_eq!(said(86_400 * 2 + 3_600 * 4 + 59), "2 d 4 h");
    }

    #[test]
    fn times_are_said_to_the_second() {
        let time = Timestamp::from_seconds(1_800_000_000);
        assert_eq!(at(time), "2027-01-15 08:00:00");
        let later = time + Duration::from_secs(90);
        assert_eq!(ago(time, later), "1 min 30 s ago");
        assert_eq!(ago(later, time), "just now");
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(cut("häuser", 6), "häuser");
        assert_eq!(cut("häuser", 2), "hä…");
    }
}
