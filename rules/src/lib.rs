//! Predictive rule files and the engine that evaluates them.
