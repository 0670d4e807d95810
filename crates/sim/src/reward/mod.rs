//! Rewards: what a learner is told about a decision. One file each, one line in each
//! list here.
//!
//! Rewards see the ledger but never change it. Every reward is finite for every
//! outcome; where the formula is undefined its file says what takes its place.

mod log_return;
mod return_minus_cost;
mod sharpe_scaled;
mod trade_count;
mod win_loss;

use std::fmt;
use std::str::FromStr;

use assay_types::Money;
use serde::{Deserialize, Serialize};

use crate::ledger::Fills;
use crate::simulation::End;
use sharpe_scaled::ReturnWindow;

/// Which reward an environment pays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reward {
    /// Change of equity over the equity before, costs included.
    #[default]
    ReturnMinusCost,
    /// Logarithm of the ratio of equities.
    LogReturn,
    /// Return over the standard deviation of the last 64 returns.
    SharpeScaled,
    /// Return minus a fixed price for each fill.
    TradeCount,
    /// +1 or −1 when a trade closes with a profit or a loss.
    WinLoss,
}

/// A text that names no reward.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a reward: use return_minus_cost, log_return, sharpe_scaled, trade_count or win_loss")]
pub struct RewardError(String);

impl Reward {
    /// Every reward.
    pub const ALL: [Self; 5] =
        [Self::ReturnMinusCost, Self::LogReturn, Self::SharpeScaled, Self::TradeCount, Self::WinLoss];

    /// The name in configs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReturnMinusCost => "return_minus_cost",
            Self::LogReturn => "log_return",
            Self::SharpeScaled => "sharpe_scaled",
            Self::TradeCount => "trade_count",
            Self::WinLoss => "win_loss",
        }
    }
}

impl fmt::Display for Reward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Reward {
    type Err = RewardError;
    fn from_str(text: &str) -> Result<Self, RewardError> {
        let named = Self::ALL.into_iter().find(|reward| reward.name() == text);
        named.ok_or_else(|| RewardError(text.chars().take(64).collect()))
    }
}

/// What a step did to the account.
pub(crate) struct Outcome<'a> {
    /// Equity at the close of the decision; above zero.
    pub before: Money,
    /// Equity at the next close.
    pub after: Money,
    pub fills: &'a Fills,
    pub end: Option<End>,
}

/// What a reward remembers between steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RewardState {
    ReturnMinusCost,
    LogReturn,
    SharpeScaled(ReturnWindow),
    TradeCount,
    WinLoss,
}

impl RewardState {
    pub fn new(reward: Reward) -> Self {
        match reward {
            Reward::ReturnMinusCost => Self::ReturnMinusCost,
            Reward::LogReturn => Self::LogReturn,
            Reward::SharpeScaled => Self::SharpeScaled(ReturnWindow::default()),
            Reward::TradeCount => Self::TradeCount,
            Reward::WinLoss => Self::WinLoss,
        }
    }

    /// Whether this is the memory of `reward`.
    pub fn fits(&self, reward: Reward) -> bool {
        match self {
            Self::ReturnMinusCost => reward == Reward::ReturnMinusCost,
            Self::LogReturn => reward == Reward::LogReturn,
            Self::SharpeScaled(window) => reward == Reward::SharpeScaled && window.is_valid(),
            Self::TradeCount => reward == Reward::TradeCount,
            Self::WinLoss => reward == Reward::WinLoss,
        }
    }

    #[inline]
    pub fn reward(&mut self, outcome: &Outcome<'_>) -> f64 {
        match self {
            Self::ReturnMinusCost => return_minus_cost::reward(outcome),
            Self::LogReturn => log_return::reward(outcome),
            Self::SharpeScaled(window) => sharpe_scaled::reward(outcome, window),
            Self::TradeCount => trade_count::reward(outcome),
            Self::WinLoss => win_loss::reward(outcome),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An outcome of a change of equity without a fill.
    pub(super) fn change(before: i128, after: i128) -> Outcome<'static> {
        let end = (after <= 0).then_some(End::Terminated);
        Outcome { before: Money(before), after: Money(after), fills: &Fills::NONE, end }
    }

    #[test]
    fn names_read_back() {
        for reward in Reward::ALL {
            assert_eq!(reward.name().parse(), Ok(reward));
            assert_eq!(serde_json::to_value(reward).unwrap(), reward.name());
            assert!(RewardState::new(reward).fits(reward));
        }
        assert!("sharpe".parse::<Reward>().is_err());
    }

    #[test]
    fn rewards_are_finite_even_when_everything_is_lost() {
        for reward in Reward::ALL {
            let mut state = RewardState::new(reward);
            for after in [100, 0, -1, -1_000_000, i128::from(i64::MAX)] {
                assert!(state.reward(&change(100, after)).is_finite(), "{reward} {after}");
            }
        }
    }
}
