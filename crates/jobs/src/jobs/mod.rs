//! The jobs, one file each.

pub mod audit;
pub mod backtest;
pub mod check;
pub mod demo;
pub mod doctor;
pub mod evaluate;
pub mod features;
pub mod fetch;
pub mod import;
pub mod index;
pub mod list;
pub mod lp;
pub mod models;
mod policy_decider;
pub mod prepare;
pub mod quote;
pub mod replay;
pub mod replayed;
pub mod resample;
pub mod runs;
pub mod search;
pub mod show;
pub mod signals;
pub mod train;
pub mod walkforward;
