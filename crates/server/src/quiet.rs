//! Progress that nobody listens to: work within one request.

use assay_jobs::{Advance, Progress};

/// Tells nothing.
pub(crate) struct Quiet;

impl Progress for Quiet {
    fn stage(&self, _name: &str) {}
    fn advance(&self, _advance: &Advance) {}
    fn note(&self, _text: &str) {}
    fn done(&self) {}
}
