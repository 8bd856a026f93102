//! What is read from answers, and what is refused.

use super::*;

fn vector(body: &str) -> String {
    let read = decode(body.as_bytes(), 3).and_then(|answer| answer.try_map(Data::vector));
    read.map_or_else(|e| e.to_string(), |answer| format!("{:?}", lines(&answer)))
}

fn lines(answer: &Answer<Vec<(Labels, Sample)>>) -> Vec<String> {
    let line =
        |(labels, s): &(Labels, Sample)| format!("{labels} {} @{}", s.value, s.at.as_millis());
    answer.value.iter().map(line).collect()
}

fn matrix(result: &str) -> String {
    let body =
        format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":{result}}}}}"#);
    let read = decode(body.as_bytes(), 3).and_then(|answer| answer.try_map(Data::matrix));
    read.map_or_else(|e| e.to_string(), |answer| format!("{:?}", answer.value))
}

#[track_caller]
fn check(got: &str, expect: &str) {
    assert!(got.contains(expect), "{got}");
}

#[test]
fn vectors_come_sorted_with_every_kind_of_number() {
    check(
        &vector(
            r#"{"status":"success","data":{"result":[
                {"metric":{"a":"2"},"value":[1.5,"+Inf"]},
                {"metric":{"a":"1"},"value":[1.001,"NaN"]},
                {"metric":{"__name__":"x"},"value":[2,"-1.5e3"]}],"resultType":"vector"},"stats":{}}"#,
        ),
        r#"["x -1500 @2000", "{a=\"1\"} NaN @1001", "{a=\"2\"} inf @1500"]"#,
    );
}

#[test]
fn a_scalar_is_one_sample_without_labels() {
    check(
        &vector(r#"{"status":"success","data":{"resultType":"scalar","result":[10,"5"]}}"#),
        r#"["{} 5 @10000"]"#,
    );
}

#[test]
fn another_result_type_is_named() {
    let body = r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#;
    check(&vector(body), "expected a vector or a scalar, got `matrix`");
    let body = r#"{"status":"success","data":{"resultType":"string","result":[1,"x"]}}"#;
    check(&vector(body), "expected a vector or a scalar, got `string`");
}

#[test]
fn what_is_no_answer_is_malformed() {
    check(&vector(""), "cannot read");
    check(&vector("<html>"), "cannot read");
    check(&vector("[1]"), "an answer of the Prometheus API");
    check(&vector(r#"{"status":"success"}"#), "`data` is missing");
    check(&vector(r#"{"data":{}}"#), "status is ``");
    check(
        &vector(r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":"#),
        "EOF",
    );
    check(&vector(&"[".repeat(100_000)), "cannot read");
}

#[test]
fn bad_samples_and_labels_are_malformed() {
    let one = |series: &str| {
        vector(&format!(
            r#"{{"status":"success","data":{{"resultType":"vector","result":[{series}]}}}}"#
        ))
    };
    check(&one(r#"{"metric":{},"value":[1,"high"]}"#), "`high` is not");
    check(
        &one(r#"{"metric":{},"value":[1e300,"1"]}"#),
        "is not a time",
    );
    check(&one(r#"{"metric":{},"value":[1]}"#), "a time and a value");
    check(
        &one(r#"{"metric":{"":"x"},"value":[1,"1"]}"#),
        "an empty name",
    );
    check(&one(r#"[1,"5"]"#), "cannot read");
    let twins = r#"{"metric":{},"value":[1,"1"]},{"metric":{},"value":[1,"2"]}"#;
    check(&one(twins), "given twice");
}

#[test]
fn names_of_any_letters_are_taken() {
    let body = r#"{"status":"success","data":{"resultType":"vector","result":[
        {"metric":{"__name__":"http.load","http.route":"/x","größe":"1"},"value":[1,"1"]}]}}"#;
    check(
        &vector(body),
        r#"{\"http.load\",\"größe\"=\"1\",\"http.route\"=\"/x\"} 1 @1000"#,
    );
}

#[test]
fn histograms_among_floats_are_left_out_and_counted() {
    let body = br#"{"status":"success","data":{"resultType":"vector","result":[
        {"metric":{"a":"1"},"histogram":[1,{"count":"5","sum":"2","buckets":[[0,"1","2","5"]]}]},
        {"metric":{"a":"2"},"value":[1,"3"]},
        {"metric":{"a":"3"},"histogram":[1,{}]}]}}"#;
    let answer = decode(body, 3).unwrap().try_map(Data::vector).unwrap();
    assert_eq!(lines(&answer), [r#"{a="2"} 3 @1000"#]);
    assert_eq!(answer.left_out.n_series, 2);
    let expect =
        r#"{a="1"} has no float samples; take a quantile, a rate or a sum of a native histogram"#;
    assert_eq!(answer.left_out.reasons, [expect]);

    // One that was a histogram for some of the time has its floats.
    let body = br#"{"status":"success","data":{"resultType":"matrix","result":[
        {"metric":{"a":"1"},"values":[[1,"1"]],"histograms":[[2,{}]]},
        {"metric":{"a":"2"},"histograms":[[1,{}],[2,{}]]}]}}"#;
    let answer = decode(body, 3).unwrap().try_map(Data::matrix).unwrap();
    assert_eq!((answer.value.len(), answer.left_out.n_series), (1, 1));
}

#[test]
fn what_concerns_single_series_makes_no_answer_partial() {
    let mixed = "PromQL warning: encountered a mix of histograms and floats for aggregation";
    let body =
        format!(r#"{{"status":"success","data":[],"warnings":["{mixed}","store is away"]}}"#);
    let answer = decode(body.as_bytes(), 3).unwrap();
    assert_eq!(answer.warnings, ["store is away"]);
    assert_eq!(answer.left_out.reasons, [mixed]);
    assert!(!answer.left_out.is_none());
}

#[test]
fn a_matrix_must_ascend_in_time() {
    check(
        &matrix(r#"[{"metric":{"a":"1"},"values":[[1,"1"],[2,"2"]]}]"#),
        "value: 2.0",
    );
    let expect = "samples of {a=\"1\"} are not in order of time: 1 s does not come after 1 s";
    check(
        &matrix(r#"[{"metric":{"a":"1"},"values":[[1,"1"],[1,"2"]]}]"#),
        expect,
    );
}

#[test]
fn the_series_over_the_limit_is_never_read() {
    let series = r#"{"metric":{},"values":[]},"#.repeat(3);
    let got = matrix(&format!("[{series}this is not even JSON"));
    check(&got, "expected ident");
    let got = matrix(&format!(
        "[{series}{{\"metric\":{{\"a\":\"1\"}},\"values\":[]}},junk"
    ));
    check(&got, "more than the 3 series allowed");
}

#[test]
fn hints_are_kept_apart_from_what_makes_an_answer_partial() {
    let body = br#"{"status":"success","isPartial":true,"data":[],"infos":["c"],
        "warnings":["PromQL info: metric might not be a counter","remote read failed"]}"#;
    let answer = decode(body, 3).unwrap();
    assert_eq!(
        answer.warnings,
        ["remote read failed", "the answer is marked as partial"]
    );
    assert_eq!(
        answer.infos,
        ["c", "PromQL info: metric might not be a counter"]
    );
}
