//! The action journal.
