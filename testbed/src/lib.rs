//! Real Prometheus and Alertmanager on loopback, for tests and the demo.
