//! Recurring times, written as Alertmanager writes its time intervals.

use jiff::tz::TimeZone;
use series::Timestamp;
use std::ops::RangeInclusive;
use yaml::Node;

/// A recurring time. Conditions that are left out always hold; those that are there must all hold.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeInterval {
    /// Minutes of the day, from the first to right before the last.
    times: Vec<(u16, u16)>,
    /// Days of the week, Sunday being 0.
    weekdays: Vec<RangeInclusive<i32>>,
    /// Days of the month from 1; negative ones count from its end.
    days_of_month: Vec<RangeInclusive<i32>>,
    /// Months from 1.
    months: Vec<RangeInclusive<i32>>,
    years: Vec<RangeInclusive<i32>>,
    zone: TimeZone,
}

const WEEKDAYS: [&str; 7] = [
    "sunday",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
];

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

impl TimeInterval {
    /// Whether a time lies in it. Times that no calendar has lie in none.
    pub fn contains(&self, at: Timestamp) -> bool {
        let Ok(at) = jiff::Timestamp::from_millisecond(at.as_millis()) else {
            return false;
        };
        let at = at.to_zoned(self.zone.clone());
        let minute = u16::try_from(i32::from(at.hour()) * 60 + i32::from(at.minute())).unwrap_or(0);
        let (day, last) = (i32::from(at.day()), i32::from(at.days_in_month()));
        let weekday = i32::from(at.weekday().to_sunday_zero_offset());
        let is_in = |ranges: &[RangeInclusive<i32>], value: i32| {
            ranges.is_empty() || ranges.iter().any(|range| range.contains(&value))
        };
        let from_the_end = |bound: i32| if bound < 0 { last + 1 + bound } else { bound };
        let days = self.days_of_month.iter();
        let days: Vec<_> = days
            .map(|range| from_the_end(*range.start())..=from_the_end(*range.end()))
            .collect();
        let is_timely = |(from, to): &(u16, u16)| (*from..*to).contains(&minute);
        (self.times.is_empty() || self.times.iter().any(is_timely))
            && is_in(&self.weekdays, weekday)
            && is_in(&days, day)
            && is_in(&self.months, i32::from(at.month()))
            && is_in(&self.years, i32::from(at.year()))
    }
}

/// Reads one interval.
pub(super) fn time_interval(node: &Node) -> Option<TimeInterval> {
    node.map(|fields| {
        let list = |key, read: fn(&Node) -> Option<RangeInclusive<i32>>| {
            fields
                .optional(key, |node| node.list(read))
                .unwrap_or_default()
        };
        let interval = TimeInterval {
            times: fields
                .optional("times", |node| node.list(times))
                .unwrap_or_default(),
            weekdays: list("weekdays", |node| named(node, &WEEKDAYS, 0)),
            days_of_month: list("days_of_month", days_of_month),
            months: list("months", |node| named(node, &MONTHS, 1)),
            years: list("years", |node| {
                range(node, &|text| number(text, 1970..=9999))
            }),
            zone: fields.optional("location", zone).unwrap_or(TimeZone::UTC),
        };
        let keys = ["times", "weekdays", "days_of_month", "months", "years"];
        if !keys.iter().any(|key| fields.has(key)) {
            let problem = "must name a time: this would be always";
            fields.node().problem(problem);
            return None;
        }
        Some(interval)
    })
}

fn times(node: &Node) -> Option<(u16, u16)> {
    node.map(|fields| {
        let from = fields.required("start_time", time_of_day);
        let to = fields.required("end_time", time_of_day);
        let (from, to) = (from?, to?);
        if from >= to {
            let problem =
                "must be before end_time; write two times for one that goes over midnight";
            fields.problem("start_time", problem);
            return None;
        }
        Some((from, to))
    })
}

fn time_of_day(node: &Node) -> Option<u16> {
    let text = node.string()?;
    let parse = |text: &str| {
        let (hour, minute) = text.split_once(':')?;
        let is_plain = [hour, minute]
            .iter()
            .all(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit()));
        let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
        let total = hour * 60 + minute;
        (is_plain && minute < 60 && total <= 24 * 60).then_some(total)
    };
    node.accept(
        parse(&text).ok_or_else(|| format!("`{text}` is no time of day: write it like 22:30")),
    )
}

fn named(node: &Node, names: &[&str], first: i32) -> Option<RangeInclusive<i32>> {
    let least = first;
    let most = first + i32::try_from(names.len()).unwrap_or(i32::MAX) - 1;
    range(node, &|text| {
        let at = names
            .iter()
            .position(|name| name.eq_ignore_ascii_case(text));
        let by_name = at
            .and_then(|at| i32::try_from(at).ok())
            .map(|at| at + first);
        // Alertmanager takes months as numbers too, and weekdays as names only.
        let by_number = || (first == 1).then(|| number(text, least..=most)).flatten();
        by_name.or_else(by_number)
    })
}

fn days_of_month(node: &Node) -> Option<RangeInclusive<i32>> {
    let range = range(node, &|text| {
        number(text, -31..=31).filter(|number| *number != 0)
    })?;
    Some(range)
}

fn number(text: &str, within: RangeInclusive<i32>) -> Option<i32> {
    text.parse().ok().filter(|number| within.contains(number))
}

/// One value, or two with a colon between them.
fn range(node: &Node, one: &dyn Fn(&str) -> Option<i32>) -> Option<RangeInclusive<i32>> {
    let text = node.string()?;
    let (from, to) = text.split_once(':').unwrap_or((&text, &text));
    let (Some(from), Some(to)) = (one(from.trim()), one(to.trim())) else {
        node.problem(format!("`{text}` is not understood here"));
        return None;
    };
    // The first to the last day, or to the third from the end; 5:1 is empty.
    let is_backward = if (from < 0) == (to < 0) {
        from > to
    } else {
        from < 0
    };
    if is_backward {
        node.problem(format!("`{text}` ends before it begins"));
        return None;
    }
    Some(from..=to)
}

fn zone(node: &Node) -> Option<TimeZone> {
    let name = node.string()?;
    // As in Alertmanager, whose names are those of Go: `Local` is the time zone of this machine.
    match name.to_ascii_lowercase().as_str() {
        "" | "utc" => return Some(TimeZone::UTC),
        "local" => return Some(TimeZone::system()),
        _ => {}
    }
    let zone = TimeZone::get(&name);
    node.accept(zone.map_err(|_| format!("the time zone `{name}` is not known on this machine")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::{Weekday, date};

    fn read(text: &str) -> Result<TimeInterval, String> {
        let document = yaml::Document::parse("c.yml", text).map_err(|e| e.to_string())?;
        document.check(time_interval).map_err(|e| e.to_string())
    }

    fn at(year: i16, month: i8, day: i8, hour: i8) -> Timestamp {
        let at = date(year, month, day).at(hour, 0, 0, 0);
        let at = at.to_zoned(TimeZone::UTC).unwrap();
        Timestamp::from_millis(at.timestamp().as_millisecond())
    }

    #[track_caller]
    fn check(text: &str, inside: &[Timestamp], outside: &[Timestamp]) {
        let interval = read(text).unwrap();
        for at in inside {
            assert!(interval.contains(*at), "{at:?}");
        }
        for at in outside {
            assert!(!interval.contains(*at), "{at:?}");
        }
    }

    #[test]
    fn nights_of_working_days() {
        // 2026-11-20 is a Friday.
        check(
            "{weekdays: ['monday:friday'], times: [{start_time: '22:00', end_time: '24:00'}]}",
            &[at(2026, 11, 20, 22), at(2026, 11, 20, 23)],
            &[at(2026, 11, 20, 21), at(2026, 11, 21, 22)],
        );
    }

    #[test]
    fn ends_of_months_and_whole_years() {
        check(
            "{days_of_month: ['-2:-1'], months: ['november', '2'], years: ['2026:2027']}",
            &[at(2026, 11, 30, 0), at(2026, 11, 29, 5), at(2027, 2, 28, 0)],
            &[at(2026, 11, 28, 0), at(2026, 12, 31, 0), at(2028, 2, 29, 0)],
        );
        check("{days_of_month: ['1:-1']}", &[at(2026, 2, 28, 0)], &[]);
    }

    #[test]
    fn a_place_has_its_own_clock() {
        check(
            "{location: Europe/Berlin, times: [{start_time: '00:00', end_time: '01:00'}]}",
            &[at(2026, 11, 20, 23), at(2026, 7, 20, 22)],
            &[at(2026, 11, 20, 0), at(2026, 7, 20, 23)],
        );
    }

    #[test]
    fn the_places_that_alertmanager_knows_beside_those_of_the_world_are_known() {
        for name in ["Local", "UTC", "''"] {
            let text = format!("{{location: {name}, years: ['2026']}}");
            assert!(read(&text).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_said() {
        for (text, words) in [
            ("{}", "this would be always"),
            (
                "{times: [{start_time: '25:00', end_time: '9:00'}]}",
                "no time of day",
            ),
            (
                "{times: [{start_time: '22:00', end_time: '06:00'}]}",
                "over midnight",
            ),
            ("{weekdays: ['5']}", "`5` is not understood"),
            ("{days_of_month: ['0']}", "`0` is not understood"),
            ("{months: ['may:april']}", "ends before it begins"),
            (
                "{location: Mars/Olympus, years: ['2026']}",
                "not known on this machine",
            ),
        ] {
            let problem = read(text).unwrap_err();
            assert!(problem.contains(words), "{problem}");
        }
    }

    #[test]
    fn the_week_begins_on_sunday() {
        assert_eq!(Weekday::Sunday.to_sunday_zero_offset(), 0);
        check(
            "{weekdays: [sunday]}",
            &[at(2026, 11, 22, 12)],
            &[at(2026, 11, 23, 12)],
        );
    }
}
