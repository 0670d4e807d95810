//! The simulated market: account, fees, slippage, shorting and the integer ledger.
//!
//! One step ([`Simulation::step`]) is the training environment, the back-test and
//! the auditor's replay, so that the three cannot disagree. Money is integer and
//! every rounding is against the trader; binary floating point appears only in
//! rewards and metrics, which nothing here feeds back into the ledger. Reading
//! candles, computing features and choosing actions are left to others.

mod environment;
mod error;
mod ledger;
mod reward;
mod rules;
mod simulation;

pub use environment::{Environment, EnvironmentState, Transition};
pub use error::SimError;
pub use ledger::{Account, Fill, Fills, Side};
pub use reward::{Reward, RewardError};
pub use rules::{Funding, Rules};
pub use simulation::{End, Simulation, Step};
