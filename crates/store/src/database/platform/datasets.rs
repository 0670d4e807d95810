//! The catalogue of datasets.
