//! Liquidity rounds: miners decide where capital stands in a concentrated pool, the exact
//! engine re-executes what then happened with that capital in the pool, and a fixed-point
//! score ranks them.
//!
//! Pure: blocks, events, answers and times are arguments. Who asks the miners, keeps the
//! records and moves real money is the edges' business.

mod amounts;
mod job;
pub mod protocol;
mod query;

pub use amounts::Amounts;
pub use job::{Constraints, FeeRule, GasRule, Job, JobError, PoolRule};
pub use query::{AnswerError, DesiredPosition, MinerMetadata, RebalanceAnswer, RebalanceQuery, RoundType};
