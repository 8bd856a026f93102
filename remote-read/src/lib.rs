//! Prometheus remote read: requests checked, answers written as samples or streamed chunks, and both read back.
//!
//! Pure: bodies come in and go out as bytes, and the HTTP around them belongs to others. Whatever a body
//! declares about itself is held against [`Limits`] before memory is taken for it.

mod block;
mod frame;
mod limits;
mod messages;
mod request;
mod response;
#[cfg(test)]
mod strategy;
mod uvarint;
mod wire;
pub mod xor;

pub use frame::FrameError;
pub use limits::{BodyError, Limits};
pub use request::{
    Hints, Query, ReadRequest, RequestError, ResponseKind, decode_request, encode_request,
};
pub use response::{
    CHUNKS_CONTENT_TYPE, ResponseError, SAMPLES_CONTENT_ENCODING, SAMPLES_CONTENT_TYPE,
    decode_frames, decode_samples, encode_frames, encode_samples,
};
