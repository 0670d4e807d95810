//! Signals on their way to consumers.
