//! How fast each part of the model learns and forgets, and what a search tries.

/// The rates of one model, per step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Parameters {
    /// How much of a deviation the level takes.
    pub(crate) level: f32,
    /// How much of a deviation the shortest season's cell takes.
    pub(crate) season: f32,
    /// How much of a deviation the longer seasons' cells take.
    pub(crate) correction: f32,
    /// The share of the longer seasons that is believed at the start.
    pub(crate) kept: f32,
    /// The share of the shortest season's profile that is believed.
    pub(crate) believed: f32,
    /// How much of a deviation is left a step later.
    pub(crate) memory: f32,
    /// How much of the last deviation is more than passing noise.
    pub(crate) gain: f32,
    /// How much of a level change becomes slope.
    pub(crate) slope: f32,
    /// How much of a cell's change its neighbours share.
    pub(crate) spread: f32,
    /// Evidence of a shift, in usual sizes, that moves the level.
    pub(crate) shift: f32,
}

impl Parameters {
    /// Where every search starts: what served well for five-minute operational series, at another step in
    /// proportion.
    pub(crate) fn start(pace: f32) -> Self {
        Self {
            level: rate(0.01, pace),
            season: 0.15,
            correction: 0.1,
            kept: 0.0,
            believed: 1.0,
            memory: 0.9_f32.powf(pace),
            gain: 1.0,
            slope: 0.0,
            spread: 0.0,
            shift: 60.0,
        }
    }
}

/// A rate per five minutes as one per step.
fn rate(five_minutes: f32, pace: f32) -> f32 {
    1.0 - (1.0 - five_minutes).powf(pace)
}

/// What is varied, one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coordinate {
    Level,
    Memory,
    Gain,
    Season,
    Kept,
    Believed,
    Spread,
    Slope,
    Shift,
}

impl Coordinate {
    /// In the order of what they are worth.
    pub(crate) const ALL: [Self; 9] = [
        Self::Level,
        Self::Memory,
        Self::Season,
        Self::Kept,
        Self::Believed,
        Self::Gain,
        Self::Shift,
        Self::Slope,
        Self::Spread,
    ];

    /// Four variants of the parameters in a first, wide round.
    pub(crate) fn wide(self, of: Parameters, pace: f32) -> [Parameters; 4] {
        let values = match self {
            Self::Level => [0.001, 0.004, 0.04, 0.15].map(|v| rate(v, pace)),
            Self::Memory => [0.6_f32, 0.8, 0.96, 0.99].map(|v| v.powf(pace)),
            Self::Gain => [0.15, 0.3, 0.5, 0.75],
            Self::Season => [0.0, 0.03, 0.07, 0.3],
            Self::Kept => [0.2, 0.4, 0.7, 1.0],
            Self::Believed => [0.0, 0.3, 0.6, 0.8],
            Self::Spread => [0.15, 0.3, 0.5, 0.8],
            Self::Shift => [15.0, 30.0, 120.0, 240.0],
            Self::Slope => [0.0005, 0.002, 0.01, 0.04],
        };
        values.map(|value| self.with(of, value))
    }

    /// Four variants near the best so far; `None` where the first round has tried what there is.
    pub(crate) fn near(self, of: Parameters, pace: f32) -> Option<[Parameters; 4]> {
        let scaled = |v: f32| [0.35, 0.6, 1.6, 2.8].map(|factor| (v * factor).min(1.0));
        let values = match self {
            Self::Level => scaled(of.level).map(|v| v.min(0.6)),
            Self::Memory => scaled(1.0 - of.memory).map(|v| 1.0 - v),
            Self::Season => scaled(of.season.max(0.01)).map(|v| v.min(0.6)),
            Self::Gain | Self::Kept | Self::Believed | Self::Shift => {
                return Some(self.wide(of, pace));
            }
            Self::Spread | Self::Slope => return None,
        };
        Some(values.map(|value| self.with(of, value)))
    }

    /// Whether its best value hardly depends on the other parameters, so that one look at it is enough.
    pub(crate) fn stands_alone(self) -> bool {
        matches!(self, Self::Kept | Self::Shift)
    }

    fn with(self, of: Parameters, value: f32) -> Parameters {
        let mut with = of;
        *match self {
            Self::Level => &mut with.level,
            Self::Memory => &mut with.memory,
            Self::Gain => &mut with.gain,
            Self::Season => &mut with.season,
            Self::Kept => &mut with.kept,
            Self::Believed => &mut with.believed,
            Self::Spread => &mut with.spread,
            Self::Slope => &mut with.slope,
            Self::Shift => &mut with.shift,
        } = value;
        with
    }
}
