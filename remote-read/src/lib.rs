//! Prometheus remote read: messages, chunks, frames and a server.
