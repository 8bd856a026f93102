//! The way to a receiver, which a test may stand in for.

use super::{Answer, Protocol};
use std::error::Error;

/// Delivers one request at a time to one receiver.
pub trait Transport: Send + Sync + 'static {
    /// Posts a body that [`super::encode()`] wrote for the protocol, and says what was answered. No answer within
    /// the transport's own time limit is an error.
    fn post(
        &self,
        protocol: Protocol,
        body: Vec<u8>,
    ) -> impl Future<Output = Result<Answer, Unreachable>> + Send;
}

/// No answer came.
#[derive(Debug, thiserror::Error)]
#[error("the receiver gave no answer")]
pub struct Unreachable(#[source] pub Box<dyn Error + Send + Sync>);
