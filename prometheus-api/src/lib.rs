//! A client of the Prometheus HTTP API that keeps warnings.
