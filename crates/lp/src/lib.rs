//! Liquidity rounds: miners decide where capital stands in a concentrated pool, the exact
//! engine re-executes what then happened with that capital in the pool, and a fixed-point
//! score ranks them.
//!
//! Pure: blocks, events, answers and times are arguments. Who asks the miners, keeps the
//! records and moves real money is the edges' business.

#![allow(clippy::needless_range_loop, reason = "loops over the two tokens index several arrays at once")]

mod amounts;
mod books;
mod clock;
mod decision;
pub mod environment;
mod error;
pub mod fixed;
pub mod fixed_path;
mod job;
mod judge;
mod market;
mod participant;
mod placement;
pub mod protocol;
mod query;
pub mod record;
pub mod replay;
pub mod reputation;
pub mod round;
pub mod strategy;
mod value;
pub mod weights;

pub use amounts::Amounts;
pub use clock::{BlockTime, BlockTimes, Checkpoint, CheckpointAt, Window};
pub use decision::{Decision, decide, equal_positions};
pub use error::LpError;
pub use job::{Constraints, FeeRule, GasRule, Job, JobError, PoolRule};
pub use judge::{hold_score, score};
pub use market::{Market, Recorded, Request};
pub use participant::{Held, Holdings, Participant};
pub use query::{AnswerError, DesiredPosition, MinerMetadata, RebalanceAnswer, RebalanceQuery, RoundType};
pub use record::{Mode, RoundRecord};
pub use round::{Entrant, Executed, Opening, Reply, Round};
pub use strategy::{Strategy, StrategyError};
pub use value::{liquidity_for, price_float, token0_value, value_in_token1};
