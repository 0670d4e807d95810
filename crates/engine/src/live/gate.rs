//! The risk gate: nothing is said that it has not approved.

use assay_sim::PaperAccount;
use assay_types::{Action, Money, Target, time::DAY_MS};
use serde::{Deserialize, Serialize};

use super::limits::Limits;

const HOUR_MS: i64 = 3_600_000;

/// A limit that was reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Breach {
    /// The position is, or would be, worth more than allowed.
    #[error("the position would be worth {value}, max_exposure is {limit}")]
    Exposure {
        /// What it would be worth.
        value: Money,
        /// The limit.
        limit: Money,
    },
    /// More was lost since the last UTC day than allowed.
    #[error("{loss} was lost since the UTC day before, daily_loss is {limit}")]
    DailyLoss {
        /// What was lost.
        loss: Money,
        /// The limit.
        limit: Money,
    },
    /// The target changed more often than allowed.
    #[error("{changes} changes of target within an hour, signals_per_hour is {limit}")]
    SignalsPerHour {
        /// Changes, this one included.
        changes: usize,
        /// The limit.
        limit: u32,
    },
    /// The account has nothing left.
    #[error("the equity is lost")]
    Broke,
    /// The account could not be kept.
    #[error("the paper account cannot go on: {0}")]
    Account(String),
}

/// An action that the gate let through; only the gate makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Approved(Action);

impl Approved {
    pub(super) const fn action(self) -> Action {
        self.0
    }

    /// Leaving the target as it is asks for nothing and is always approved.
    pub(super) const HOLD: Self = Self(Action::Hold);
    /// Closing the position takes no risk and is always approved.
    pub(super) const FLAT: Self = Self(Action::Flat0);
}

/// What the gate remembers of the closes before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateState {
    /// The [`day_of_close`] of the last close.
    day: i64,
    /// Equity at the last close of the day before.
    day_equity: Money,
    /// Equity at the last close.
    last_equity: Option<Money>,
    /// Closes of the last hour at which the target changed, ascending.
    changes: Vec<i64>,
    /// What earlier streams of the model lost on that day.
    #[serde(default)]
    lost_before: Money,
}

/// What earlier streams of a model used up of its limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedLimits {
    /// Their last close, in ms since 1970.
    pub last_close_ms: i64,
    /// What they lost on its UTC day.
    pub lost: Money,
    /// Closes within an hour of the last one at which a target changed, ascending.
    pub changes: Vec<i64>,
}

/// The UTC day of a close, counted from 1970; a close at midnight ends its day.
#[must_use]
pub const fn day_of_close(close_ms: i64) -> i64 {
    (close_ms - 1).div_euclid(DAY_MS)
}

impl GateState {
    /// The gate of a new stream of a model that had others.
    pub(super) fn following(used: &UsedLimits) -> Self {
        let (day, changes) = (day_of_close(used.last_close_ms), used.changes.clone());
        Self { day, changes, lost_before: used.lost.max(Money::ZERO), ..Self::default() }
    }

    /// Takes the equity of a close.
    pub(super) fn mark(&mut self, close_ms: i64, equity: Money) {
        let day = day_of_close(close_ms);
        if day != self.day {
            self.lost_before = Money::ZERO;
        }
        if self.last_equity.is_none() || day != self.day {
            self.day = day;
            self.day_equity = self.last_equity.unwrap_or(equity);
        }
        self.last_equity = Some(equity);
        self.changes.retain(|change| *change > close_ms - HOUR_MS);
    }

    /// Takes note of what was said at this close, given the target before it.
    pub(super) fn note(&mut self, close_ms: i64, before: Target, action: Action) {
        if action.target().is_some_and(|target| target != before) {
            self.changes.push(close_ms);
        }
    }

    /// Approves `wanted` at the close where `account` was just marked.
    pub(super) fn approve(&self, limits: &Limits, account: &PaperAccount, wanted: Target) -> Result<Approved, Breach> {
        if account.is_broke() {
            return Err(Breach::Broke);
        }
        let equity = account.equity();
        if let Some(limit) = limits.daily_loss {
            let loss = self.day_equity.0.saturating_sub(equity.0).saturating_add(self.lost_before.0);
            let loss = Money(loss);
            if loss > limit {
                return Err(Breach::DailyLoss { loss, limit });
            }
        }
        let before = account.account().target();
        if let Some(limit) = limits.max_exposure {
            let value = exposure(account, wanted);
            if value > limit {
                return Err(Breach::Exposure { value, limit });
            }
        }
        if let Some(limit) = limits.signals_per_hour
            && wanted != before
        {
            let changes = self.changes.len() + 1;
            if changes > limit as usize {
                return Err(Breach::SignalsPerHour { changes, limit });
            }
        }
        Ok(Approved(wanted.into()))
    }
}

/// What the position is worth when `wanted` is held from here on: a new position takes all
/// equity, one that is kept is worth what it is.
fn exposure(account: &PaperAccount, wanted: Target) -> Money {
    let held = account.account();
    if wanted == Target::Flat {
        Money::ZERO
    } else if wanted == held.target() && held.quantity().0 != 0 {
        Money((account.equity().0.saturating_sub(held.cash().0)).saturating_abs())
    } else {
        account.equity()
    }
}
