//! Going on with models that were saved: what can be trusted is taken up, and what cannot is refused with a sentence.

use super::{
    Engine, State,
    models::Models,
    tracked::{self, Tracked},
};
use crate::{
    ForecastRule, RuleKind, Source,
    bytes::Taker,
    frames::{FrameError, Frames, Kind, VERSION},
    identity,
};
use forecast::StateError;
use series::{Labels, PromDuration, Timestamp};
use std::{
    collections::BTreeMap,
    io::{self, Read},
    sync::Arc,
    time::Duration,
};

/// A forecast rule that may go on from its file, before its first evaluation.
pub struct Restoring {
    state: Arc<State>,
    rule: ForecastRule,
}

/// What came of a file.
#[derive(Debug, Default)]
pub struct Restored {
    /// Series whose models go on.
    pub series: usize,
    /// What was refused, and why; empty when the file was whole.
    pub refused: Vec<Refused>,
}

/// Why saved models, or some of them, are not gone on with. Each of these reads as the end of a sentence about a file.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The file is there, but cannot be read.
    #[error("it cannot be read")]
    Unreadable(#[source] io::Error),
    /// Something else altogether.
    #[error("it is not a file of saved models")]
    Foreign,
    /// Written by another version of the program.
    #[error("it has format version {got}, this program reads version {want}")]
    Version {
        /// The version found.
        got: u16,
        /// The version that is understood.
        want: u16,
    },
    /// The rule was rewritten, or the file belongs to another.
    #[error("it was saved for another rule, or for this one when it was written otherwise")]
    OtherRule,
    /// Nothing in it reaches into what would be read anew.
    #[error("it ends {0} ago, and the rule has no more history than that")]
    TooOld(PromDuration),
    /// The file is cut short, or nobody can tell where its next series begins.
    #[error("it is cut short or damaged after {0} series")]
    Broken(usize),
    /// The checksums of some series do not match, or what they cover cannot be.
    #[error("{0} of its series are damaged")]
    Damaged(usize),
    /// Models that cannot be gone on with.
    #[error(
        "{n} of its series have a model that cannot be gone on with, the first because {first}"
    )]
    Models {
        /// How many.
        n: usize,
        /// Why the first of them cannot.
        first: StateError,
    },
}

impl Refused {
    /// The kinds of refusal, a closed list that metric labels may be made of.
    pub const REASONS: [&'static str; 7] = [
        "unreadable",
        "foreign",
        "version",
        "other_rule",
        "outdated",
        "damaged",
        "model",
    ];

    /// The value of a metric label, one of [`Refused::REASONS`].
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::Foreign => "foreign",
            Self::Version { .. } => "version",
            Self::OtherRule => "other_rule",
            Self::TooOld(_) => "outdated",
            Self::Broken(_) | Self::Damaged(_) => "damaged",
            Self::Models { .. } => "model",
        }
    }
}

impl<S: Source> Engine<S> {
    /// One for each forecast rule.
    pub fn restorings(&self) -> Vec<Restoring> {
        let restoring = |state: &Arc<State>| match &state.kind {
            RuleKind::Forecast(rule) => Some(Restoring {
                state: Arc::clone(state),
                rule: rule.clone(),
            }),
            RuleKind::Record(_) => None,
        };
        self.states().filter_map(restoring).collect()
    }
}

impl Restoring {
    /// The name of the rule's file, the same at each start.
    pub fn file_name(&self) -> String {
        identity::file_name(&self.rule)
    }

    /// The rule's name.
    pub fn rule_name(&self) -> &str {
        &self.rule.name
    }

    /// Takes up what a file holds, as far as it can be trusted; the rule reads the rest anew. A rule that was
    /// evaluated already keeps what it has.
    pub fn read(&self, from: impl Read, now: Timestamp) -> Restored {
        let mut loaded = Loaded::default();
        let upto = match self.load(from, now, &mut loaded) {
            Ok(upto) => upto,
            Err(refused) => {
                let refused = vec![refused];
                return Restored { series: 0, refused };
            }
        };
        let mut refused: Vec<_> = loaded.broken.into_iter().collect();
        if loaded.n_damaged > 0 {
            refused.push(Refused::Damaged(loaded.n_damaged));
        }
        if let Some(first) = loaded.first_misfit {
            let n = loaded.n_misfits;
            refused.push(Refused::Models { n, first });
        }
        let all = loaded.series.values();
        let series = all.filter(|tracked| tracked.model().is_some()).count();
        if !loaded.series.is_empty() {
            let go_on = |models: &mut Models| models.go_on(upto, loaded.series);
            self.state.with_models_mut(go_on);
        }
        Restored { series, refused }
    }

    /// Reads all that can be read; returns the time up to which the models have seen samples.
    fn load(&self, from: impl Read, now: Timestamp, to: &mut Loaded) -> Result<Timestamp, Refused> {
        let mut frames = Frames::open(from).map_err(|error| refusal(error, 0))?;
        let head = match frames.next() {
            Ok((Kind::Head, head)) => head,
            Ok(_) | Err(FrameError::Content(_)) => return Err(Refused::Broken(0)),
            Err(error) => return Err(refusal(error, 0)),
        };
        let upto = self.check_head(&head, now)?;
        to.broken = to.take_all(&mut frames, &self.rule).err();
        Ok(upto)
    }

    fn check_head(&self, head: &[u8], now: Timestamp) -> Result<Timestamp, Refused> {
        let external = self.state.labelling.external_labels();
        let (fingerprint, upto) = parse_head(head).ok_or(Refused::Broken(0))?;
        if fingerprint != identity::fingerprint(&self.rule, external) {
            return Err(Refused::OtherRule);
        }
        if now.since(upto) >= self.rule.history {
            return Err(Refused::TooOld(whole_seconds(now.since(upto))));
        }
        // A time in the future tells of a clock that was ahead, or is behind now. What comes of it is seen at the first
        // evaluation, when the clock may be right.
        Ok(upto)
    }
}

/// What a file was found to hold.
#[derive(Default)]
struct Loaded {
    series: BTreeMap<Labels, Tracked>,
    /// Series that were read, misfits included.
    n_whole: usize,
    n_damaged: usize,
    /// Series that are known, and have to be fitted anew.
    n_misfits: usize,
    first_misfit: Option<StateError>,
    broken: Option<Refused>,
}

impl Loaded {
    /// Takes series up to the end of the file, or to where it breaks off.
    fn take_all(
        &mut self,
        frames: &mut Frames<impl Read>,
        rule: &ForecastRule,
    ) -> Result<(), Refused> {
        loop {
            match frames.next() {
                Ok((Kind::Series, content)) => self.take(&content, rule),
                Err(FrameError::Content(Kind::Series)) => self.n_damaged += 1,
                Ok((Kind::End, count)) if self.is_all(&count) => {
                    return match frames.is_at_end() {
                        Ok(true) => Ok(()),
                        _ => Err(Refused::Broken(self.n_whole)),
                    };
                }
                Ok(_) => return Err(Refused::Broken(self.n_whole)),
                Err(error) => return Err(refusal(error, self.n_whole)),
            }
        }
    }

    fn take(&mut self, content: &[u8], rule: &ForecastRule) {
        let Ok((labels, tracked, misfit)) = tracked::decode(content, rule) else {
            self.n_damaged += 1;
            return;
        };
        if self.series.insert(labels, tracked).is_some() {
            self.n_damaged += 1;
            return;
        }
        self.n_whole += 1;
        self.n_misfits += usize::from(misfit.is_some());
        self.first_misfit = self.first_misfit.or(misfit);
    }

    fn is_all(&self, count: &[u8]) -> bool {
        let n_read = self.n_whole + self.n_damaged;
        Taker(count).count() == Some(n_read) && count.len() == size_of::<u64>()
    }
}

/// The fingerprint, and the time up to which samples were taken.
fn parse_head(head: &[u8]) -> Option<(u64, Timestamp)> {
    let mut from = Taker(head);
    let fingerprint = from.u64()?;
    // When and under which name it was saved is for people who look into the file.
    let _saved_at = from.i64()?;
    let upto = Timestamp::from_millis(from.i64()?);
    let _name = from.text()?;
    from.is_empty().then_some((fingerprint, upto))
}

fn refusal(error: FrameError, n_whole: usize) -> Refused {
    match error {
        FrameError::Unreadable(error) => Refused::Unreadable(error),
        FrameError::Foreign => Refused::Foreign,
        FrameError::Version(got) => Refused::Version { got, want: VERSION },
        FrameError::Lost | FrameError::Content(_) => Refused::Broken(n_whole),
    }
}

/// As people read it.
fn whole_seconds(length: Duration) -> PromDuration {
    PromDuration::new(Duration::from_secs(length.as_secs()))
}
