//! What streams of frames promise, and what is refused in them.

use super::*;
use crate::{
    FrameReader, Limits, ResponseError, decode_frames,
    messages::answers::{Chunk, ChunkedReadResponse, ChunkedSeries, Label},
    strategy::{all_bits_of, any_results},
    wire,
};
use proptest::prelude::*;
use prost::Message;
use series::{Labels, STALE_MARKER, Timestamp};

fn curve(instance: &str, n_samples: i64) -> Series {
    let labels = Labels::new([("__name__", "curve"), ("instance", instance)]).unwrap();
    let samples = (0..n_samples).map(|idx| Sample {
        at: Timestamp::from_seconds(60 * idx),
        value: idx as f64,
    });
    Series {
        labels,
        samples: samples.collect(),
    }
}

fn messages(results: Vec<Vec<Series>>) -> Vec<ChunkedReadResponse> {
    let body = body(results);
    let (mut rest, mut all) = (&body[..], Vec::new());
    while !rest.is_empty() {
        let data = frame::take(&mut rest, 1 << 20).unwrap();
        all.push(wire::decode(data).unwrap());
    }
    all
}

fn body(results: Vec<Vec<Series>>) -> Vec<u8> {
    encode_frames(results).flatten().collect()
}

fn write_frame(query: usize, series: &Series) -> Vec<u8> {
    let mut frame = Vec::new();
    FrameWriter::default().write(query, series, &mut frame);
    frame
}

/// Where the frames of a body end.
fn borders(body: &[u8]) -> Vec<usize> {
    let (mut rest, mut ends) = (body, Vec::new());
    while !rest.is_empty() {
        frame::take(&mut rest, 1 << 20).unwrap();
        ends.push(body.len() - rest.len());
    }
    ends
}

#[test]
fn each_series_has_one_frame_with_all_its_chunks() {
    let mut ends = curve("c", 241);
    ends.samples[240].value = STALE_MARKER;
    let frames = messages(vec![vec![], vec![ends, curve("b", 0)], vec![curve("a", 1)]]);
    let seen = frames.iter().map(|message| {
        let [series] = &message.chunked_series[..] else {
            panic!("a frame has one series, got {message:?}");
        };
        let chunk = |chunk: &Chunk| {
            let n_samples = xor::declared_samples(&chunk.data).unwrap();
            (chunk.min_time_ms, chunk.max_time_ms, n_samples)
        };
        let chunks: Vec<_> = series.chunks.iter().map(chunk).collect();
        (message.query_index, series.labels[1].value.clone(), chunks)
    });
    let three = vec![
        (0, 119 * 60_000, 120),
        (120 * 60_000, 239 * 60_000, 120),
        (240 * 60_000, 240 * 60_000, 1),
    ];
    let expect = [
        (1, "b".to_owned(), vec![]),
        (1, "c".to_owned(), three),
        (2, "a".to_owned(), vec![(0, 0, 1)]),
    ];
    assert_eq!(seen.collect::<Vec<_>>(), expect);
    let last = xor::decode(&frames[1].chunked_series[0].chunks[2].data).unwrap();
    assert_eq!(last[0].value.to_bits(), 0x7ff0_0000_0000_0002);
}

#[test]
fn samples_out_of_order_are_put_in_order() {
    let mut series = curve("a", 3);
    series.samples.reverse();
    let body = body(vec![vec![series]]);
    let read = decode_frames(&body, 1, &Limits::default()).unwrap();
    assert_eq!(read, [[curve("a", 3)]]);
}

#[test]
fn a_series_that_goes_on_in_the_next_frame_is_put_together() {
    let whole = curve("a", 10);
    let (mut head, mut tail) = (whole.clone(), whole.clone());
    head.samples.truncate(4);
    tail.samples.drain(..4);
    let body = [write_frame(0, &head), write_frame(0, &tail)].concat();
    let read = decode_frames(&body, 1, &Limits::default()).unwrap();
    assert_eq!(read, [[whole]]);
    let swapped = [write_frame(0, &tail), write_frame(0, &head)].concat();
    assert!(matches!(
        decode_frames(&swapped, 1, &Limits::default()),
        Err(ResponseError::Order(_))
    ));
}

#[test]
fn a_series_that_comes_back_later_is_refused() {
    let frame = |instance| write_frame(0, &curve(instance, 1));
    let body = [frame("a"), frame("b"), frame("a")].concat();
    let error = decode_frames(&body, 1, &Limits::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "series curve{instance=\"a\"} comes twice in one result"
    );
}

#[test]
fn frames_go_out_in_pieces_that_end_with_a_frame() {
    let series = (0..900).map(|idx| curve(&format!("{idx:03}"), 241));
    let results = vec![series.collect::<Vec<_>>()];
    let pieces: Vec<_> = encode_frames(results.clone()).collect();
    assert!((3..100).contains(&pieces.len()), "{} pieces", pieces.len());
    assert!(pieces.iter().all(|piece| borders(piece).len() > 1));
    let read = decode_frames(&pieces.concat(), 1, &Limits::default()).unwrap();
    assert_eq!(read, results);
}

#[test]
fn a_stream_that_never_ends_is_broken_off() {
    let limits = Limits {
        max_stream_bytes: 100,
        ..Limits::default()
    };
    let mut reader = FrameReader::new(1, limits).unwrap();
    reader.push(&[0; 100]).unwrap();
    let error = reader.push(&[0]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "body holds 101 bytes where 100 are allowed"
    );
}

#[test]
fn what_was_given_out_is_held_no_more() {
    let limits = Limits {
        max_samples: usize::MAX,
        max_held_samples: 250,
        ..Limits::default()
    };
    let read = |results| {
        let mut reader = FrameReader::new(1, limits).unwrap();
        for piece in body(results).chunks(64) {
            reader.push(piece)?;
            while reader.next_series()?.is_some() {}
        }
        Ok::<_, ResponseError>(reader.finish()?.count())
    };
    let names = ["a", "b", "c", "d", "e"];
    let short = names.map(|name| curve(name, 100)).to_vec();
    assert_eq!(read(vec![short]).unwrap(), 1);
    let long = read(vec![vec![curve("a", 251)]]).unwrap_err().to_string();
    assert!(
        long.ends_with("samples at once where 250 are allowed"),
        "{long}"
    );
}

#[track_caller]
fn refused(message: &ChunkedReadResponse, expect: &str) {
    let body = frame::of(&message.encode_to_vec());
    let limits = Limits {
        max_series: 2,
        max_labels: 2,
        max_samples: 65_000,
        ..Limits::default()
    };
    let error = decode_frames(&body, 1, &limits).unwrap_err();
    assert_eq!(error.to_string(), expect);
}

fn with_chunk(r#type: i32, data: &[u8]) -> ChunkedReadResponse {
    let chunk = Chunk {
        r#type,
        data: data.to_vec(),
        ..Chunk::default()
    };
    let series = ChunkedSeries {
        labels: Vec::new(),
        chunks: vec![chunk],
    };
    ChunkedReadResponse {
        chunked_series: vec![series],
        query_index: 0,
    }
}

#[test]
fn frames_that_make_no_sense_are_refused() {
    refused(&ChunkedReadResponse::default(), "frame holds no series");
    let elsewhere = |query_index| ChunkedReadResponse {
        query_index,
        ..with_chunk(1, &[0, 0])
    };
    refused(&elsewhere(1), "frame answers query 1 where 1 were asked");
    refused(&elsewhere(-1), "frame answers query -1 where 1 were asked");
    refused(
        &with_chunk(9, &[]),
        "series {} has a chunk of encoding 9 where 1, XOR, is understood",
    );
    refused(&with_chunk(1, &[0, 9, 9]), "series {} has a bad chunk");
}

#[test]
fn what_passes_a_limit_is_refused() {
    let crowd = |n_series, n_labels| ChunkedReadResponse {
        chunked_series: vec![
            ChunkedSeries {
                labels: vec![Label::default(); n_labels],
                chunks: Vec::new(),
            };
            n_series
        ],
        query_index: 0,
    };
    refused(&crowd(3, 0), "body holds 3 series where 2 are allowed");
    refused(&crowd(1, 3), "body holds 3 labels where 2 are allowed");
    refused(
        &with_chunk(1, &[0xff, 0xff, 0]),
        "body holds 65535 samples where 65000 are allowed",
    );
    let mut many_chunks = with_chunk(1, &[0, 0]);
    let chunks = &mut many_chunks.chunked_series[0].chunks;
    *chunks = vec![chunks[0].clone(); 65_001];
    refused(
        &many_chunks,
        "body holds 65001 samples where 65000 are allowed",
    );
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(results in any_results()) {
        let n_queries = results.len();
        let body = body(results.clone());
        let read = decode_frames(&body, n_queries, &Limits::default()).unwrap();
        prop_assert_eq!(all_bits_of(&read), all_bits_of(&results));
    }

    #[test]
    fn a_stream_cut_inside_a_frame_is_refused(results in any_results(), cut: prop::sample::Index) {
        let n_queries = results.len();
        let body = body(results);
        let cut = cut.index(body.len() + 1);
        let is_whole = cut == 0 || borders(&body).contains(&cut);
        let read = decode_frames(&body[..cut], n_queries, &Limits::default());
        prop_assert_eq!(read.is_ok(), is_whole);
    }

    #[test]
    fn pieces_of_any_size_are_read_as_the_whole(results in any_results(), size in 1_usize..400) {
        let (n_queries, body) = (results.len(), body(results.clone()));
        let mut reader = FrameReader::new(n_queries, Limits::default()).unwrap();
        let mut read = vec![Vec::new(); n_queries];
        for piece in body.chunks(size) {
            reader.push(piece).unwrap();
            while let Some((query, series)) = reader.next_series().unwrap() {
                read[query].push(series);
            }
        }
        for (query, series) in reader.finish().unwrap() {
            read[query].push(series);
        }
        prop_assert_eq!(all_bits_of(&read), all_bits_of(&results));
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes: Vec<u8>) {
        for body in [&bytes[..], &frame::of(&bytes)] {
            if let Ok(results) = decode_frames(body, 2, &Limits::default()) {
                prop_assert_eq!(results.len(), 2);
            }
        }
    }

    #[test]
    fn a_damaged_frame_with_a_good_checksum_is_decoded_or_refused(at: prop::sample::Index, bits: u8) {
        let mut data = messages(vec![vec![curve("a", 150)]])[0].encode_to_vec();
        let at = at.index(data.len());
        data[at] ^= bits;
        let read = decode_frames(&frame::of(&data), 1, &Limits::default());
        if bits == 0 {
            prop_assert!(read.is_ok());
        }
    }
}
