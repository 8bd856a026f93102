//! Three weeks of the fleet's past, simulated and written as OpenMetrics.

use crate::{
    demand::Demand,
    exposition::{Family, Reading},
    fleet::{Fleet, Service},
    replica::{N_READINGS, Replica},
};
use series::Timestamp;
use std::{
    io::{self, Write},
    time::Duration,
};

const DAY: Duration = Duration::from_hours(24);
const HOUR: Duration = Duration::from_hours(1);
/// How far the past reaches.
pub const LENGTH: Duration = Duration::from_hours(21 * 24);
/// The spacing of its samples.
pub const RESOLUTION: Duration = Duration::from_mins(1);
/// The last minutes are spaced as the living are scraped: `rate` would else take the change for a dip in the load.
pub const RECENT: Duration = Duration::from_mins(10);
const RECENT_RESOLUTION: Duration = Duration::from_secs(5);
/// The step of the simulation; its queues are stable for any.
const STEP: Duration = Duration::from_secs(10);
/// Every Tuesday at ten the shop rolls out a new version, two days and eight hours before today's opening.
const DEPLOY_BEFORE_OPENING: Duration = Duration::from_hours(2 * 24 + 8);
const BETWEEN_RESTARTS: Duration = Duration::from_mins(2);
/// Replicas until this week's rollout, and since: a saving that held on two quiet evenings.
const REPLICAS_BEFORE: usize = 5;
const REPLICAS_SINCE: usize = 4;

/// What Prometheus would have recorded.
#[derive(Debug)]
pub struct History {
    tracks: Vec<Track>,
}

/// The samples of everything that one target told.
#[derive(Debug)]
struct Track {
    labels: Vec<(&'static str, String)>,
    /// What it tells; the values are those of the last scrape.
    readings: Vec<Reading>,
    /// Seconds since the epoch, one a scrape.
    times: Vec<i64>,
    /// As many values a scrape as there are readings.
    values: Vec<f64>,
}

/// A replica to restart, or the whole fleet to resize.
enum Event {
    Restart(u32),
    Resize(usize),
}

/// Simulates the weeks that end at `end`, and returns the fleet as it is then.
pub fn simulate(demand: Demand, end: Timestamp) -> (Fleet, History) {
    let mut events = calendar(demand.opening(), end).into_iter().peekable();
    let mut fleet = Fleet::new(demand, REPLICAS_BEFORE, end - LENGTH);
    let mut history = History { tracks: Vec::new() };
    history.scrape(&fleet);
    while fleet.now() < end {
        let next = fleet.now() + RESOLUTION;
        while let Some((_, event)) = events.next_if(|(at, _)| *at < next) {
            happen(&mut fleet, &event);
        }
        fleet.advance(next, STEP);
        history.scrape(&fleet);
    }
    (fleet, history)
}

/// Takes the fleet on to `end`, and returns what Prometheus would have recorded in these minutes.
pub fn simulate_recent(fleet: &mut Fleet, end: Timestamp) -> History {
    let mut history = History { tracks: Vec::new() };
    while fleet.now() + RECENT_RESOLUTION <= end {
        fleet.advance(fleet.now() + RECENT_RESOLUTION, Duration::from_secs(1));
        history.scrape(fleet);
    }
    history
}

fn happen(fleet: &mut Fleet, event: &Event) {
    match event {
        Event::Restart(number) => fleet.restart(*number),
        Event::Resize(wanted) => {
            let names: Vec<_> = fleet.services().iter().map(Service::name).collect();
            for name in names {
                fleet.scale(name, *wanted);
            }
        }
    }
}

/// What happened in these weeks, oldest first.
fn calendar(opening: Timestamp, end: Timestamp) -> Vec<(Timestamp, Event)> {
    let this_week = opening - DEPLOY_BEFORE_OPENING;
    let mut events = vec![(this_week + HOUR, Event::Resize(REPLICAS_SINCE))];
    for weeks in 0..=3_u32 {
        let mut at = this_week - DAY * 7 * weeks;
        for number in (1..).take(REPLICAS_BEFORE) {
            events.push((at, Event::Restart(number)));
            at = at + BETWEEN_RESTARTS;
        }
    }
    events.retain(|(at, _)| (end - LENGTH..end).contains(at));
    events.sort_by_key(|(at, _)| *at);
    events
}

impl History {
    /// How many samples there are.
    pub fn n_samples(&self) -> usize {
        self.tracks.iter().map(|track| track.values.len()).sum()
    }

    /// Writes families together, series by series, oldest sample first, as OpenMetrics wants.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        for family in self.families() {
            writeln!(out, "# HELP {} {}", family.name, family.help)?;
            writeln!(out, "# TYPE {} {}", family.name, family.kind)?;
            for track in &self.tracks {
                track.write(family, out)?;
            }
        }
        writeln!(out, "# EOF")
    }

    fn families(&self) -> Vec<&'static Family> {
        let mut families = Vec::new();
        for reading in self.tracks.iter().flat_map(|track| &track.readings) {
            if !families.contains(&reading.family) {
                families.push(reading.family);
            }
        }
        families
    }

    /// Notes what a scrape of every target would see now.
    fn scrape(&mut self, fleet: &Fleet) {
        let now = fleet.now();
        for service in fleet.services() {
            self.note(&controller_labels(service), &service.readings(now), now);
            for replica in service.replicas() {
                let readings: [Reading; N_READINGS] = replica.readings();
                self.note(&instance_labels(service, replica), &readings, now);
            }
        }
    }

    fn note(&mut self, labels: &[(&'static str, String)], readings: &[Reading], now: Timestamp) {
        let known = self.tracks.iter().position(|track| track.labels == labels);
        let idx = known.unwrap_or_else(|| {
            self.tracks.push(Track {
                labels: labels.to_vec(),
                readings: readings.to_vec(),
                times: Vec::new(),
                values: Vec::new(),
            });
            self.tracks.len() - 1
        });
        let track = &mut self.tracks[idx];
        track.times.push(now.as_millis() / 1_000);
        track
            .values
            .extend(readings.iter().map(|reading| reading.value));
    }
}

/// The labels that an instance's samples have after a scrape.
pub fn instance_labels(service: &Service, replica: &Replica) -> [(&'static str, String); 3] {
    [
        ("instance", service.instance(replica)),
        ("job", "fleet".to_owned()),
        ("service", service.name().to_owned()),
    ]
}

/// The labels that the controller's samples of a service have after a scrape.
fn controller_labels(service: &Service) -> [(&'static str, String); 3] {
    [
        ("instance", "controller".to_owned()),
        ("job", "controller".to_owned()),
        ("service", service.name().to_owned()),
    ]
}

impl Track {
    fn write(&self, family: &Family, out: &mut impl Write) -> io::Result<()> {
        let labels: Vec<_> = self.labels.iter().map(|(n, v)| (*n, v.as_str())).collect();
        for (idx, reading) in self.readings.iter().enumerate() {
            if reading.family != family {
                continue;
            }
            let series = reading.series(&labels);
            let values = self.values.iter().skip(idx).step_by(self.readings.len());
            for (time, value) in self.times.iter().zip(values) {
                writeln!(out, "{series} {value} {time}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::MANAGED;
    use std::sync::LazyLock;

    const OPENING: Timestamp = Timestamp::from_seconds(1_790_000_000);

    fn simulated(seed: u64) -> (Fleet, History) {
        simulate(
            Demand::new(OPENING, seed),
            OPENING - Duration::from_secs(77),
        )
    }

    /// Made up once for all tests.
    fn past() -> &'static (Fleet, History) {
        static PAST: LazyLock<(Fleet, History)> = LazyLock::new(|| simulated(1));
        &PAST
    }

    fn track<'a>(history: &'a History, instance: &str) -> &'a Track {
        let is_it = |track: &&Track| track.labels[0].1 == instance;
        history.tracks.iter().find(is_it).unwrap()
    }

    fn column(track: &Track, idx: usize) -> Vec<f64> {
        let values = track.values.iter().skip(idx);
        values.step_by(track.readings.len()).copied().collect()
    }

    #[test]
    fn counters_fall_only_where_the_process_started_anew() {
        let history = &past().1;
        let track = track(history, "checkout-2");
        let started = column(track, 2);
        let mut restarts = 0;
        for idx in (0..N_READINGS).filter(|idx| *idx != 1) {
            let values = column(track, idx);
            for n in 1..values.len() {
                let fell = values[n] < values[n - 1];
                assert!(
                    !fell || started[n] > started[n - 1],
                    "reading {idx} fell at {n}"
                );
                restarts += usize::from(fell && idx == 13);
            }
        }
        assert_eq!(restarts, 3, "three Tuesdays in three weeks");
    }

    #[test]
    fn the_objective_was_kept_in_every_minute_until_now() {
        let history = &past().1;
        let track = track(history, "checkout-1");
        let (within, count) = (column(track, 8), column(track, 13));
        let mut worst = 1.0_f64;
        for n in 1..count.len() {
            let came = count[n] - count[n - 1];
            if came > 0.0 {
                worst = worst.min((within[n] - within[n - 1]) / came);
            }
        }
        assert!(worst > 0.99, "{worst}");
    }

    #[test]
    fn yesterdays_peak_just_fitted() {
        let history = &past().1;
        let track = track(history, "checkout-1");
        let busy = column(track, 0);
        let yesterday = busy.len() - 1_440..;
        let busiest = busy[yesterday]
            .windows(2)
            .map(|pair| (pair[1] - pair[0]) / 60.0);
        let busiest = busiest.fold(0.0, f64::max);
        assert!((0.85..0.95).contains(&busiest), "{busiest}");
    }

    #[test]
    fn the_living_go_on_where_the_past_ends() {
        let (mut fleet, history) = (past().0.clone(), &past().1);
        let last = |idx| *column(track(history, "checkout-3"), idx).last().unwrap();
        let now = |fleet: &Fleet, idx: usize| {
            fleet.service(MANAGED).unwrap().replicas()[2].readings()[idx].value
        };
        assert_eq!(
            track(history, "checkout-3").times.last(),
            Some(&1_789_999_923)
        );
        assert!((now(&fleet, 13) - last(13)).abs() < 1e-9);
        fleet.advance(fleet.now() + Duration::from_secs(5), Duration::from_secs(1));
        let grown = now(&fleet, 13) - last(13);
        assert!((150.0..230.0).contains(&grown), "{grown}");
        assert!((now(&fleet, 2) - last(2)).abs() < 1e-9, "no restart");
    }

    #[test]
    fn the_same_seed_gives_the_same_past_and_another_seed_another() {
        let same = |one: &History, other: &History| {
            let pairs = one.tracks.iter().zip(&other.tracks);
            let alike = |(one, other): (&Track, &Track)| {
                one.labels == other.labels && one.times == other.times && one.values == other.values
            };
            one.tracks.len() == other.tracks.len() && pairs.into_iter().all(alike)
        };
        assert!(same(&past().1, &simulated(1).1));
        assert!(!same(&past().1, &simulated(2).1));
    }

    #[test]
    fn series_are_written_whole_and_families_together() {
        let reading = track(&past().1, "controller").readings[0];
        let track = |instance: &str| Track {
            labels: vec![("instance", instance.to_owned())],
            readings: vec![reading],
            times: vec![60, 120],
            values: vec![5.0, 4.0],
        };
        let history = History {
            tracks: vec![track("a"), track("b")],
        };
        let mut text = Vec::new();
        history.write(&mut text).unwrap();
        let (_, samples) = std::str::from_utf8(&text)
            .unwrap()
            .split_once("gauge\n")
            .unwrap();
        let series = |name| {
            format!(
                "service_replicas{{instance=\"{name}\"}} 5 60\nservice_replicas{{instance=\"{name}\"}} 4 120\n"
            )
        };
        assert_eq!(samples, format!("{}{}# EOF\n", series("a"), series("b")));
    }

    #[test]
    fn the_last_minutes_follow_in_the_rhythm_of_the_living() {
        let mut fleet = past().0.clone();
        let begin = fleet.now().as_millis() / 1_000;
        let end = fleet.now() + Duration::from_secs(12);
        let recent = simulate_recent(&mut fleet, end);
        assert_eq!(track(&recent, "checkout-1").times, [begin + 5, begin + 10]);
        let last = |history| *column(track(history, "checkout-1"), 13).last().unwrap();
        let grown = last(&recent) - last(&past().1);
        assert!((300.0..460.0).contains(&grown), "{grown}");
    }

    #[test]
    fn it_stays_small_enough_to_load_in_seconds() {
        let history = &past().1;
        assert!((3_900_000..4_500_000).contains(&history.n_samples()));
    }
}
