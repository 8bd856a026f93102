//! Samples, series and results for the laws that tests state.

use proptest::{collection::SizeRange, prelude::*};
use series::{Labels, STALE_MARKER, Sample, Series, Timestamp};
use std::collections::BTreeMap;

/// Milliseconds, and the bits of a value.
pub(crate) type Bits = Vec<(i64, u64)>;

/// Samples by their bits, since a NaN is not equal to itself.
pub(crate) fn bits_of(samples: &[Sample]) -> Bits {
    let bits = |sample: &Sample| (sample.at.as_millis(), sample.value.to_bits());
    samples.iter().map(bits).collect()
}

/// Results by the bits of their samples.
pub(crate) fn all_bits_of(results: &[Vec<Series>]) -> Vec<Vec<(Labels, Bits)>> {
    let bits = |series: &Series| (series.labels.clone(), bits_of(&series.samples));
    results
        .iter()
        .map(|result| result.iter().map(bits).collect())
        .collect()
}

/// Values as curves have them, and every other pattern of 64 bits.
fn any_value() -> impl Strategy<Value = f64> {
    let special = [
        0.0,
        -0.0,
        f64::NAN,
        STALE_MARKER,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MIN_POSITIVE,
        f64::MAX,
    ];
    prop_oneof![
        3 => (0_i32..1_000).prop_map(|n| f64::from(n) / 8.0),
        1 => any::<u64>().prop_map(f64::from_bits),
        1 => prop::sample::select(special.to_vec()),
    ]
}

/// A grid with jitter and gaps as scrapes have it, or any times whatever; strictly ascending.
pub(crate) fn any_samples(size: impl Into<SizeRange>) -> impl Strategy<Value = Vec<Sample>> {
    let size = size.into();
    let grid = (0_i64..1 << 41, 1_i64..100_000, 0_i64..100);
    let jittered = prop::collection::vec(grid, size.clone()).prop_map(|parts| {
        let (start, step, _) = parts.first().copied().unwrap_or_default();
        let slots = parts.iter().zip(1_i64..);
        slots
            .map(|((_, _, jitter), slot)| start + slot * (step + 100) + jitter)
            .collect::<Vec<_>>()
    });
    let wild = prop::collection::btree_set(any::<i64>(), size)
        .prop_map(|times| times.into_iter().collect::<Vec<_>>());
    prop_oneof![jittered, wild].prop_flat_map(|times| {
        let values = prop::collection::vec(any_value(), times.len());
        values.prop_map(move |values| {
            let pairs = times.iter().zip(values);
            pairs
                .map(|(at, value)| Sample {
                    at: Timestamp::from_millis(*at),
                    value,
                })
                .collect()
        })
    })
}

/// Results with series in order and no labels twice, some of them without samples.
pub(crate) fn any_results() -> impl Strategy<Value = Vec<Vec<Series>>> {
    let labels = prop::collection::btree_map("[a-z_]{1,3}", "[^\u{0}]{0,4}", 0..4)
        .prop_map(|pairs| Labels::new(pairs).expect("names are letters and underscores"));
    // Curves of one rule share their times.
    let sharing = (
        any_samples(0..260),
        prop::collection::btree_map(labels.clone(), any::<u64>(), 0..4),
    );
    let sharing = sharing.prop_map(|(samples, labels)| {
        let shifted = |bits: u64| {
            let value = |sample: &Sample| f64::from_bits(sample.value.to_bits() ^ bits);
            let samples = samples.iter();
            samples
                .map(|sample| Sample {
                    value: value(sample),
                    ..*sample
                })
                .collect()
        };
        let labels = labels.into_iter();
        labels
            .map(|(labels, bits)| (labels, shifted(bits)))
            .collect::<BTreeMap<_, Vec<_>>>()
    });
    let apart = prop::collection::btree_map(labels, any_samples(0..260), 0..4);
    let result = prop_oneof![sharing, apart];
    let to_series = |series: BTreeMap<Labels, Vec<Sample>>| {
        series
            .into_iter()
            .map(|(labels, samples)| Series { labels, samples })
            .collect()
    };
    prop::collection::vec(result.prop_map(to_series), 0..3)
}
