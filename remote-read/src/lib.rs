//! Prometheus remote read and remote write: requests and answers checked, written and read back, both sides.
//!
//! Pure unless the feature `client` is on: bodies come in and go out as bytes, and the HTTP around them belongs
//! to others. Whatever a body declares about itself is held against [`Limits`] before memory is taken for it.

mod block;
#[cfg(feature = "client")]
pub mod client;
mod frame;
mod limits;
mod messages;
mod request;
mod response;
#[cfg(test)]
mod strategy;
mod timeseries;
mod uvarint;
mod wire;
pub mod write;
pub mod xor;

pub use frame::FrameError;
pub use limits::{BodyError, Limits};
pub use request::{
    Hints, Query, ReadRequest, RequestError, ResponseKind, decode_request, encode_request,
};
pub use response::{
    CHUNKS_CONTENT_TYPE, FrameReader, PlanError, ResponseError, SAMPLES_CONTENT_ENCODING,
    SAMPLES_CONTENT_TYPE, decode_frames, decode_samples, encode_frames, encode_samples,
    planned_len, stream_frames, stream_planned_samples, stream_samples,
};
