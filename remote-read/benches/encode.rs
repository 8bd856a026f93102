//! How many samples a second are written as `SAMPLES` and as `STREAMED_XOR_CHUNKS`, and read back.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use remote_read::{Limits, decode_frames, decode_samples, encode_samples, stream_frames};
use series::{Labels, Sample, Series, Timestamp};
use std::hint::black_box;

const N_SERIES: u32 = 1_000;
/// Four hours of a curve, a sample a minute.
const N_SAMPLES: u32 = 241;

/// Curves as they are served: a smooth line whose every bit counts.
fn curves() -> Vec<Series> {
    let curve = |idx: u32| {
        let labels = [
            ("__name__", "instance:node_cpu_utilisation:forecast_curve"),
            ("instance", &format!("node-{idx:05}.example.net:9100")),
            ("job", "node"),
            ("quantile", "0.95"),
            ("source", "foreshadow"),
        ];
        let samples = (0..N_SAMPLES).map(|minute| Sample {
            at: Timestamp::from_seconds(1_800_000_000 + 60 * i64::from(minute)),
            value: 0.5 + 0.3 * (f64::from(minute + idx) / 40.0).sin(),
        });
        Series {
            labels: Labels::new(labels).expect("the names are label names"),
            samples: samples.collect(),
        }
    };
    (0..N_SERIES).map(curve).collect()
}

fn encode(criterion: &mut Criterion) {
    let curves = curves();
    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Elements(u64::from(N_SERIES * N_SAMPLES)));
    group.bench_function("samples", |bencher| {
        let encode = |results| black_box(encode_samples(results).map(|body| body.len()));
        bencher.iter_batched(|| vec![curves.clone()], encode, BatchSize::LargeInput);
    });
    group.bench_function("frames", |bencher| {
        let encode = |result: Vec<Series>| {
            let series = result.into_iter().map(|series| (0, series));
            black_box(
                stream_frames(series)
                    .map(|piece| piece.len())
                    .sum::<usize>(),
            )
        };
        bencher.iter_batched(|| curves.clone(), encode, BatchSize::LargeInput);
    });
    group.bench_function("xor", |bencher| {
        let encode = || {
            let chunks = curves.iter().flat_map(|series| series.samples.chunks(120));
            chunks
                .map(|chunk| black_box(remote_read::xor::encode(chunk)).len())
                .sum::<usize>()
        };
        bencher.iter(encode);
    });
    group.finish();
}

fn decode(criterion: &mut Criterion) {
    let limits = Limits::default();
    let samples = encode_samples(vec![curves()]).expect("it is small");
    let frames: Vec<u8> = remote_read::encode_frames(vec![curves()])
        .flatten()
        .collect();
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(u64::from(N_SERIES * N_SAMPLES)));
    group.bench_function("samples", |bencher| {
        bencher.iter(|| decode_samples(&samples, 1, &limits).expect("it was just written"));
    });
    group.bench_function("frames", |bencher| {
        bencher.iter(|| decode_frames(&frames, 1, &limits).expect("it was just written"));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().without_plots().sample_size(20);
    targets = encode, decode
}
criterion_main!(benches);
