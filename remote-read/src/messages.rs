//! The messages of remote read, field by field as `prompb/remote.proto` and `prompb/types.proto` of Prometheus have them.

use crate::wire::Named;

/// `ReadRequest` of remote.proto.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ReadRequest {
    #[prost(message, repeated, tag = "1")]
    pub(crate) queries: Vec<Query>,
    /// In the order of preference; none at all stands for samples.
    #[prost(enumeration = "ResponseType", repeated, tag = "2")]
    pub(crate) accepted_response_types: Vec<i32>,
}

/// `ReadRequest.ResponseType` of remote.proto.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum ResponseType {
    Samples = 0,
    StreamedXorChunks = 1,
}

/// `Query` of remote.proto. Both ends of the range are included.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Query {
    #[prost(int64, tag = "1")]
    pub(crate) start_timestamp_ms: i64,
    #[prost(int64, tag = "2")]
    pub(crate) end_timestamp_ms: i64,
    #[prost(message, repeated, tag = "3")]
    pub(crate) matchers: Vec<LabelMatcher>,
    #[prost(message, optional, tag = "4")]
    pub(crate) hints: Option<ReadHints>,
}

/// `LabelMatcher` of types.proto.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct LabelMatcher {
    #[prost(enumeration = "MatchType", tag = "1")]
    pub(crate) r#type: i32,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
    #[prost(string, tag = "3")]
    pub(crate) value: String,
}

/// `LabelMatcher.Type` of types.proto.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum MatchType {
    Equal = 0,
    NotEqual = 1,
    Regex = 2,
    NotRegex = 3,
}

/// `ReadHints` of types.proto.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ReadHints {
    #[prost(int64, tag = "1")]
    pub(crate) step_ms: i64,
    #[prost(string, tag = "2")]
    pub(crate) func: String,
    #[prost(int64, tag = "3")]
    pub(crate) start_ms: i64,
    #[prost(int64, tag = "4")]
    pub(crate) end_ms: i64,
    #[prost(string, repeated, tag = "5")]
    pub(crate) grouping: Vec<String>,
    #[prost(bool, tag = "6")]
    pub(crate) by: bool,
    #[prost(int64, tag = "7")]
    pub(crate) range_ms: i64,
}

impl Named for ReadRequest {
    const NAME: &'static str = "ReadRequest";
}

/// The messages of answers, which are read and written by hand: here for tests, as a second opinion.
#[cfg(test)]
pub(crate) mod answers {
    use crate::wire::Named;

    /// `ReadResponse` of remote.proto: one result for each query, in their order.
    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct ReadResponse {
        #[prost(message, repeated, tag = "1")]
        pub(crate) results: Vec<QueryResult>,
    }

    /// `QueryResult` of remote.proto.
    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct QueryResult {
        #[prost(message, repeated, tag = "1")]
        pub(crate) timeseries: Vec<TimeSeries>,
    }

    /// `TimeSeries` of types.proto, without its exemplars and histograms.
    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct TimeSeries {
        #[prost(message, repeated, tag = "1")]
        pub(crate) labels: Vec<Label>,
        #[prost(message, repeated, tag = "2")]
        pub(crate) samples: Vec<Sample>,
    }

    /// `Label` of types.proto.
    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Label {
        #[prost(string, tag = "1")]
        pub(crate) name: String,
        #[prost(string, tag = "2")]
        pub(crate) value: String,
    }

    /// `Sample` of types.proto.
    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub(crate) struct Sample {
        /// Written even when it is zero: left out, -0.0 would come back as 0.0.
        #[prost(double, required, tag = "1")]
        pub(crate) value: f64,
        #[prost(int64, tag = "2")]
        pub(crate) timestamp: i64,
    }

    /// `ChunkedReadResponse` of remote.proto: what one frame holds.
    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct ChunkedReadResponse {
        #[prost(message, repeated, tag = "1")]
        pub(crate) chunked_series: Vec<ChunkedSeries>,
        #[prost(int64, tag = "2")]
        pub(crate) query_index: i64,
    }

    /// `ChunkedSeries` of types.proto.
    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct ChunkedSeries {
        #[prost(message, repeated, tag = "1")]
        pub(crate) labels: Vec<Label>,
        #[prost(message, repeated, tag = "2")]
        pub(crate) chunks: Vec<Chunk>,
    }

    /// `Chunk` of types.proto. Both times are included.
    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Chunk {
        #[prost(int64, tag = "1")]
        pub(crate) min_time_ms: i64,
        #[prost(int64, tag = "2")]
        pub(crate) max_time_ms: i64,
        #[prost(enumeration = "ChunkEncoding", tag = "3")]
        pub(crate) r#type: i32,
        #[prost(bytes = "vec", tag = "4")]
        pub(crate) data: Vec<u8>,
    }

    /// `Chunk.Encoding` of types.proto; the kinds for histograms are left out, since we neither write nor read them.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
    #[repr(i32)]
    pub(crate) enum ChunkEncoding {
        Unknown = 0,
        Xor = 1,
    }

    impl Named for ReadResponse {
        const NAME: &'static str = "ReadResponse";
    }

    impl Named for ChunkedReadResponse {
        const NAME: &'static str = "ChunkedReadResponse";
    }
}
