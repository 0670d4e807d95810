//! Live streams of models.
