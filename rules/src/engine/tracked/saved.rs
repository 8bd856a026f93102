//! One series as bytes and back: what its model has learned, and what is known beside it.

use super::{Seen, Tracked, Unfit, horizons};
use crate::{
    ForecastRule,
    bytes::{Taker, put},
};
use forecast::{StateError, TrackRecord, restore};
use series::{Labels, Timestamp};

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
pub(in crate::engine) fn encode(labels: &Labels, tracked: &Tracked) -> Vec<u8> {
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
    to
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
