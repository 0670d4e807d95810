//! Rounds at work: the block clock asks the miners, the engine re-executes, records and
//! reputation are kept, and the winner's decisions reach the executor.
//!
//! [`run`] drives every job of a database over an [`EventSource`]; what a round is and how it
//! is judged is `assay_lp`'s business, what miners are told is `assay_miner`'s.

#![allow(clippy::disallowed_methods, reason = "an edge: clock, network and database")]

mod clock;
mod completion;
mod error;
pub mod executor;
mod feed;
mod follower;
mod ledger;
mod live;
mod questions;
mod report;
mod runner;
mod source;
mod standing;
mod validator;
mod weighing;

pub use clock::{Clock, Hold};
pub use completion::{PracticeError, store_practice};
pub use error::ValidatorError;
pub use executor::{Executor, HttpExecutor, PaperExecutor};
pub use ledger::{LEASE_SECONDS, MAX_QUEUED_ROUNDS};
pub use report::{Report, Reporter};
pub use source::{DatabaseSource, EventSource, RecordedSource, SourceError, Stretch};
pub use standing::Standing;
pub use validator::{Settings, run};
pub use weighing::{JobWeight, Weighing, weigh};
