//! Streams at work: candles in, a desk per feed, one commit per close, then whoever listens.
//!
//! A signal is stored before it is sent, a killed server goes on with the next number, and
//! while the stop mark is there nothing is said at all.

mod checkpoint;
mod comparison;
mod feed;
mod file;
mod history;
mod model;
mod options;
mod source;
mod stop;
mod streams;
mod supervisor;
#[cfg(test)]
mod tests;
mod used;
mod words;

use std::sync::{PoisonError, RwLock};

use assay_gateway::Hub;
use assay_store::{Home, Stop};
use tokio::sync::Notify;

pub use comparison::{Cause, Comparison, Difference};
pub use file::signal_file;
pub use options::{LiveOptions, VenueAddress};
pub use source::SourceRequest;
pub use stop::{resume_sending, stop_sending};
pub use streams::{NewStreamRequest, start_stream};
pub use supervisor::run;

pub(crate) use comparison::compare;
pub(crate) use words::{limits_of, source_of};

/// Streams at work, who listens to them, and the stop mark.
pub struct Live {
    /// Tells listeners of stored signals.
    pub hub: Hub,
    /// Holds back everything that sends.
    pub stop: Stop,
    /// Told after a stream began or changed here.
    pub(crate) changed: Notify,
    options: RwLock<LiveOptions>,
}

impl Live {
    pub(crate) fn new(home: &Home) -> Self {
        Self { hub: Hub::new(), stop: Stop::at(home), changed: Notify::new(), options: RwLock::default() }
    }

    /// Replaces how feeds are reached; takes effect for feeds that start after it.
    pub fn configure(&self, options: LiveOptions) {
        *self.options.write().unwrap_or_else(PoisonError::into_inner) = options;
    }

    fn options(&self) -> LiveOptions {
        self.options.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
