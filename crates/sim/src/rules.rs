//! What an account pays and when its decisions fill.

use assay_types::{DEFAULT_FEE_PPM, FillRule, MAX_PRICE, Money, Price, Qty};
use serde::{Deserialize, Serialize};

use crate::error::SimError;

/// One funding settlement of a perpetual contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Funding {
    /// When it settles, milliseconds since 1970 UTC.
    pub time_ms: i64,
    /// What a long pays a short, in parts per million of the position's value;
    /// negative when the short pays.
    pub rate_ppm: i32,
}

/// Everything but the candles and the decisions that the ledger depends on. The
/// optional costs are left out of the serialised form when they are zero, so that
/// a hash of the rules does not depend on options nobody used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// Initial cash.
    pub cash: Money,
    /// Fee per side in parts per million of the traded value.
    pub fee_ppm: u32,
    /// Slippage against the trader on each fill, in price ticks.
    pub slippage_ticks: u32,
    /// Further slippage in basis points of the price, rounded up to 1e-12.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub slippage_bps: u32,
    /// Cost of a short in basis points of its value per day.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub borrow_bps_per_day: u32,
    /// Funding settlements in strictly ascending time; empty for a spot market.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub funding: Vec<Funding>,
    /// Price tick.
    pub tick: Price,
    /// Quantity step: positions are multiples of it.
    pub step: Qty,
    /// When decisions fill.
    pub fill_rule: FillRule,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(value: &u32) -> bool {
    *value == 0
}

impl Rules {
    /// Initial cash by default.
    pub const DEFAULT_CASH: Money = Money(10_000 * 10_i128.pow(Money::SCALE));
    /// Slippage by default, in price ticks.
    pub const DEFAULT_SLIPPAGE_TICKS: u32 = 3;
    /// The finest quantity step, 1e-12: as good as none.
    pub const FINEST_STEP: Qty = Qty(1);

    /// The defaults for a market with this price tick: 10,000 cash, 0.10 % per side,
    /// 3 ticks of slippage, no other cost, no quantity step, fills at the close.
    #[must_use]
    pub const fn new(tick: Price) -> Self {
        Self {
            cash: Self::DEFAULT_CASH,
            fee_ppm: DEFAULT_FEE_PPM,
            slippage_ticks: Self::DEFAULT_SLIPPAGE_TICKS,
            slippage_bps: 0,
            borrow_bps_per_day: 0,
            funding: Vec::new(),
            tick,
            step: Self::FINEST_STEP,
            fill_rule: FillRule::Close,
        }
    }

    /// The same rules with `factor` times the fee, both slippages and the borrow cost;
    /// funding, which is paid as often as received, stays.
    #[must_use]
    pub fn with_cost_factor(&self, factor: u32) -> Self {
        Self {
            fee_ppm: self.fee_ppm.saturating_mul(factor),
            slippage_ticks: self.slippage_ticks.saturating_mul(factor),
            slippage_bps: self.slippage_bps.saturating_mul(factor),
            borrow_bps_per_day: self.borrow_bps_per_day.saturating_mul(factor),
            ..self.clone()
        }
    }

    /// The same rules with another fill rule.
    #[must_use]
    pub fn with_fill_rule(&self, fill_rule: FillRule) -> Self {
        Self { fill_rule, ..self.clone() }
    }

    /// Checks that every rule is one that the ledger can follow.
    ///
    /// # Errors
    /// [`SimError::Rule`] naming the first that is not.
    pub fn check(&self) -> Result<(), SimError> {
        let error =
            |field, value: &dyn ToString, allowed| Err(SimError::Rule { field, value: value.to_string(), allowed });
        if self.cash <= Money::ZERO || self.cash.0 > MAX_PRICE {
            return error("cash", &self.cash, "use an amount above 0 and up to 1e19");
        }
        if self.fee_ppm > 500_000 {
            return error("fee_ppm", &self.fee_ppm, "use 0 to 500000 (50 %)");
        }
        if self.slippage_ticks > 1_000_000 {
            return error("slippage_ticks", &self.slippage_ticks, "use 0 to 1000000");
        }
        if self.slippage_bps > 5_000 {
            return error("slippage_bps", &self.slippage_bps, "use 0 to 5000 (50 %)");
        }
        if self.borrow_bps_per_day > 10_000 {
            return error("borrow_bps_per_day", &self.borrow_bps_per_day, "use 0 to 10000 (100 % a day)");
        }
        if self.tick <= Price::ZERO || self.tick.0 > MAX_PRICE {
            return error("tick", &self.tick, "use the market's price tick, above 0 and up to 1e15");
        }
        if self.step <= Qty::ZERO || self.step.0 > MAX_PRICE {
            return error("step", &self.step, "use the market's quantity step, above 0 and up to 1e15");
        }
        if let Some(rate) = self.funding.iter().find(|rate| rate.rate_ppm.unsigned_abs() > 1_000_000) {
            return error("funding rate_ppm", &rate.rate_ppm, "use -1000000 to 1000000 (100 %)");
        }
        if let Some(pair) = self.funding.windows(2).find(|pair| pair[0].time_ms >= pair[1].time_ms) {
            return error("funding time_ms", &pair[1].time_ms, "list settlements in strictly ascending time");
        }
        Ok(())
    }

    /// Whether holding a position costs or pays anything by itself.
    #[must_use]
    pub fn has_holding_cost(&self) -> bool {
        self.borrow_bps_per_day != 0 || !self.funding.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bad_rule_is_named() {
        let good = Rules::new("0.01".parse().unwrap());
        assert_eq!(good.check(), Ok(()));
        let late = Funding { time_ms: 5, rate_ppm: 100 };
        for (field, bad) in [
            ("cash", Rules { cash: Money::ZERO, ..good.clone() }),
            ("fee_ppm", Rules { fee_ppm: 500_001, ..good.clone() }),
            ("slippage_ticks", Rules { slippage_ticks: 1_000_001, ..good.clone() }),
            ("slippage_bps", Rules { slippage_bps: 5_001, ..good.clone() }),
            ("borrow_bps_per_day", Rules { borrow_bps_per_day: 10_001, ..good.clone() }),
            ("tick", Rules { tick: Price::ZERO, ..good.clone() }),
            ("step", Rules { step: Qty(-1), ..good.clone() }),
            ("funding time_ms", Rules { funding: vec![late, late], ..good.clone() }),
            ("funding rate_ppm", Rules { funding: vec![Funding { rate_ppm: 1_000_001, ..late }], ..good.clone() }),
        ] {
            assert!(matches!(bad.check(), Err(SimError::Rule { field: named, .. }) if named == field), "{field}");
        }
    }

    #[test]
    fn unused_options_leave_no_trace_in_the_serialised_rules() {
        let rules = Rules::new("0.01".parse().unwrap());
        let text = serde_json::to_string(&rules).unwrap();
        assert_eq!(
            text,
            r#"{"cash":"10000","fee_ppm":1000,"slippage_ticks":3,"tick":"0.01","step":"0.000000000001","fill_rule":"close"}"#
        );
        assert_eq!(serde_json::from_str::<Rules>(&text).unwrap(), rules);
        let costly = rules.with_cost_factor(5);
        assert_eq!((costly.fee_ppm, costly.slippage_ticks), (5_000, 15));
    }
}
