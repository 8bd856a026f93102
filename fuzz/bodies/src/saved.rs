//! Files of saved models that were damaged, or made by somebody who means harm.

use crate::input::Input;
use prometheus_api::{Answer, QueryError};
use rules::{Engine, Group, Options, Source};
use series::{
    Labels, MatchOp, Matcher, Sample, Selector, Series, Step, Timestamp, is_stale_marker,
};
use std::sync::LazyLock;
use tokio::runtime::{Builder, Runtime};

/// A file of saved models is refused, or gone on with as far as it can be trusted: what is served then is finite, and
/// can be saved again.
pub fn saved_state(bytes: &[u8]) {
    let _ = engine().restorings()[0].read(bytes, NOW);
    let engine = engine();
    let _ = engine.restorings()[0].read(&changed(bytes)[..], NOW);
    check(&engine);
    RUNTIME.block_on(engine.evaluate(0, NOW));
    check(&engine);
    for saving in engine.savings(NOW) {
        let _ = saving.flatten().count();
    }
}

fn check(engine: &Engine<Wave>) {
    for predicted in engine.predictions(NOW) {
        assert!(predicted.value.is_finite(), "{predicted:?}");
    }
    let any = Matcher::new(MatchOp::Regex, "origin", ".*").expect("it compiles");
    let (start, end) = (i64::MIN, i64::MAX);
    let [start, end] = [start, end].map(Timestamp::from_millis);
    let curves = engine.curves(&Selector::new([any]), start, end, NOW);
    for sample in curves.iter().flatten().flat_map(|curve| &curve.samples) {
        let value = sample.value;
        assert!(value.is_finite() || is_stale_marker(value), "{sample:?}");
    }
}

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_040);

const RULES: &str = "
groups:
- name: g
  rules:
  - {forecast: a, expr: load, step: 1m, history: 2h, horizons: [5m], seasons: [10m], quantiles: [0.1, 0.9]}
";

/// Two series that go up and down.
struct Wave;

impl Wave {
    fn sample(at: Timestamp, series: i64) -> Sample {
        let minute = at.as_millis() / 60_000;
        let value = (minute % 10 + minute * 7_919 % 13 * series) as f64;
        Sample { at, value }
    }

    fn labels(series: i64) -> Labels {
        Labels::new([("app", series.to_string())]).expect("a label")
    }
}

const SERIES: [i64; 2] = [1, 2];

fn whole<T>(value: T) -> Answer<T> {
    Answer::new(value, Vec::new(), Vec::new())
}

impl Source for Wave {
    async fn instant(
        &self,
        _: &str,
        at: Timestamp,
    ) -> Result<Answer<Vec<(Labels, Sample)>>, QueryError> {
        let value = SERIES.map(|series| (Self::labels(series), Self::sample(at, series)));
        Ok(whole(value.into()))
    }

    async fn range(
        &self,
        _: &str,
        start: Timestamp,
        end: Timestamp,
        step: Step,
    ) -> Result<Answer<Vec<Series>>, QueryError> {
        let times = std::iter::successors(Some(start), |at| Some(*at + step.get()));
        let times: Vec<_> = times.take_while(|at| *at <= end).collect();
        let value = SERIES.map(|series| Series {
            labels: Self::labels(series),
            samples: times.iter().map(|at| Self::sample(*at, series)).collect(),
        });
        Ok(whole(value.into()))
    }
}

static GROUPS: LazyLock<Vec<Group>> =
    LazyLock::new(|| rules::parse("rules.yml", RULES).expect("the rules are right"));

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_time().build();
    runtime.expect("a thread can wait for others")
});

fn engine() -> Engine<Wave> {
    Engine::new(Wave, GROUPS.clone(), Options::default(), None)
}

/// The bytes before the first frame, and the contents of the frames with their kinds.
struct File {
    beginning: Vec<u8>,
    frames: Vec<(u8, Vec<u8>)>,
}

/// Kind, length, checksum of the content, and the checksum of these.
const LEAD: usize = 1 + 8 + 4 + 4;
const BEGINNING: usize = 8 + 2;

static FILE: LazyLock<File> = LazyLock::new(|| {
    let engine = engine();
    RUNTIME.block_on(engine.evaluate(0, NOW));
    let bytes: Vec<u8> = engine.savings(NOW).remove(0).flatten().collect();
    let (beginning, mut rest) = bytes.split_at(BEGINNING);
    let mut frames = Vec::new();
    while let Some((lead, after)) = rest.split_at_checked(LEAD) {
        let length = lead[1..9].try_into().expect("eight bytes");
        let length = usize::try_from(u64::from_le_bytes(length)).expect("it was just written");
        let (content, after) = after.split_at(length);
        frames.push((lead[0], content.to_vec()));
        rest = after;
    }
    let beginning = beginning.to_vec();
    File { beginning, frames }
});

/// The saved models with other bytes at some places, frames left out or doubled, and checksums that fit.
fn changed(bytes: &[u8]) -> Vec<u8> {
    let mut input = Input::new(bytes);
    let mut frames = FILE.frames.clone();
    while !input.is_empty() {
        let frame = usize::from(input.u8()) % frames.len();
        let with = match input.u8() % 8 {
            0 => {
                frames[frame].1.truncate(usize::from(input.u16()));
                continue;
            }
            1 => {
                let twin = frames[frame].clone();
                frames.insert(usize::from(input.u8()) % frames.len(), twin);
                continue;
            }
            2 if frames.len() > 1 => {
                frames.remove(frame);
                continue;
            }
            3 => vec![input.u8()],
            4 => input.u32().to_le_bytes().to_vec(),
            5 => input.value().to_le_bytes().to_vec(),
            _ => input.i64().to_le_bytes().to_vec(),
        };
        let content = &mut frames[frame].1;
        if content.is_empty() {
            continue;
        }
        let at = usize::from(input.u16()) % content.len();
        let end = content.len().min(at + with.len());
        content[at..end].copy_from_slice(&with[..end - at]);
    }
    let mut file = FILE.beginning.clone();
    for (kind, content) in frames {
        let begin = file.len();
        file.push(kind);
        file.extend((content.len() as u64).to_le_bytes());
        file.extend(crc32c::crc32c(&content).to_le_bytes());
        file.extend(crc32c::crc32c(&file[begin..]).to_le_bytes());
        file.extend(content);
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_changed_is_gone_on_with_whole() {
        let restored = engine().restorings()[0].read(&changed(&[])[..], NOW);
        assert_eq!(restored.series, SERIES.len());
        assert!(restored.refused.is_empty(), "{restored:?}");
    }
}
