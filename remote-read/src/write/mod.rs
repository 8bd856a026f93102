//! Remote write 1.0 and 2.0: messages, what an answer means, and queues that keep order, bounds and count.
//!
//! Source: the specifications of remote write 1.0 and 2.0-rc.4 at prometheus.io/docs/specs. Nothing here does
//! I/O or reads a clock.

mod backoff;
mod decode;
mod encode;
mod figures;
mod judge;
mod negotiation;
mod protocol;
mod queue;
mod retry_after;
mod transport;

pub use backoff::Backoff;
pub use decode::{WriteError, decode};
pub use encode::encode;
pub use figures::{DropReason, Figures, Meter};
pub use judge::{Answer, Verdict, judge};
pub use negotiation::Negotiation;
pub use protocol::{
    CONTENT_ENCODING, Protocol, SAMPLES_WRITTEN_HEADER, VERSION_HEADER, WRITTEN_HEADERS,
};
pub use queue::{Batch, Next, Queue, QueueLimits, shard_of};
pub use retry_after::parse_retry_after;
pub use transport::{Transport, Unreachable};
