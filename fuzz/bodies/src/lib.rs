//! What each fuzz target does with its bytes: one function a target, which panics where a promise is broken.
//!
//! The promises: any bytes are read or refused with a sentence, in bounded memory; what was read is written and
//! read again as it was; a forecast is finite and its quantiles do not cross.

mod forecasts;
mod input;
mod remote_read;
mod saved;
pub mod seeds;
mod texts;

pub use forecasts::{forecast_fit, forecast_state};
pub use remote_read::{
    frames_response, remote_read_request, samples_response, write_request, xor_chunk,
};
pub use saved::saved_state;
pub use texts::{rule_file, webhook};

/// A fuzz target.
pub type Body = fn(&[u8]);

/// Every target by its name.
pub const TARGETS: [(&str, Body); 10] = [
    ("remote_read_request", remote_read_request),
    ("samples_response", samples_response),
    ("frames_response", frames_response),
    ("xor_chunk", xor_chunk),
    ("write_request", write_request),
    ("rule_file", rule_file),
    ("webhook", webhook),
    ("forecast_state", forecast_state),
    ("forecast_fit", forecast_fit),
    ("saved_state", saved_state),
];
