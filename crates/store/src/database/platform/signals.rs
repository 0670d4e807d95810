//! Signals, stored before they are sent.
