//! How the forecasts of late turned out, judged on samples that the model had not seen when it made them.

use crate::{
    Distribution, Fitted, History, StateError, UpdateError,
    backtest::residuals,
    bytes::{Reader, Writer, check},
    history::{cell, finite_or_gap},
    statistics::mean,
};
use series::{Sample, Step};
use std::time::Duration;

/// Forecasts of one series that wait for their outcome, and what became of those before them.
///
/// A few forecasts for each horizon are remembered at a time, evenly spread, with their median and their central
/// 80 % and 95 % bands. Judgements fade with age, by a time constant of a day or four horizons, whichever is longer.
#[derive(Debug, Clone, PartialEq)]
pub struct TrackRecord {
    step: Step,
    lanes: Box<[Lane]>,
}

/// How good the forecasts for one horizon have been.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// The mean absolute scaled error (Hyndman and Koehler 2006): errors of the median, in units of the naive
    /// forecast's mean absolute error on the history that the model was fitted to. That forecast repeats the value of
    /// a day ago, or the last value seen where the history has less than two days. 0 is perfect, 1 as good as naive;
    /// `None` where the history repeats itself exactly, or is shorter than the horizon.
    pub mase: Option<f64>,
    /// The share of values inside the central 80 % band, 0 to 1; all is well around 0.8.
    pub coverage80: f64,
    /// The share of values inside the central 95 % band, 0 to 1; all is well around 0.95.
    pub coverage95: f64,
    /// Forecasts judged so far, faded ones included.
    pub judged: u32,
}

/// Fewer judgements than these are chance.
const MIN_JUDGED: u32 = 16;

/// Forecasts a horizon has waiting at most: neighbouring forecasts hardly differ.
const PLACES: u32 = 8;

/// Judgements are remembered at least so long, and at least so many horizons.
const MEMORY: Duration = Duration::from_hours(24);
const MEMORY_HORIZONS: f64 = 4.0;

const DAY: Duration = Duration::from_hours(24);

impl TrackRecord {
    /// The record of a model that was fitted to this history and has not been put to the test yet. Horizons are
    /// rounded to whole steps, at least one.
    pub fn new(history: &History, horizons: &[Duration]) -> Self {
        let step = history.step();
        let mut lanes = lanes(horizons, step);
        for lane in &mut lanes {
            lane.scale = naive_error(history, lane.ahead);
        }
        Self { step, lanes }
    }

    /// Judges the forecasts that were made for this sample's time, updates the model, and remembers what it foresees
    /// from here.
    pub fn observe(&mut self, model: &mut dyn Fitted, sample: Sample) -> Result<(), UpdateError> {
        model.update(sample)?;
        let now = cell(sample.at, self.step);
        let value = finite_or_gap(sample.value);
        for lane in &mut self.lanes {
            // Forecasts wait since earlier samples, so it does not matter that the model knows this one by now.
            lane.judge(now, value);
            lane.promise(now, |ahead| {
                let ahead = self.step.get().saturating_mul(ahead);
                model.predict(model.origin() + ahead)
            });
        }
        Ok(())
    }

    /// The same record in another's units: of that which a fit to more history has begun. What is naive for a young
    /// series, which has shown no day yet, is not what is naive for it later.
    #[must_use]
    pub fn in_units_of(mut self, other: &Self) -> Self {
        for (lane, other) in self.lanes.iter_mut().zip(&other.lanes) {
            lane.scale = other.scale;
        }
        self
    }

    /// The standing at one of the horizons, by its place among them; `None` while too few forecasts came due.
    ///
    /// # Panics
    /// When there is no such horizon.
    pub fn standing(&self, horizon_idx: usize) -> Option<Standing> {
        let Lane { tally, scale, .. } = &self.lanes[horizon_idx];
        let share = |sum: f64| sum / tally.weight;
        (tally.judged >= MIN_JUDGED).then(|| Standing {
            mase: Some(share(tally.error) / scale).filter(|mase| mase.is_finite()),
            coverage80: share(tally.inside80),
            coverage95: share(tally.inside95),
            judged: tally.judged,
        })
    }

    /// Bytes of memory beside its own.
    pub fn heap_size(&self) -> usize {
        let places = self.lanes.iter().map(|lane| size_of_val(&*lane.places));
        size_of_val(&*self.lanes) + places.sum::<usize>()
    }

    /// The record as bytes, with a version and a checksum.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut to = Writer::new();
        for lane in &self.lanes {
            to.f64(lane.scale);
            let Tally { judged, last, .. } = lane.tally;
            to.u32(judged);
            to.i64(last);
            for sum in lane.tally.sums() {
                to.f64(sum);
            }
            for place in &lane.places {
                to.i64(place.due);
                for value in place.values {
                    to.f64(value);
                }
            }
        }
        to.seal()
    }

    /// Takes up a record that was kept for the same horizons and step.
    pub fn from_bytes(bytes: &[u8], horizons: &[Duration], step: Step) -> Result<Self, StateError> {
        let mut from = Reader::open(bytes)?;
        let mut lanes = lanes(horizons, step);
        let n_bytes: usize = lanes.iter().map(Lane::n_bytes).sum();
        if from.left() != n_bytes {
            return Err(StateError::OtherSettings);
        }
        for lane in &mut lanes {
            lane.scale = from.f64()?;
            lane.tally = Tally::read(&mut from)?;
            for place in &mut lane.places {
                *place = Promise::read(&mut from)?;
            }
        }
        from.end()?;
        Ok(Self { step, lanes })
    }
}

/// One horizon.
#[derive(Debug, Clone, PartialEq)]
struct Lane {
    /// The horizon in steps.
    ahead: u32,
    /// Steps between two forecasts that are remembered.
    stride: u32,
    /// After so many steps a judgement has lost all but 37 % of its weight.
    memory: f64,
    /// The mean absolute error of the naive forecast on the history; NaN where there is none.
    scale: f64,
    tally: Tally,
    places: Box<[Promise]>,
}

fn lanes(horizons: &[Duration], step: Step) -> Box<[Lane]> {
    let lane = |horizon: &Duration| {
        let ahead = u32::try_from(step.count(*horizon))
            .unwrap_or(u32::MAX)
            .max(1);
        let stride = ahead.div_ceil(PLACES);
        let memory = (MEMORY_HORIZONS * f64::from(ahead)).max(step.count(MEMORY) as f64);
        Lane {
            ahead,
            stride,
            memory: memory.max(1.0),
            scale: f64::NAN,
            tally: Tally::default(),
            places: vec![Promise::NONE; ahead.div_ceil(stride) as usize].into(),
        }
    };
    horizons.iter().map(lane).collect()
}

impl Lane {
    fn judge(&mut self, now: i64, value: f64) {
        if value.is_nan() {
            return;
        }
        for place in self.places.iter_mut().filter(|place| place.due == now) {
            self.tally.fade(now, self.memory);
            self.tally.add(place, value);
            *place = Promise::NONE;
        }
    }

    fn promise(&mut self, now: i64, foresee: impl FnOnce(u32) -> Distribution) {
        let stride = i64::from(self.stride);
        if now.rem_euclid(stride) != 0 {
            return;
        }
        // A ring as long as the horizon: what stood in this place was due by now.
        let n_places = self.places.len().max(1) as u64;
        let place = now.div_euclid(stride).unsigned_abs() % n_places;
        let quantiles = *foresee(self.ahead).values();
        self.places[usize::try_from(place).expect("less than the number of places")] = Promise {
            due: now.saturating_add(i64::from(self.ahead)),
            values: PROMISED.map(|idx| quantiles[idx]),
        };
    }

    /// How long it is as bytes.
    fn n_bytes(&self) -> usize {
        4 + 6 * 8 + self.places.len() * 8 * (1 + PROMISED.len())
    }
}

/// A forecast that waits.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Promise {
    /// The cell that it is for; the smallest number where nothing waits.
    due: i64,
    /// The quantiles at [`PROMISED`], ascending and finite.
    values: [f64; PROMISED.len()],
}

/// The levels 0.025, 0.1, 0.5, 0.9 and 0.975 among [`Distribution::LEVELS`].
const PROMISED: [usize; 5] = [1, 3, 6, 9, 11];

impl Promise {
    const NONE: Self = Self {
        due: i64::MIN,
        values: [0.0; PROMISED.len()],
    };

    fn read(from: &mut Reader<'_>) -> Result<Self, StateError> {
        let due = from.i64()?;
        let mut values = [0.0; PROMISED.len()];
        for value in &mut values {
            *value = from.f64()?;
        }
        let is_possible = values.iter().all(|value| value.is_finite()) && values.is_sorted();
        check(is_possible, "a forecast that waits")?;
        Ok(Self { due, values })
    }
}

/// Judgements, faded by age.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Tally {
    judged: u32,
    /// The cell of the last judgement.
    last: i64,
    weight: f64,
    /// Absolute errors of the median.
    error: f64,
    inside80: f64,
    inside95: f64,
}

impl Tally {
    /// Lets what was judged before lose weight.
    fn fade(&mut self, now: i64, memory: f64) {
        let elapsed = now.saturating_sub(self.last).max(0) as f64;
        let left = (-elapsed / memory).exp();
        for sum in [
            &mut self.weight,
            &mut self.error,
            &mut self.inside80,
            &mut self.inside95,
        ] {
            *sum *= left;
        }
        self.last = now;
    }

    fn add(&mut self, promise: &Promise, value: f64) {
        let [low95, low80, median, high80, high95] = promise.values;
        let inside = |low: f64, high: f64| f64::from(u8::from((low..=high).contains(&value)));
        self.judged = self.judged.saturating_add(1);
        self.weight += 1.0;
        self.error = (self.error + (value - median).abs()).min(f64::MAX);
        self.inside80 += inside(low80, high80);
        self.inside95 += inside(low95, high95);
    }

    fn sums(self) -> [f64; 4] {
        [self.weight, self.error, self.inside80, self.inside95]
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, StateError> {
        let (judged, last) = (from.u32()?, from.i64()?);
        let [weight, error, inside80, inside95] =
            [from.f64()?, from.f64()?, from.f64()?, from.f64()?];
        let within = |sum: f64| (0.0..=weight).contains(&sum);
        let is_possible = weight.is_finite() && error.is_finite() && error >= 0.0;
        check(
            is_possible && within(inside80) && within(inside95) && (weight > 0.0) == (judged > 0),
            "a record of forecasts",
        )?;
        Ok(Self {
            judged,
            last,
            weight,
            error,
            inside80,
            inside95,
        })
    }
}

/// The mean absolute error of the naive forecast so many steps ahead on a history, NaN where there is none or it makes
/// no error.
fn naive_error(history: &History, ahead: u32) -> f64 {
    let day = history.step().count(DAY);
    let (values, n) = (history.values(), history.values().len());
    let lag = if day > 1 && n >= 2 * day {
        day
    } else {
        usize::try_from(ahead).unwrap_or(usize::MAX)
    };
    let error = mean(residuals(values, lag).map(f64::abs));
    let size = mean(values.iter().filter(|v| !v.is_nan()).map(|v| v.abs()));
    if error.is_finite() && error > MIN_SCALE * size {
        error
    } else {
        f64::NAN
    }
}

/// A naive error below this share of the values' size is rounding.
const MIN_SCALE: f64 = 1e-9;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bounds, ModelKind, Settings, fit, noise::Noise};
    use series::Timestamp;

    const HORIZONS: [Duration; 3] = [
        Duration::from_mins(5),
        Duration::from_hours(1),
        Duration::from_hours(24),
    ];

    fn step() -> Step {
        Step::new(Duration::from_mins(5)).unwrap()
    }

    fn sample(idx: i64, value: f64) -> Sample {
        Sample {
            at: Timestamp::from_seconds(300 * idx),
            value,
        }
    }

    /// A day of 288 steps, twenty times as large as its noise.
    fn values(seed: u64, n: usize) -> Vec<f64> {
        let mut noise = Noise::new(seed);
        let value = |idx: usize| {
            let day = (idx as f64 * std::f64::consts::TAU / 288.0).sin();
            20.0 * day + f64::from(noise.normal())
        };
        (0..n).map(value).collect()
    }

    fn samples(values: &[f64]) -> Vec<Sample> {
        (0..)
            .zip(values)
            .map(|(idx, value)| sample(idx, *value))
            .collect()
    }

    fn settings() -> Settings {
        Settings {
            model: ModelKind::Online,
            seasons: None,
            bounds: Bounds::UNLIMITED,
            max_horizon: HORIZONS[2],
        }
    }

    /// A model that has seen all but so many samples, and its record after those.
    fn after(n_live: usize, values: &[f64]) -> (Box<dyn Fitted>, TrackRecord) {
        let samples = samples(values);
        let (seen, live) = samples.split_at(samples.len() - n_live);
        let history = History::from_samples(seen, step()).unwrap();
        let mut model = fit(&history, &settings()).unwrap();
        let mut record = TrackRecord::new(&history, &HORIZONS);
        for sample in live {
            record.observe(&mut *model, *sample).unwrap();
        }
        (model, record)
    }

    #[test]
    fn noise_around_a_day_is_foreseen_as_well_as_it_can_be() {
        let seeds = 1..=20;
        let n_seeds = 20.0;
        let records = seeds.map(|seed| after(7 * 288, &values(seed, 21 * 288)).1);
        let records: Vec<_> = records.collect();
        for idx in 0..HORIZONS.len() {
            let mean = |get: fn(Standing) -> f64| {
                let of_record = |record: &TrackRecord| get(record.standing(idx).unwrap());
                records.iter().map(of_record).sum::<f64>() / n_seeds
            };
            // The naive forecast makes the noise twice over: its error is the root of two times as large.
            let mase = mean(|standing| standing.mase.unwrap());
            assert!((0.68..0.82).contains(&mase), "{idx}: {mase}");
            let coverage = [mean(|s| s.coverage80), mean(|s| s.coverage95)];
            // For a day ahead, two weeks hold few independent errors, and the bands begin on the careful side.
            assert!((coverage[0] - 0.8).abs() < 0.07, "{idx}: {coverage:?}");
            assert!((coverage[1] - 0.95).abs() < 0.05, "{idx}: {coverage:?}");
        }
    }

    #[test]
    fn nothing_is_said_before_enough_forecasts_came_due() {
        let (_, record) = after(40, &values(7, 7 * 288));
        assert_eq!(record.standing(0).unwrap().judged, 39);
        assert_eq!(record.standing(1).map(|standing| standing.judged), None);
        assert_eq!(record.standing(2), None);
    }

    #[test]
    fn a_shift_shows_in_the_record_and_fades_from_it() {
        let mut values = values(7, 12 * 288);
        for value in &mut values[8 * 288..] {
            *value += 60.0;
        }
        let standing = |days: usize| {
            let (_, record) = after((days - 7) * 288, &values[..days * 288]);
            record.standing(2).unwrap()
        };
        let (hit, later) = (standing(10), standing(12));
        assert!(hit.coverage80 < 0.7 && hit.mase.unwrap() > 2.0, "{hit:?}");
        assert!(later.mase.unwrap() < 0.8 * hit.mase.unwrap(), "{later:?}");
    }

    #[test]
    fn a_record_is_measured_by_the_history_of_the_model_that_serves() {
        let values = values(7, 9 * 288);
        let (_, record) = after(2 * 288, &values);
        let begun = |n: usize| {
            let history = History::from_samples(&samples(&values[..n]), step()).unwrap();
            TrackRecord::new(&history, &HORIZONS)
        };
        let (young, grown) = (begun(40), begun(7 * 288));
        let mase = |record: &TrackRecord| record.standing(1).unwrap().mase.unwrap();
        let before = record.clone().in_units_of(&young);
        assert!(
            (mase(&before) - mase(&record)).abs() > 0.05,
            "{}",
            mase(&before)
        );
        let after = before.in_units_of(&grown);
        assert!((mase(&after) - mase(&record)).abs() < 1e-12);
    }

    #[test]
    fn gaps_are_not_judged() {
        let mut values = values(7, 9 * 288);
        for value in &mut values[7 * 288..9 * 288 - 20] {
            *value = f64::NAN;
        }
        let (_, record) = after(2 * 288, &values);
        let judged = |idx: usize| record.standing(idx).map(|standing| standing.judged);
        assert_eq!([judged(0), judged(2)], [Some(20), None]);
    }

    #[test]
    fn a_record_goes_on_from_its_bytes_as_if_nothing_had_happened() {
        let values = values(7, 9 * 288);
        let (mut model, mut record) = after(2 * 288, &values);
        let mut again = TrackRecord::from_bytes(&record.to_bytes(), &HORIZONS, step()).unwrap();
        assert_eq!(again, record);
        let mut twin = crate::restore(&model.save().unwrap(), &settings(), step()).unwrap();
        for idx in 0..400 {
            let next = sample(9 * 288 + idx, 3.0);
            record.observe(&mut *model, next).unwrap();
            again.observe(&mut *twin, next).unwrap();
        }
        assert_eq!(again, record);
    }

    #[test]
    fn bytes_of_other_horizons_or_nonsense_are_refused() {
        let (_, record) = after(10, &values(7, 7 * 288));
        let bytes = record.to_bytes();
        let got = TrackRecord::from_bytes(&bytes, &HORIZONS[..2], step());
        assert_eq!(got, Err(StateError::OtherSettings));
        let got = TrackRecord::from_bytes(&bytes[..bytes.len() - 1], &HORIZONS, step());
        assert_eq!(got, Err(StateError::Damaged));
        let got = TrackRecord::from_bytes(b"png", &HORIZONS, step());
        assert_eq!(got, Err(StateError::Foreign));
    }

    #[test]
    fn a_series_that_never_changes_has_coverage_and_no_scale() {
        let (_, record) = after(100, &vec![5.0; 7 * 288]);
        let standing = record.standing(0).unwrap();
        assert_eq!(standing.mase, None);
        assert!((standing.coverage95 - 1.0).abs() < 1e-9, "{standing:?}");
    }

    #[test]
    fn a_series_without_noise_stays_within_its_bands() {
        let wave = |idx: usize| (idx as f64 * std::f64::consts::TAU / 288.0).sin();
        let values: Vec<f64> = (0..16 * 288).map(|idx| 1e4 + 20.0 * wave(idx)).collect();
        let (_, record) = after(288, &values);
        for idx in 0..2 {
            let standing = record.standing(idx).unwrap();
            assert!(standing.coverage80 > 0.7, "{idx}: {standing:?}");
        }
    }

    #[test]
    fn the_ends_of_the_number_range_break_nothing() {
        let mut values = values(7, 8 * 288);
        for (idx, value) in values.iter_mut().enumerate() {
            *value = if idx % 2 == 0 { f64::MAX } else { f64::MIN };
        }
        let (_, record) = after(288, &values);
        let standing = record.standing(1).unwrap();
        assert!(standing.mase.is_none_or(f64::is_finite), "{standing:?}");
        assert!((0.0..=1.0).contains(&standing.coverage80), "{standing:?}");
    }
}
