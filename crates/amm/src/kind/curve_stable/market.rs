//! One pool at one block: balances in common units, A and D worked out once, and the
//! amounts of swaps against them.

use ruint::aliases::U256;

use super::generation::Rules;
use super::invariant::{balance_of_rest, invariant};
use super::{CurveStable, FEE_DENOMINATOR, MAX_TOKENS, PRECISION};
use crate::context::{Context, MarginalPrice, Quote};
use crate::error::AmmError;
use crate::integer::to_f64;
use crate::kind::checked::{Fault, add, div, div_ceil, mul, scale, sub};
use crate::kind::search;

/// Rounds of guessing the fee of an exact output, where it grows off the peg.
const FEE_ROUNDS: usize = 4;

/// Which of the contract's functions asks: some read A without its decimals in quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    Quote,
    Swap,
}

/// A swap's output and the two balances it leaves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exchange {
    pub amount_out: U256,
    pub balance_in: U256,
    pub balance_out: U256,
}

/// What every swap at one block shares.
#[derive(Debug, Clone)]
pub(crate) struct Market<'pool> {
    pub pool: &'pool CurveStable,
    pub(super) rules: Rules,
    pub rates: [U256; MAX_TOKENS],
    balances: [U256; MAX_TOKENS],
    /// A · n, in units of the generation.
    pub ann: U256,
    pub d: U256,
}

impl CurveStable {
    /// The pool under other rates than its own (a meta pool's depend on its base).
    pub(crate) fn market(&self, rates: &[U256], context: &Context, reading: Reading) -> Result<Market<'_>, AmmError> {
        let amplification = self.amplification.at(context)?;
        let market = self.market_at(rates, amplification, reading).map_err(|fault| self.explain(fault))?;
        if market.d.is_zero() {
            return Err(AmmError::NoLiquidity("every balance is zero".into()));
        }
        Ok(market)
    }

    fn market_at(&self, rates: &[U256], mut amplification: U256, reading: Reading) -> Result<Market<'_>, Fault> {
        let rules = self.generation.rules();
        if rules.coarse_a_quote && reading == Reading::Quote {
            let unit = U256::from(rules.a_unit);
            amplification = amplification / unit * unit;
        }
        let ann = mul(amplification, U256::from(self.token_count()))?;
        let mut market = Market {
            pool: self,
            rules,
            rates: [U256::ZERO; MAX_TOKENS],
            balances: [U256::ZERO; MAX_TOKENS],
            ann,
            d: U256::ZERO,
        };
        for (token, (rate, balance)) in rates.iter().zip(&self.balances).enumerate() {
            market.rates[token] = *rate;
            market.balances[token] = to_common(*balance, *rate)?;
        }
        market.d = invariant(market.balances(), ann, &rules)?;
        Ok(market)
    }
}

impl Market<'_> {
    /// Balances in common units.
    pub(crate) fn balances(&self) -> &[U256] {
        &self.balances[..self.pool.token_count()]
    }

    pub(crate) fn quote(&self, token_in: usize, token_out: usize, amount_in: U256) -> Result<Quote, AmmError> {
        let amount_out = self
            .amount_out(token_in, token_out, amount_in)
            .map_err(|fault| self.explain(fault, token_in, token_out, amount_in))?;
        Ok(Quote { amount_in, amount_out })
    }

    pub(crate) fn exchange(&self, token_in: usize, token_out: usize, amount_in: U256) -> Result<Exchange, AmmError> {
        self.exchanged(token_in, token_out, amount_in)
            .map_err(|fault| self.explain(fault, token_in, token_out, amount_in))
    }

    pub(crate) fn explain(&self, fault: Fault, token_in: usize, token_out: usize, amount: U256) -> AmmError {
        fault.explain(|| {
            let balances: Vec<String> = self.pool.balances.iter().map(ToString::to_string).collect();
            format!(
                "the swap of {amount} of token {token_in} for token {token_out} at the balances {}",
                balances.join(", ")
            )
        })
    }

    /// The balance of `token_out` in common units, once `token_in` holds `balance_in`.
    pub(crate) fn balance_out(&self, token_in: usize, token_out: usize, balance_in: U256) -> Result<U256, Fault> {
        let others = self.balances().iter().enumerate().filter(|(token, _)| *token != token_out);
        let others = others.map(|(token, balance)| if token == token_in { balance_in } else { *balance });
        balance_of_rest(others, self.pool.token_count(), self.d, self.ann, &self.rules)
    }

    /// The fee rate of a swap that moves two balances (in common units).
    pub(crate) fn fee_rate(
        &self,
        token_in: usize,
        token_out: usize,
        balance_in: U256,
        balance_out: U256,
    ) -> Result<U256, Fault> {
        let average = |token: usize, new: U256| Ok(add(self.balances[token], new)? >> 1);
        self.pool.fee_rate_at(U256::from(self.pool.fee), || {
            Ok((average(token_in, balance_in)?, average(token_out, balance_out)?))
        })
    }

    fn amount_out(&self, token_in: usize, token_out: usize, amount_in: U256) -> Result<U256, Fault> {
        let balance_in = add(self.balances[token_in], to_common(amount_in, self.rates[token_in])?)?;
        let balance_out = self.balance_out(token_in, token_out, balance_in)?;
        let mut gross = sub(self.balances[token_out], balance_out)?;
        if self.rules.unit_off_quote {
            gross = sub(gross, U256::ONE)?;
        }
        if self.rules.fee_after_conversion {
            gross = to_units(gross, self.rates[token_out])?;
        }
        let rate = self.fee_rate(token_in, token_out, balance_in, balance_out)?;
        let net = sub(gross, share(gross, rate)?)?;
        if self.rules.fee_after_conversion { Ok(net) } else { to_units(net, self.rates[token_out]) }
    }

    fn exchanged(&self, token_in: usize, token_out: usize, amount_in: U256) -> Result<Exchange, Fault> {
        let (rate_in, rate_out) = (self.rates[token_in], self.rates[token_out]);
        let in_common = add(self.balances[token_in], to_common(amount_in, rate_in)?)?;
        let out_common = self.balance_out(token_in, token_out, in_common)?;
        let mut gross = sub(self.balances[token_out], out_common)?;
        if self.rules.unit_off_swap {
            gross = sub(gross, U256::ONE)?;
        }
        let rate = self.fee_rate(token_in, token_out, in_common, out_common)?;
        let fee = share(gross, rate)?;
        let admin = share(fee, U256::from(self.pool.admin_fee))?;
        let amount_out = to_units(sub(gross, fee)?, rate_out)?;
        let (balance_in, balance_out) = if self.rules.balances_from_invariant {
            (to_units(in_common, rate_in)?, to_units(add(out_common, sub(fee, admin)?)?, rate_out)?)
        } else {
            let left = sub(self.pool.balances[token_out], amount_out)?;
            (add(self.pool.balances[token_in], amount_in)?, sub(left, to_units(admin, rate_out)?)?)
        };
        Ok(Exchange { amount_out, balance_in, balance_out })
    }

    /// The least input whose quote or swap gives `amount_out`.
    pub(crate) fn least_input(
        &self,
        token_in: usize,
        token_out: usize,
        amount_out: U256,
        reading: Reading,
    ) -> Result<U256, AmmError> {
        let available = self.pool.balances[token_out];
        let unreachable = AmmError::InsufficientReserve { token: token_out, amount: amount_out, available };
        if amount_out >= available {
            return Err(unreachable);
        }
        let gives = |amount: U256| match reading {
            Reading::Quote => self.quote(token_in, token_out, amount).map(|quote| quote.amount_out),
            Reading::Swap => self.exchange(token_in, token_out, amount).map(|exchange| exchange.amount_out),
        };
        let guess = self.input_for(token_in, token_out, amount_out, reading).unwrap_or(self.pool.balances[token_in]);
        search::least(guess, |amount| match gives(amount) {
            Ok(out) => Ok(out >= amount_out),
            // Too small an amount to give anything.
            Err(AmmError::Underflow { .. }) => Ok(false),
            Err(error) => Err(error),
        })
        .ok_or(unreachable)
    }

    /// The swap worked backwards: a few units from the answer.
    fn input_for(&self, token_in: usize, token_out: usize, amount_out: U256, reading: Reading) -> Result<U256, Fault> {
        let (unit_off, fee_last) = match reading {
            Reading::Quote => (self.rules.unit_off_quote, self.rules.fee_after_conversion),
            Reading::Swap => (self.rules.unit_off_swap, false),
        };
        let rate_out = self.rates[token_out];
        let mut after = (self.balances[token_in], self.balances[token_out]);
        // The fee may depend on where the swap ends: each round starts from the last one's end.
        for _ in 0..FEE_ROUNDS {
            let rate = self.fee_rate(token_in, token_out, after.0, after.1)?;
            let gross = if fee_last {
                to_common_up(gross_up(amount_out, rate)?, rate_out)?
            } else {
                gross_up(to_common_up(amount_out, rate_out)?, rate)?
            };
            let left = sub(sub(self.balances[token_out], gross)?, U256::from(u8::from(unit_off)))?;
            after = (self.balance_out(token_out, token_in, left)?, left);
            if self.pool.offpeg_fee_multiplier <= FEE_DENOMINATOR {
                break;
            }
        }
        to_units_up(sub(after.0, self.balances[token_in])?, self.rates[token_in])
    }

    pub(crate) fn marginal_price(&self, token_in: usize, token_out: usize) -> Result<MarginalPrice, AmmError> {
        let (balance_in, balance_out) = (self.balances[token_in], self.balances[token_out]);
        if self.balances().iter().any(U256::is_zero) {
            return Err(self.pool.explain(Fault::Division { dividend: self.d }));
        }
        let rate = self
            .fee_rate(token_in, token_out, balance_in, balance_out)
            .map_err(|fault| self.explain(fault, token_in, token_out, U256::ZERO))?;
        let d = to_f64(self.d);
        let count = self.balances().iter().fold(0.0, |count, _| count + 1.0);
        let product = self.balances().iter().fold(d, |product, x| product * (d / (to_f64(*x) * count)));
        let ann = to_f64(self.ann) / to_f64(U256::from(self.rules.a_unit));
        let slope = |balance: U256| ann + product / to_f64(balance);
        let without_fee =
            slope(balance_in) / slope(balance_out) * (to_f64(self.rates[token_in]) / to_f64(self.rates[token_out]));
        let denominator = U256::from(FEE_DENOMINATOR);
        let kept = to_f64(denominator.saturating_sub(rate)) / to_f64(denominator);
        Ok(MarginalPrice { without_fee, with_fee: without_fee * kept })
    }

    pub(crate) fn max_in(&self, token_in: usize, token_out: usize) -> U256 {
        search::largest(U256::MAX / self.rates[token_in].max(U256::ONE), |amount| {
            matches!(self.amount_out(token_in, token_out, amount), Ok(_) | Err(Fault::Negative { .. }))
        })
    }
}

impl CurveStable {
    /// `base` where the fee is constant, otherwise what it grows to at two balances
    /// (`_dynamic_fee`).
    pub(super) fn fee_rate_at(
        &self,
        base: U256,
        balances: impl FnOnce() -> Result<(U256, U256), Fault>,
    ) -> Result<U256, Fault> {
        if self.offpeg_fee_multiplier <= FEE_DENOMINATOR {
            return Ok(base);
        }
        let multiplier = U256::from(self.offpeg_fee_multiplier);
        let denominator = U256::from(FEE_DENOMINATOR);
        let (a, b) = balances()?;
        let sum = add(a, b)?;
        let excess = mul(mul(mul(multiplier - denominator, U256::from(4))?, a)?, b)?;
        let below = add(div(excess, mul(sum, sum)?)?, denominator)?;
        div(mul(multiplier, base)?, below)
    }
}

/// An amount of a token in common units.
#[inline]
pub(crate) fn to_common(amount: U256, rate: U256) -> Result<U256, Fault> {
    Ok(mul(amount, rate)? / U256::from(PRECISION))
}

/// An amount in common units in units of a token.
#[inline]
pub(crate) fn to_units(amount: U256, rate: U256) -> Result<U256, Fault> {
    scale(amount, U256::from(PRECISION), rate)
}

/// The least amount of a token that counts for `common`.
fn to_units_up(common: U256, rate: U256) -> Result<U256, Fault> {
    let product = mul(common, U256::from(PRECISION))?;
    div_ceil(product, rate)
}

/// The least value in common units that converts to `amount`.
fn to_common_up(amount: U256, rate: U256) -> Result<U256, Fault> {
    div_ceil(mul(amount, rate)?, U256::from(PRECISION))
}

/// The least amount that leaves `net` after a fee of `rate`.
fn gross_up(net: U256, rate: U256) -> Result<U256, Fault> {
    let denominator = U256::from(FEE_DENOMINATOR);
    let mut gross = scale(net, denominator, sub(denominator, rate)?)?;
    // The fee rounds down: one unit less may leave as much.
    if !gross.is_zero() && sub(gross - U256::ONE, share(gross - U256::ONE, rate)?)? >= net {
        gross -= U256::ONE;
    }
    Ok(gross)
}

/// A part of `amount`, in parts of 10^10.
#[inline]
pub(crate) fn share(amount: U256, rate: U256) -> Result<U256, Fault> {
    Ok(mul(amount, rate)? / U256::from(FEE_DENOMINATOR))
}
