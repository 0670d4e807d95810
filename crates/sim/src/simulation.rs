//! The one step: mark, observe, decide, fill, advance (R2).

use std::ops::Range;

use assay_types::{Candles, FillRule, Money, Target};
use serde::{Deserialize, Serialize};

use crate::error::SimError;
use crate::ledger::{Account, Fills, Quote};
use crate::rules::Rules;

/// How an episode ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Equity fell to zero or below: nothing follows.
    Terminated,
    /// The range is over; the market goes on without us.
    Truncated,
}

/// What one step led to; its executions are in [`Simulation::fills`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Whether the decision traded.
    pub traded: bool,
    /// Equity at the next close.
    pub equity: Money,
    /// Whether that close ends the episode.
    pub end: Option<End>,
}

/// An account walking over a range of candles. Training, back-test and audit all
/// step this and nothing else.
///
/// It stands at the close of one candle, whose equity row is [`Simulation::equity`].
/// [`Simulation::step`] takes the decision made there, fills it by the fill rule and
/// moves to the next close. The decision at the last close is never asked for.
#[derive(Debug, Clone)]
pub struct Simulation<'a> {
    candles: &'a Candles,
    rules: Rules,
    range: Range<usize>,
    index: usize,
    account: Account,
    equity: Money,
    end: Option<End>,
    fills: Fills,
    has_holding_cost: bool,
}

impl<'a> Simulation<'a> {
    /// Stands at the close of the first candle of `range` with the initial cash. A
    /// range of one candle is over at once.
    ///
    /// # Errors
    /// [`SimError::Range`] for an empty range or one that reaches past the candles,
    /// [`SimError::Rule`] for rules that do not hold.
    pub fn new(candles: &'a Candles, rules: &Rules, range: Range<usize>) -> Result<Self, SimError> {
        rules.check()?;
        let mut simulation = Self {
            candles,
            rules: rules.clone(),
            range: 0..0,
            index: 0,
            account: Account::new(rules),
            equity: rules.cash,
            end: None,
            fills: Fills::NONE,
            has_holding_cost: rules.has_holding_cost(),
        };
        simulation.reset(range)?;
        Ok(simulation)
    }

    /// Starts again over `range`.
    ///
    /// # Errors
    /// [`SimError::Range`] as [`Simulation::new`].
    pub fn reset(&mut self, range: Range<usize>) -> Result<(), SimError> {
        check_range(&range, self.candles.len(), 1)?;
        self.account = Account::new(&self.rules);
        self.fills = Fills::NONE;
        self.equity = self.rules.cash;
        self.index = range.start;
        self.end = (range.len() == 1).then_some(End::Truncated);
        self.range = range;
        Ok(())
    }

    /// Continues from a saved point.
    pub(crate) fn resume(&mut self, range: Range<usize>, index: usize, account: Account) -> Result<(), SimError> {
        check_range(&range, self.candles.len(), 1)?;
        if !range.contains(&index) {
            return Err(SimError::State("the index is outside the range"));
        }
        let price = self.candles.close[index];
        let overflow = SimError::Overflow { time_ms: self.candles.close_time_ms(index) };
        self.equity = account.equity(price).ok_or(overflow)?;
        (self.range, self.index, self.account, self.fills) = (range, index, account, Fills::NONE);
        self.end = self.ending();
        Ok(())
    }

    /// The candles walked over.
    #[must_use]
    pub const fn candles(&self) -> &'a Candles {
        self.candles
    }

    /// The rules followed.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The range walked over.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// The candle whose close is being observed.
    #[must_use]
    pub const fn index(&self) -> usize {
        self.index
    }

    /// The account as it is at this close, before the decision.
    #[must_use]
    pub const fn account(&self) -> &Account {
        &self.account
    }

    /// Equity at this close.
    #[must_use]
    pub const fn equity(&self) -> Money {
        self.equity
    }

    /// The executions of the last step; none at the start.
    #[must_use]
    pub const fn fills(&self) -> &Fills {
        &self.fills
    }

    /// Whether, and how, the episode is over.
    #[must_use]
    pub const fn end(&self) -> Option<End> {
        self.end
    }

    /// What a strategy may see of the account at this close: see
    /// [`Account::inputs`].
    #[inline]
    #[must_use]
    pub fn account_inputs(&self) -> [f32; 2] {
        self.account.inputs(self.equity)
    }

    /// Fills the decision made at this close and moves to the next one.
    ///
    /// # Errors
    /// [`SimError::Ended`] after the end, [`SimError::Price`] for candles that were
    /// never checked, [`SimError::Overflow`] beyond 128 bits.
    #[inline]
    pub fn step(&mut self, target: Target) -> Result<Step, SimError> {
        if self.end.is_some() {
            return Err(SimError::Ended { index: self.index });
        }
        // The last executions are cleared only where there were some: they are large.
        let mut traded = self.fills.count() > 0;
        if traded || target != self.account.target() {
            self.fills = self.fill(target)?;
            traded = self.fills.count() > 0;
        }
        self.index += 1;
        self.mark()?;
        Ok(Step { traded, equity: self.equity, end: self.end })
    }

    /// Fills at this close or at the next open.
    #[cold]
    fn fill(&mut self, target: Target) -> Result<Fills, SimError> {
        let quote = match self.rules.fill_rule {
            FillRule::Close => {
                Quote { time_ms: self.candles.close_time_ms(self.index), price: self.candles.close[self.index] }
            }
            FillRule::NextOpen => {
                Quote { time_ms: self.candles.open_time_ms[self.index + 1], price: self.candles.open[self.index + 1] }
            }
        };
        if quote.price.0 <= 0 {
            return Err(SimError::Price { time_ms: quote.time_ms });
        }
        self.account.change(target, quote, &self.rules).ok_or(SimError::Overflow { time_ms: quote.time_ms })
    }

    /// Values the account at this close.
    #[inline]
    fn mark(&mut self) -> Result<(), SimError> {
        let price = self.candles.close[self.index];
        if price.0 <= 0 {
            return Err(SimError::Price { time_ms: self.candles.close_time_ms(self.index) });
        }
        let overflow = || SimError::Overflow { time_ms: self.candles.close_time_ms(self.index) };
        if self.has_holding_cost {
            let quote = Quote { time_ms: self.candles.close_time_ms(self.index), price };
            self.account.settle(quote, &self.rules).ok_or_else(overflow)?;
        }
        self.equity = self.account.equity(price).ok_or_else(overflow)?;
        self.end = self.ending();
        Ok(())
    }

    #[inline]
    fn ending(&self) -> Option<End> {
        if self.equity.0 <= 0 {
            Some(End::Terminated)
        } else if self.index + 1 == self.range.end {
            Some(End::Truncated)
        } else {
            None
        }
    }
}

/// Whether `range` lies inside `candles` candles and holds at least `least`.
pub(crate) fn check_range(range: &Range<usize>, candles: usize, least: usize) -> Result<(), SimError> {
    if range.end > candles || range.len() < least {
        return Err(SimError::Range { range: range.clone(), candles, least });
    }
    Ok(())
}
