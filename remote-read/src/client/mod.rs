//! Clients over HTTP, behind the feature `client`: reading by remote read, writing by remote write.

mod complaints;
mod http;
mod read;
mod writer;

pub use http::HttpTransport;
pub use read::{ReadClient, ReadError, ReadStream};
pub use writer::{Writer, WriterOptions};
