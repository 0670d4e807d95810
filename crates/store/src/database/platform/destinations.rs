//! Where signals are sent.
