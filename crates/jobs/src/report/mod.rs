//! Reports: an evaluation as CSV files, JSON and a page; a liquidity round, and a miner's
//! history over many, as a page each. Pages are self-contained.

mod amount;
mod chart;
mod files;
mod html;
mod miner_history;
mod number;
mod page;
mod round;
mod round_chart;
mod round_miner;
#[cfg(test)]
mod round_tests;

pub use amount::{PageFile, Tokens};
pub use files::{files, write};
pub use miner_history::{MinerHistoryOptions, miner_history_page};
pub use number::{NONE, money, or_dash, percent, ratio};
pub use page::{format_metric, scenario_words};
pub use round::{RoundPageOptions, round_page};
