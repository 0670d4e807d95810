//! The catalogue of runs.
