//! Liquidity rounds over recorded events: practice, backtests, and the audit of records;
//! and a built-in strategy as a miner.

pub mod backtest;
pub mod block_clock;
mod caller;
pub mod events;
pub mod job_file;
pub mod miners;
pub mod own;
pub mod policy;
pub mod practice;
pub mod records;
pub mod registry;
pub mod round;
pub mod run;
pub mod sample;
pub mod scores;
pub mod serve;
pub mod standings;
pub mod stored_round;
pub mod verify;
pub mod weighing;

use assay_lp::LpError;

use crate::error::JobError;

/// An error of the round engine: books that do not balance are a failed check, the rest is
/// a matter of the input.
pub(crate) fn failed(place: &str, error: &LpError) -> JobError {
    let text = format!("{place}: {error}");
    match error {
        LpError::Unbalanced { .. } | LpError::Record(_) => JobError::Check(text),
        _ => JobError::Input(text),
    }
}
