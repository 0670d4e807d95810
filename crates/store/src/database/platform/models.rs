//! The catalogue of published models.
