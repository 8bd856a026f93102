//! From an alert to a guarded action: receiver, state machine, actuators.
