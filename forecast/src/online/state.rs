//! The state of an online model as bytes, to go on with after a restart.

use super::{
    Online,
    anomaly::Anomaly,
    atom::Atom,
    bands::Bands,
    engine::Engine,
    knots::{Pending, Promise, knots},
    lanes::Lanes,
    profile::Profile,
    recent::Recent,
    smoother::{N_RATES, Rates, Shift, Smoother},
};
use crate::{
    Settings,
    bytes::{Reader, StateError, Writer, check},
    fence::Fence,
    scale::Scale,
};
use series::Step;

impl Online {
    /// The whole state: some kilobytes, with a version and a checksum.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut to = Writer::new();
        to.u32(self.made_for);
        to.i64(self.cell);
        for limit in self.fence.limits() {
            to.f64(limit);
        }
        self.scale.write(&mut to);
        to.u8(u8::from(self.atom.is_some()));
        if let Some(atom) = self.atom {
            to.f64(atom.value);
            to.f64(atom.room);
        }
        write_engine(&self.engine, &mut to);
        to.seal()
    }

    /// Takes up a state that was made with the same settings and step.
    pub fn from_bytes(bytes: &[u8], settings: &Settings, step: Step) -> Result<Self, StateError> {
        let mut from = Reader::open(bytes)?;
        let made_for = fingerprint(settings, step);
        if from.u32()? != made_for {
            return Err(StateError::OtherSettings);
        }
        let cell = from.i64()?;
        let fence = Fence::within([from.f64()?, from.f64()?])
            .ok_or(StateError::Impossible("the range of the values"))?;
        let scale = Scale::read(&mut from)?;
        let atom = match from.u8()? {
            0 => None,
            _ => Some(read_atom(&mut from)?),
        };
        let engine = read_engine(&mut from, settings.reach(step))?;
        from.end()?;
        Ok(Self {
            made_for,
            step,
            cell,
            bounds: settings.bounds,
            fence,
            scale,
            atom,
            engine,
        })
    }
}

/// A number that tells settings and steps apart, as far as the model depends on them. Bounds are applied to what is
/// foreseen, and may change.
pub(super) fn fingerprint(settings: &Settings, step: Step) -> u32 {
    let seasons = settings.seasons.as_deref();
    let seasons = seasons.map(|all| {
        all.iter()
            .map(std::time::Duration::as_millis)
            .collect::<Vec<_>>()
    });
    let text = format!(
        "{} {} {seasons:?}",
        step.get().as_millis(),
        settings.reach(step)
    );
    crc32c::crc32c(text.as_bytes())
}

fn read_atom(from: &mut Reader<'_>) -> Result<Atom, StateError> {
    let (value, room) = (from.f64()?, from.f64()?);
    check(
        value.is_finite() && room > 0.0,
        "the value that is often seen",
    )?;
    Ok(Atom { value, room })
}

fn write_engine(engine: &Engine, to: &mut Writer) {
    write_smoother(&engine.smoother, to);
    let (now, places) = engine.pending.state();
    to.u32(now);
    for Promise { value, unit } in places {
        to.f32(*value);
        to.f32(*unit);
    }
    for offset in engine.bands.offsets.iter().flatten() {
        to.f32(*offset);
    }
    to.u32(engine.recent.pushed);
    for value in engine.recent.values.iter() {
        to.f32(*value);
    }
    to.f32(engine.anomaly.score);
    to.u8(u8::from(engine.anomaly.is_shift));
}

fn read_engine(from: &mut Reader<'_>, reach: usize) -> Result<Engine, StateError> {
    let smoother = read_smoother(from, reach)?;
    let knots = knots(reach);
    let n_knots = knots.len();
    let mut pending = Pending::new(knots, smoother.rates.memory.0[0]);
    let now = from.u32()?;
    pending.restore(now, || {
        let (value, unit) = (from.f32()?, from.finite()?);
        check(!value.is_infinite() && unit > 0.0, "a forecast that waits")?;
        Ok(Promise { value, unit })
    })?;
    let mut offsets = vec![];
    for _ in 0..n_knots {
        let mut of_knot = [0.0; crate::Distribution::LEVELS.len()];
        for offset in &mut of_knot {
            *offset = from.finite()?;
        }
        check(of_knot.is_sorted(), "quantiles that cross")?;
        offsets.push(of_knot);
    }
    let mut recent = Recent {
        pushed: from.u32()?,
        ..Recent::default()
    };
    for value in recent.values.iter_mut() {
        *value = from.finite()?;
    }
    let anomaly = Anomaly {
        score: from.finite()?,
        is_shift: from.u8()? != 0,
    };
    Ok(Engine {
        smoother,
        pending,
        bands: Bands {
            offsets: offsets.into(),
        },
        recent,
        anomaly,
    })
}

fn write_smoother(smoother: &Smoother<1>, to: &mut Writer) {
    for Lanes([number]) in smoother.rates.all().into_iter().chain(smoother.numbers()) {
        to.f32(number);
    }
    to.f32(smoother.slack);
    to.u8(u8::try_from(smoother.seasons.len()).unwrap_or(u8::MAX));
    for season in &smoother.seasons {
        for steps in season.shape() {
            to.u32(steps);
        }
        for Lanes([cell]) in season.cells() {
            to.f32(*cell);
        }
    }
}

fn read_smoother(from: &mut Reader<'_>, reach: usize) -> Result<Smoother<1>, StateError> {
    let mut next = || from.finite().map(|number| Lanes([number]));
    let mut rates = [Lanes::ZERO; N_RATES];
    for rate in &mut rates {
        *rate = next()?;
        // A shift's evidence is the one that is no share.
        check(rate.0[0] >= 0.0, "a negative rate")?;
    }
    let rates = Rates::from(rates);
    check(rates.are_shares(), "a rate above one")?;
    let [level, slope, deviation] = [next()?, next()?, next()?];
    let [size, surprise] = [next()?, next()?];
    check(
        size.0[0] > 0.0 && surprise.0[0] > 0.0,
        "a size that is not positive",
    )?;
    let shift = Shift {
        sum: next()?,
        total: next()?,
        n: next()?,
        wild: next()?,
    };
    let slack = from.finite()?;
    check(slack >= 1.0, "a gap of less than nothing")?;
    let n_seasons = from.u8()?;
    let seasons = (0..n_seasons).map(|_| read_profile(from));
    Ok(Smoother {
        rates,
        level,
        slope,
        deviation,
        size,
        surprise,
        shift,
        seasons: seasons.collect::<Result<_, _>>()?,
        slack,
        patience: Smoother::<1>::patience_for(reach),
    })
}

fn read_profile(from: &mut Reader<'_>) -> Result<Profile<1>, StateError> {
    let [length, grain, phase] = [from.u32()?, from.u32()?, from.u32()?];
    let is_shape = grain > 0 && length >= 2 && phase < length;
    check(is_shape, "a season's shape")?;
    let n_cells = length.div_ceil(grain) as usize;
    check(n_cells <= from.left(), "a season longer than the rest")?;
    let cells = (0..n_cells).map(|_| from.finite().map(|cell| Lanes([cell])));
    Ok(Profile::new(
        length,
        grain,
        phase,
        cells.collect::<Result<_, _>>()?,
    ))
}
