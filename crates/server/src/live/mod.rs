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

use std::sync::{Arc, PoisonError, RwLock};

use assay_gateway::Hub;
use assay_store::{Home, Stop, StopMark};
use tokio::sync::{Mutex, Notify, OwnedSemaphorePermit, Semaphore};

use crate::problem::{Code, Problem};

pub use comparison::{Cause, Comparison, Difference};
pub use file::{SignalFile, signal_file};
pub use options::{LiveOptions, VenueAddress};
pub use source::SourceRequest;
pub use stop::{ResumeOutcome, closing_reason, flatten, resume_sending, stop_sending};
pub use streams::{NewStreamRequest, start_stream};
pub use supervisor::run;

pub(crate) use comparison::compare;
pub(crate) use stop::carry_once;
pub(crate) use streams::MAX_STREAMS_PER_USER;
pub(crate) use words::{limits_of, source_of};

/// Signal files and comparisons that are put together at once: each reads every candle of a feed.
const MAX_READINGS: usize = 2;

/// Streams at work, who listens to them, and the stop mark.
pub struct Live {
    /// Tells listeners of stored signals.
    pub hub: Hub,
    /// Holds back everything that sends.
    pub stop: Stop,
    /// The mark that the file and the row of the stop both held last.
    synced: Mutex<Option<StopMark>>,
    /// Told after a stream began or changed here.
    pub(crate) changed: Notify,
    options: RwLock<LiveOptions>,
    /// Places for those who read a whole stream.
    readings: Arc<Semaphore>,
}

impl Live {
    pub(crate) fn new(home: &Home) -> Self {
        Self {
            hub: Hub::new(),
            stop: Stop::at(home),
            synced: Mutex::default(),
            changed: Notify::new(),
            options: RwLock::default(),
            readings: Arc::new(Semaphore::new(MAX_READINGS)),
        }
    }

    /// A place for reading a whole stream, held for as long as the work lasts.
    pub(crate) fn reading(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.readings).try_acquire_owned().map_err(|_| {
            let detail = format!("{MAX_READINGS} streams are being read whole already; try again in some seconds");
            Problem::new(Code::Busy, detail).retry_after(5)
        })
    }

    /// Replaces how feeds are reached; takes effect for feeds that start after it.
    pub fn configure(&self, options: LiveOptions) {
        *self.options.write().unwrap_or_else(PoisonError::into_inner) = options;
    }

    fn options(&self) -> LiveOptions {
        self.options.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
