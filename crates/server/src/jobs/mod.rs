//! The jobs, one file each.

pub mod audit;
pub mod backtest;
pub mod check;
pub mod evaluate;
pub mod fetch;
pub mod import;
pub mod list;
mod policy_decider;
pub mod prepare;
pub mod resample;
pub mod runs;
pub mod signals;
pub mod train;
