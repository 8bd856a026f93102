//! One series as bytes and back: what its model has learned, and what is known beside it.

use super::{super::vintage::levels_of, KEPT, Seen, Tracked, Unfit, Vintage, horizons};
use crate::{
    ForecastRule,
    bytes::{Taker, put},
};
use forecast::{StateError, TrackRecord, restore};
use series::{Labels, Timestamp};
use std::sync::Arc;

/// Why bytes are no series, although their checksum is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct Unsound;

/// What a series' model was, besides its bytes.
mod had_model {
    /// It had none.
    pub(super) const NO: u8 = 0;
    /// One that is not saved: it is fitted anew.
    pub(super) const UNSAVED: u8 = 1;
    /// One whose bytes follow.
    pub(super) const SAVED: u8 = 2;
}

/// Why there is no model, or none newer.
mod unfit {
    pub(super) const NO: u8 = 0;
    pub(super) const TOO_YOUNG: u8 = 1;
    pub(super) const FAILED: u8 = 2;
}

/// Writes a series.
pub(in crate::engine) fn encode(
    labels: &Labels,
    tracked: &Tracked,
    rule: &ForecastRule,
) -> Vec<u8> {
    let mut to = Vec::new();
    to.extend((labels.len() as u64).to_le_bytes());
    for (name, value) in labels.iter() {
        put(&mut to, name.as_bytes());
        put(&mut to, value.as_bytes());
    }
    put_seen(&mut to, tracked.seen);
    to.extend((tracked.fit_at as u64).to_le_bytes());
    match &tracked.unfit {
        None => to.push(unfit::NO),
        Some(Unfit::TooYoung(need)) => {
            to.push(unfit::TOO_YOUNG);
            to.extend((*need as u64).to_le_bytes());
        }
        Some(Unfit::Failed(why)) => {
            to.push(unfit::FAILED);
            put(&mut to, why.as_bytes());
        }
    }
    match tracked.model.as_ref().map(|model| model.save()) {
        None => to.push(had_model::NO),
        Some(None) => to.push(had_model::UNSAVED),
        Some(Some(model)) => {
            to.push(had_model::SAVED);
            put(&mut to, &model);
        }
    }
    // No record is as long as nothing.
    let record = tracked.record.as_ref().map(TrackRecord::to_bytes);
    put(&mut to, &record.unwrap_or_default());
    put_vintages(&mut to, tracked, rule);
    to
}

/// Writes the curves that were issued, and the levels that they were issued for: a rule may be given others.
fn put_vintages(to: &mut Vec<u8>, tracked: &Tracked, rule: &ForecastRule) {
    let mut vintages = Vec::new();
    for level in &rule.quantiles {
        vintages.extend(level.level().to_le_bytes());
    }
    let n_bytes = vintages.len();
    let of_rule = |vintage: &&Arc<Vintage>| vintage.levels() == levels_of(rule);
    for vintage in tracked.vintages.iter().filter(of_rule) {
        vintage.put(&mut vintages);
    }
    put(to, &vintages[..n_bytes]);
    put(to, &vintages[n_bytes..]);
}

/// Reads what was written so; curves for other levels are left behind.
fn vintages(from: &mut Taker, rule: &ForecastRule) -> Option<Vec<Arc<Vintage>>> {
    let (mut levels, mut issued) = (Taker(from.bytes()?), Taker(from.bytes()?));
    let mut same = rule.quantiles.iter();
    let is_same = same.all(|level| levels.f64().map(f64::to_bits) == Some(level.level().to_bits()));
    let mut vintages = Vec::new();
    while is_same && levels.is_empty() && !issued.is_empty() {
        let vintage = Vintage::take(&mut issued, rule)?;
        vintages.push(Arc::new(vintage));
    }
    let in_order = vintages.is_sorted_by_key(|vintage| vintage.at());
    (in_order && vintages.len() <= KEPT).then_some(vintages)
}

/// Reads a series. Where its model or its record cannot be gone on with, it is due for a fit, and the reason is given
/// beside it.
pub(in crate::engine) fn decode(
    bytes: &[u8],
    rule: &ForecastRule,
) -> Result<(Labels, Tracked, Option<StateError>), Unsound> {
    let mut from = Taker(bytes);
    let labels = labels(&mut from).ok_or(Unsound)?;
    let (mut tracked, model, record) = parts(&mut from).ok_or(Unsound)?;
    // The first version of the format knew no curves.
    if !from.is_empty() {
        tracked.vintages = vintages(&mut from, rule).ok_or(Unsound)?;
    }
    if !from.is_empty() {
        return Err(Unsound);
    }
    let mut error = None;
    match model {
        Model::None => {}
        Model::Unsaved => tracked.fit_at = 0,
        Model::Saved(bytes) => match restore(bytes, &rule.settings, rule.step) {
            Ok(model) if model.origin() > tracked.seen.last => return Err(Unsound),
            Ok(model) => tracked.model = Some(model),
            Err(why) => error = Some(why),
        },
    }
    if !record.is_empty() {
        match TrackRecord::from_bytes(record, &horizons(rule), rule.step) {
            Ok(record) => tracked.record = Some(record),
            Err(why) => error = error.or(Some(why)),
        }
    }
    if error.is_some() {
        // A model and its record come from one fit.
        (tracked.model, tracked.fit_at) = (None, 0);
    }
    Ok((labels, tracked, error))
}

enum Model<'a> {
    None,
    Unsaved,
    Saved(&'a [u8]),
}

/// The series without model and record, and the bytes of these.
fn parts<'a>(from: &mut Taker<'a>) -> Option<(Tracked, Model<'a>, &'a [u8])> {
    let seen = seen(from)?;
    let fit_at = from.count()?;
    let unfit = match from.u8()? {
        unfit::NO => None,
        unfit::TOO_YOUNG => Some(Unfit::TooYoung(from.count()?)),
        unfit::FAILED => Some(Unfit::Failed(from.text()?.to_owned())),
        _ => return None,
    };
    let model = match from.u8()? {
        had_model::NO => Model::None,
        had_model::UNSAVED => Model::Unsaved,
        had_model::SAVED => Model::Saved(from.bytes()?),
        _ => return None,
    };
    let tracked = Tracked {
        model: None,
        record: None,
        unfit,
        seen,
        fit_at,
        vintages: Vec::new(),
        absent_since: None,
    };
    Some((tracked, model, from.bytes()?))
}

/// No series has had more samples than one each millisecond of thirty years.
const MAX_SEEN: usize = 1 << 40;

fn labels(from: &mut Taker) -> Option<Labels> {
    let n_labels = from.count()?;
    let mut pairs = Vec::new();
    for _ in 0..n_labels {
        pairs.push((from.text()?, from.text()?));
    }
    Labels::new(pairs).ok()
}

fn put_seen(to: &mut Vec<u8>, seen: Seen) {
    let Seen {
        first,
        last,
        current,
        n_finite,
    } = seen;
    to.extend(first.as_millis().to_le_bytes());
    to.extend(last.as_millis().to_le_bytes());
    to.extend(current.to_le_bytes());
    to.extend((n_finite as u64).to_le_bytes());
}

fn seen(from: &mut Taker) -> Option<Seen> {
    let mut time = || from.i64().map(Timestamp::from_millis);
    let (first, last) = (time()?, time()?);
    let (current, n_finite) = (from.f64()?, from.count()?);
    let is_possible = first <= last && !current.is_infinite() && n_finite <= MAX_SEEN;
    is_possible.then_some(Seen {
        first,
        last,
        current,
        n_finite,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RuleKind, parse};
    use series::Sample;

    #[test]
    fn a_series_of_the_first_version_has_no_curves_and_is_read() {
        let text = "groups: [{name: g, rules: [{forecast: a, expr: up, quantiles: [0.5]}]}]";
        let groups = parse("r.yml", text).unwrap();
        let RuleKind::Forecast(rule) = &groups[0].rules[0].kind else {
            panic!("a recording");
        };
        let sample = |n: i64| Sample {
            at: Timestamp::from_seconds(60 * n),
            value: (n * n % 17) as f64,
        };
        let samples: Vec<_> = (0..100).map(sample).collect();
        let mut tracked = Tracked::fit(&samples, Seen::of(&samples, samples[0]), rule);
        tracked.keep(tracked.issue(sample(99).at, rule).unwrap());
        let labels = Labels::new([("a", "1")]).unwrap();

        let second = encode(&labels, &tracked, rule);
        let (_, read, _) = decode(&second, rule).unwrap();
        assert_eq!(read.vintages, tracked.vintages);
        tracked.vintages.clear();
        // The length of the one level, the level, and the length of no curve.
        let first = encode(&labels, &tracked, rule);
        let (known, read, error) = decode(&first[..first.len() - 24], rule).unwrap();
        assert_eq!((known, read.vintages.len(), error), (labels, 0, None));
        assert!(read.model().is_some());
    }
}
