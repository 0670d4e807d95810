//! The step without a slice: the same account, fills and marks, candle by candle as they
//! close, for an account that follows a market that goes on.

use assay_types::{Candle, FillRule, Money, Price, Target, Timeframe};
use serde::{Deserialize, Serialize};

use crate::error::SimError;
use crate::ledger::{Account, Fills, Quote};
use crate::rules::Rules;

/// An account that is told each candle as it closes. It walks exactly as a
/// [`crate::Simulation`] over the same candles does, except that it never ends for lack of
/// candles.
#[derive(Debug, Clone, PartialEq)]
pub struct PaperAccount {
    rules: Rules,
    timeframe: Timeframe,
    state: PaperState,
    fills: Fills,
}

/// A paper account at rest, at a close after the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaperState {
    account: Account,
    equity: Money,
    /// The close where it stands; `None` before the first.
    close: Option<(i64, Price)>,
    /// What was decided there and is not filled yet.
    decided: Option<Target>,
}

impl PaperState {
    /// Equity at the last close; the initial cash before the first.
    #[must_use]
    pub const fn equity(&self) -> Money {
        self.equity
    }
}

impl PaperAccount {
    /// An account with the initial cash, before any candle.
    ///
    /// # Errors
    /// [`SimError::Rule`] for rules that do not hold.
    pub fn new(rules: &Rules, timeframe: Timeframe) -> Result<Self, SimError> {
        rules.check()?;
        let state = PaperState { account: Account::new(rules), equity: rules.cash, close: None, decided: None };
        Ok(Self { rules: rules.clone(), timeframe, state, fills: Fills::NONE })
    }

    /// The account that continues `state`.
    ///
    /// # Errors
    /// [`SimError::Rule`] for rules that do not hold, [`SimError::State`] for a state that no
    /// candles could have led to.
    pub fn resume(rules: &Rules, timeframe: Timeframe, state: PaperState) -> Result<Self, SimError> {
        rules.check()?;
        if !state.account.is_possible() {
            return Err(SimError::State("its account is none that fills could have made"));
        }
        if let Some((time_ms, price)) = state.close {
            let equity = state.account.equity(price).ok_or(SimError::Overflow { time_ms })?;
            if equity != state.equity {
                return Err(SimError::State("its equity is not that of its account"));
            }
        }
        Ok(Self { rules: rules.clone(), timeframe, state, fills: Fills::NONE })
    }

    /// The account at rest.
    #[must_use]
    pub const fn state(&self) -> PaperState {
        self.state
    }

    /// Takes the candle that closed: fills what was decided at the last close, then marks.
    /// Returns the equity row of this close. The first candle only marks the initial cash.
    ///
    /// # Errors
    /// [`SimError::Price`] for candles that were never checked, [`SimError::Overflow`] beyond
    /// 128 bits; the account is then as it was.
    pub fn close(&mut self, candle: &Candle) -> Result<Money, SimError> {
        let time_ms = candle.open_time_ms + self.timeframe.ms();
        let mut account = self.state.account;
        let mut fills = Fills::NONE;
        if let (Some((last_ms, last_price)), Some(target)) = (self.state.close, self.state.decided)
            && target != account.target()
        {
            let quote = match self.rules.fill_rule {
                FillRule::Close => Quote { time_ms: last_ms, price: last_price },
                FillRule::NextOpen => Quote { time_ms: candle.open_time_ms, price: candle.open },
            };
            if quote.price.0 <= 0 {
                return Err(SimError::Price { time_ms: quote.time_ms });
            }
            let overflow = SimError::Overflow { time_ms: quote.time_ms };
            fills = account.change(target, quote, &self.rules).ok_or(overflow)?;
        }
        if candle.close.0 <= 0 {
            return Err(SimError::Price { time_ms });
        }
        let overflow = || SimError::Overflow { time_ms };
        if self.rules.has_holding_cost() && self.state.close.is_some() {
            account.settle(Quote { time_ms, price: candle.close }, &self.rules).ok_or_else(overflow)?;
        }
        let equity = account.equity(candle.close).ok_or_else(overflow)?;
        self.state = PaperState { account, equity, close: Some((time_ms, candle.close)), decided: None };
        self.fills = fills;
        Ok(equity)
    }

    /// Decides at the close where the account stands; without a decision the target stays.
    pub const fn decide(&mut self, target: Target) {
        self.state.decided = Some(target);
    }

    /// Equity at the last close; the initial cash before the first.
    #[must_use]
    pub const fn equity(&self) -> Money {
        self.state.equity
    }

    /// Whether the equity is lost: nothing is decided after that.
    #[must_use]
    pub const fn is_broke(&self) -> bool {
        self.state.equity.0 <= 0
    }

    /// The target that holds from the last close on: the decision made there, or the one before.
    #[must_use]
    pub fn target(&self) -> Target {
        self.state.decided.unwrap_or_else(|| self.state.account.target())
    }

    /// What a strategy may see of the account: as [`Account::inputs`].
    #[must_use]
    pub fn inputs(&self) -> [f32; 2] {
        self.state.account.inputs(self.state.equity)
    }

    /// The account as it was at the last close, before what was decided there.
    #[must_use]
    pub const fn account(&self) -> &Account {
        &self.state.account
    }

    /// The executions that the last candle brought.
    #[must_use]
    pub const fn fills(&self) -> &Fills {
        &self.fills
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Funding;
    use crate::{End, Simulation};
    use assay_types::{Candles, Market, Qty};
    use proptest::prelude::*;

    fn candles(rows: &[(i64, i128, i128)]) -> Candles {
        let mut candles = Candles::new(Market::new("synthetic", "BTC-USD").unwrap(), Timeframe::H1);
        let mut hour = 0;
        for (skip, open, close) in rows {
            hour += skip;
            let (open, close) = (Price(open * 10_i128.pow(10)), Price(close * 10_i128.pow(10)));
            let open_time_ms = hour * Timeframe::H1.ms();
            candles.push(Candle {
                open_time_ms,
                open,
                high: open.max(close),
                low: open.min(close),
                close,
                volume: Qty(1),
            });
        }
        candles
    }

    proptest! {
        #[test]
        fn it_walks_as_the_simulation_does(
            rows in proptest::collection::vec((1_i64..4, 20_i128..40_000, 20_i128..40_000), 2..60),
            wishes in proptest::collection::vec(0_u8..4, 60),
            next_open in any::<bool>(), borrow in 0_u32..200, bps in 0_u32..50, rate_ppm in -3_000_i32..3_000, rest in 0_usize..60,
        ) {
            let candles = candles(&rows);
            let rules = Rules {
                fill_rule: if next_open { FillRule::NextOpen } else { FillRule::Close },
                borrow_bps_per_day: borrow,
                slippage_bps: bps,
                funding: vec![Funding { time_ms: 20 * Timeframe::H1.ms(), rate_ppm }],
                ..Rules::new("0.01".parse().unwrap())
            };
            let mut simulation = Simulation::new(&candles, &rules, 0..candles.len()).unwrap();
            let mut paper = PaperAccount::new(&rules, Timeframe::H1).unwrap();
            for index in 0..candles.len() {
                prop_assert_eq!(paper.close(&candles.get(index)), Ok(simulation.equity()));
                prop_assert_eq!(paper.account(), simulation.account());
                prop_assert_eq!(paper.inputs(), simulation.account_inputs());
                prop_assert_eq!(paper.fills(), simulation.fills());
                prop_assert_eq!(paper.is_broke(), simulation.end() == Some(End::Terminated));
                if simulation.end().is_some() {
                    break;
                }
                // Three wishes are targets, the fourth leaves the target as it is.
                let target = [Target::Long, Target::Flat, Target::Short, paper.target()][usize::from(wishes[index])];
                if wishes[index] < 3 {
                    paper.decide(target);
                }
                if index == rest {
                    let stored = serde_json::to_string(&paper.state()).unwrap();
                    paper = PaperAccount::resume(&rules, Timeframe::H1, serde_json::from_str(&stored).unwrap()).unwrap();
                }
                simulation.step(target).unwrap();
            }
        }
    }

    #[test]
    fn a_state_that_cannot_be_is_refused() {
        let rules = Rules::new("0.01".parse().unwrap());
        let mut paper = PaperAccount::new(&rules, Timeframe::H1).unwrap();
        let candles = candles(&[(1, 100, 100), (1, 100, 110)]);
        paper.close(&candles.get(0)).unwrap();
        paper.decide(Target::Long);
        paper.close(&candles.get(1)).unwrap();
        let mut state = paper.state();
        state.equity = Money(state.equity.0 + 1);
        assert!(matches!(PaperAccount::resume(&rules, Timeframe::H1, state), Err(SimError::State(_))));
    }
}
