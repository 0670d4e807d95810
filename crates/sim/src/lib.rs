//! The simulated market: account, fees, slippage, shorting and the integer ledger.
//!
//! One step ([`Simulation::step`]) is the training environment, the back-test and
//! the auditor's replay, so that the three cannot disagree. Money is integer and
//! every rounding is against the trader; binary floating point appears only in
//! rewards and metrics, which nothing here feeds back into the ledger. Reading
//! candles, computing features and choosing actions are left to others.

mod backtest;
mod bootstrap;
mod environment;
mod error;
mod folds;
mod ledger;
mod metrics;
mod paper;
mod random;
mod reward;
mod round_trip;
mod rules;
mod scenario;
mod simulation;
mod strategy;
#[cfg(test)]
mod testing;

pub use backtest::{Backtest, backtest, equity_hash, replay};
pub use bootstrap::{Bootstrap, Interval, Intervals, intervals, mean_interval};
pub use environment::{Environment, EnvironmentState, Transition};
pub use error::SimError;
pub use folds::{Fold, FoldWindow, folds};
pub use ledger::{Account, Fill, Fills, Side};
pub use metrics::{
    Drawdown, METRICS, Metric, MetricFunction, Metrics, Moments, MonthReturn, Performance, Series, Trials,
    WORST_DRAWDOWNS, deflated_sharpe, measure, month_returns, probabilistic_sharpe, returns, sharpe, sortino,
    worst_drawdowns,
};
pub use paper::{PaperAccount, PaperState};
pub use reward::{Reward, RewardError};
pub use round_trip::{RoundTrip, round_trips};
pub use rules::{Funding, Rules};
pub use scenario::{BASELINE_CROSS, COST_FACTORS, Scenario, baselines, sensitivity};
pub use simulation::{End, Simulation, Step};
pub use strategy::{Decider, Strategy, StrategyError, random_like};
