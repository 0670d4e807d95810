//! Curve CryptoSwap: two or three coins of different value.
//!
//! Source: `get_dy` of `curvefi/curve-crypto-contract` (for three coins its view and math
//! contracts) and of the factory's `CurveCryptoSwap2ETH`. Quotes need the state alone; a
//! swap also moves the contract's price oracle, which decides whether the price scale and
//! D move, so that a state without the oracle cannot be followed.

mod generation;
mod invariant;
mod native;

use ruint::aliases::U256;

use self::invariant::Curve;
use super::checked::{Fault, add, div, mul, scale, sub};
use super::search;
use crate::context::{Context, MarginalPrice, Quote, check_pair};
use crate::error::AmmError;
use crate::integer::to_f64;

pub use generation::CryptoGeneration;

/// The unit of prices, gamma and the fee's gamma: 10^18.
const WAD: U256 = U256::from_limbs([1_000_000_000_000_000_000, 0, 0, 0]);

/// What fees count in: parts of 10^10.
const FEE_DENOMINATOR: u64 = 10_000_000_000;

/// Rounds of guessing the fee of an exact output.
const FEE_ROUNDS: usize = 4;

/// What the contract keeps of A and gamma: they move linearly between two times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// A · nⁿ in units of the generation (100 or 10,000), at the start and at the end.
    pub a: [U256; 2],
    /// Gamma with 18 decimals, at the start and at the end.
    pub gamma: [U256; 2],
    /// Start and end of the ramp in seconds since 1970 (UTC). The end is 0 where there never
    /// was one, and 1 once a swap after the end has worked D out.
    pub times: [u64; 2],
}

/// The dynamic fee: between two rates, by how far the balances are from equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CryptoFee {
    /// At equal balances, in parts of 10^10.
    pub mid: u64,
    /// Far from them, in parts of 10^10.
    pub out: u64,
    /// How fast it moves from one to the other, with 18 decimals.
    pub gamma: U256,
}

/// A CryptoSwap pool, at one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurveCrypto {
    /// The contract's rules.
    pub generation: CryptoGeneration,
    /// Balances of the tokens in their own units.
    pub balances: Vec<U256>,
    /// `10^(18 − decimals)` of every token.
    pub precisions: Vec<U256>,
    /// Price of every token but the first in the first, with 18 decimals.
    pub price_scale: Vec<U256>,
    /// The invariant that the contract keeps.
    pub d: U256,
    /// A and gamma.
    pub shape: Shape,
    /// The fee.
    pub fee: CryptoFee,
}

/// What every quote at one block shares.
struct Market<'pool> {
    pool: &'pool CurveCrypto,
    curve: Curve,
    d: U256,
}

impl CurveCrypto {
    /// Checks that a contract could be in this state.
    ///
    /// # Errors
    /// Lists that do not fit the number of coins, a price, precision or D of zero, A or
    /// gamma out of the contract's range, or fees of the whole or more.
    pub fn checked(self) -> Result<Self, AmmError> {
        let count = self.generation.token_count();
        for (field, length, needed) in [
            ("balances", self.balances.len(), count),
            ("precisions", self.precisions.len(), count),
            ("price scales", self.price_scale.len(), count - 1),
        ] {
            if length != needed {
                return Err(AmmError::State(format!("{length} {field}; {} has {needed}", self.generation.name())));
            }
        }
        if self.d.is_zero() || self.precisions.iter().chain(&self.price_scale).any(U256::is_zero) {
            return Err(AmmError::State("D, a precision or a price scale is zero".into()));
        }
        let rules = self.generation.rules();
        for (a, gamma) in self.shape.a.into_iter().zip(self.shape.gamma) {
            if !rules.accept(a, gamma) {
                return Err(AmmError::State(format!("A of {a} with gamma {gamma} is outside the contract's range")));
            }
        }
        for fee in [self.fee.mid, self.fee.out] {
            if fee >= FEE_DENOMINATOR {
                return Err(AmmError::FeeRange { fee, limit: FEE_DENOMINATOR });
            }
        }
        if self.fee.gamma > WAD {
            return Err(AmmError::State(format!("the fee's gamma {} is above 10^18", self.fee.gamma)));
        }
        Ok(self)
    }

    /// Two or three.
    #[must_use]
    pub fn token_count(&self) -> usize {
        self.generation.token_count()
    }

    /// What the contract's `get_dy` says.
    ///
    /// # Errors
    /// A zero amount, or balances that leave the range the contract accepts.
    pub fn quote_exact_in(
        &self,
        token_in: usize,
        token_out: usize,
        amount_in: U256,
        context: &Context,
    ) -> Result<Quote, AmmError> {
        self.check(token_in, token_out, amount_in)?;
        self.market(context)?.quote(token_in, token_out, amount_in)
    }

    /// The least input whose `get_dy` reaches `amount_out`; the contract has no such swap.
    ///
    /// # Errors
    /// A zero amount, or an output that no input reaches.
    pub fn quote_exact_out(
        &self,
        token_in: usize,
        token_out: usize,
        amount_out: U256,
        context: &Context,
    ) -> Result<Quote, AmmError> {
        self.check(token_in, token_out, amount_out)?;
        let available = self.balances[token_out];
        let unreachable = AmmError::InsufficientReserve { token: token_out, amount: amount_out, available };
        if amount_out >= available {
            return Err(unreachable);
        }
        let market = self.market(context)?;
        let guess = market.input_for(token_in, token_out, amount_out).unwrap_or(self.balances[token_in]);
        let amount_in = search::least(guess, |amount| match market.quote(token_in, token_out, amount) {
            Ok(quote) => Ok(quote.amount_out >= amount_out),
            Err(AmmError::Underflow { .. }) => Ok(false),
            Err(error) => Err(error),
        })
        .ok_or(unreachable)?;
        Ok(Quote { amount_in, amount_out })
    }

    /// Refused: the state has no price oracle, which the contract's `exchange` moves.
    ///
    /// # Errors
    /// Always, with what is missing; or as the quote.
    pub fn swap_exact_in(
        &mut self,
        token_in: usize,
        token_out: usize,
        amount_in: U256,
        context: &Context,
    ) -> Result<Quote, AmmError> {
        self.quote_exact_in(token_in, token_out, amount_in, context)?;
        Err(AmmError::Missing("the price oracle (last prices, their averages and the profit counters)"))
    }

    /// Refused, as [`Self::swap_exact_in`].
    ///
    /// # Errors
    /// Always, with what is missing; or as the quote.
    pub fn swap_exact_out(
        &mut self,
        token_in: usize,
        token_out: usize,
        amount_out: U256,
        context: &Context,
    ) -> Result<Quote, AmmError> {
        let quote = self.quote_exact_out(token_in, token_out, amount_out, context)?;
        self.swap_exact_in(token_in, token_out, quote.amount_in, context)
    }

    /// The slope of the invariant at the balances and the fee there. Relative error below
    /// 1e-9 while the kept D fits the balances.
    ///
    /// # Errors
    /// An empty pool.
    pub fn marginal_price(
        &self,
        token_in: usize,
        token_out: usize,
        context: &Context,
    ) -> Result<MarginalPrice, AmmError> {
        check_pair(token_in, token_out, self.token_count())?;
        self.market(context)?.marginal_price(token_in, token_out)
    }

    /// The largest input that `get_dy` answers: beyond it, a balance leaves the range of 1%
    /// to 10,000% of D that the contract accepts.
    ///
    /// # Errors
    /// An empty pool.
    pub fn max_in(&self, token_in: usize, token_out: usize, context: &Context) -> Result<U256, AmmError> {
        check_pair(token_in, token_out, self.token_count())?;
        let market = self.market(context)?;
        let limit = market.units(token_in, mul(market.d, U256::from(101)).unwrap_or(U256::MAX)).unwrap_or(U256::MAX);
        Ok(search::largest(limit, |amount| {
            matches!(market.amount_out(token_in, token_out, amount), Ok(_) | Err(Fault::Negative { .. }))
        }))
    }

    fn check(&self, token_in: usize, token_out: usize, amount: U256) -> Result<(), AmmError> {
        check_pair(token_in, token_out, self.token_count())?;
        if amount.is_zero() { Err(AmmError::ZeroAmount) } else { Ok(()) }
    }

    /// A and gamma at the block, in the contract's rounding.
    fn curve(&self, context: &Context) -> Result<Curve, AmmError> {
        let rules = self.generation.rules();
        let ([a0, a1], [gamma0, gamma1], [start, end]) = (self.shape.a, self.shape.gamma, self.shape.times);
        if context.timestamp >= end {
            return Ok(Curve { ann: a1, gamma: gamma1, rules });
        }
        if context.timestamp == 0 {
            return Err(AmmError::Missing("the block's timestamp, which the ramp of A and gamma needs"));
        }
        let between = |from: U256, to: U256| {
            let (now, start, end) = (U256::from(context.timestamp), U256::from(start), U256::from(end));
            let (passed, whole) = (sub(now, start)?, sub(end, start)?);
            div(add(mul(from, sub(whole, passed)?)?, mul(to, passed)?)?, whole)
        };
        let explain =
            |fault: Fault| fault.explain(|| format!("the ramp from {start} to {end} at {}", context.timestamp));
        Ok(Curve { ann: between(a0, a1).map_err(explain)?, gamma: between(gamma0, gamma1).map_err(explain)?, rules })
    }

    fn market(&self, context: &Context) -> Result<Market<'_>, AmmError> {
        let curve = self.curve(context)?;
        let mut d = self.d;
        if curve.rules.fresh_d && self.shape.times[1] > 0 {
            d = self
                .common_balances(None)
                .and_then(|balances| curve.invariant(&balances[..self.token_count()]))
                .map_err(|fault| fault.explain(|| format!("D of the balances {}", self.listed())))?;
        }
        Ok(Market { pool: self, curve, d })
    }

    /// Balances in units of the first token with 18 decimals, after an amount came in.
    fn common_balances(&self, paid: Option<(usize, U256)>) -> Result<[U256; 3], Fault> {
        let mut common = [U256::ZERO; 3];
        for (token, balance) in self.balances.iter().enumerate() {
            let paid = paid.filter(|(index, _)| *index == token).map_or(U256::ZERO, |(_, amount)| amount);
            common[token] = self.common(token, add(*balance, paid)?)?;
        }
        Ok(common)
    }

    fn common(&self, token: usize, amount: U256) -> Result<U256, Fault> {
        match token.checked_sub(1) {
            None => mul(amount, self.precisions[0]),
            Some(price) => scale(mul(amount, self.price_scale[price])?, self.precisions[token], WAD),
        }
    }

    fn listed(&self) -> String {
        self.balances.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }

    /// The fee rate at balances in common units (`_fee`).
    fn fee_rate(&self, x: &[U256]) -> Result<U256, Fault> {
        let mut sum = U256::ZERO;
        for balance in x {
            sum = add(sum, *balance)?;
        }
        let k = if let [first, second] = x {
            scale(scale(WAD * U256::from(4), *first, sum)?, *second, sum)?
        } else {
            let count = U256::from(x.len());
            let mut k = WAD;
            for balance in x {
                k = scale(mul(k, count)?, *balance, sum)?;
            }
            k
        };
        // Three coins alone read a gamma of zero as the plain ratio.
        let reduction = if self.fee.gamma.is_zero() && x.len() == 3 {
            k
        } else {
            scale(self.fee.gamma, WAD, sub(self.fee.gamma + WAD, k)?)?
        };
        let mid = mul(U256::from(self.fee.mid), reduction)?;
        let out = mul(U256::from(self.fee.out), sub(WAD, reduction)?)?;
        Ok(add(mid, out)? / WAD)
    }
}

impl Market<'_> {
    fn quote(&self, token_in: usize, token_out: usize, amount_in: U256) -> Result<Quote, AmmError> {
        let amount_out = self.amount_out(token_in, token_out, amount_in).map_err(|fault| {
            fault.explain(|| {
                let balances = self.pool.listed();
                format!("the swap of {amount_in} of token {token_in} for token {token_out} at the balances {balances}")
            })
        })?;
        Ok(Quote { amount_in, amount_out })
    }

    fn amount_out(&self, token_in: usize, token_out: usize, amount_in: U256) -> Result<U256, Fault> {
        let mut balances = self.pool.common_balances(Some((token_in, amount_in)))?;
        let balances = &mut balances[..self.pool.token_count()];
        let balance_out = self.curve.balance(balances, self.d, token_out)?;
        let common = sub(sub(balances[token_out], balance_out)?, U256::ONE)?;
        balances[token_out] = balance_out;
        let gross = self.units(token_out, common)?;
        let fee = mul(self.pool.fee_rate(balances)?, gross)? / U256::from(FEE_DENOMINATOR);
        sub(gross, fee)
    }

    /// Common units in units of a token.
    fn units(&self, token: usize, common: U256) -> Result<U256, Fault> {
        let amount = match token.checked_sub(1) {
            None => common,
            Some(price) => scale(common, WAD, self.pool.price_scale[price])?,
        };
        Ok(amount / self.pool.precisions[token])
    }

    /// The swap worked backwards: near the answer.
    fn input_for(&self, token_in: usize, token_out: usize, amount_out: U256) -> Result<U256, Fault> {
        let start = self.pool.common_balances(None)?;
        let count = self.pool.token_count();
        let denominator = U256::from(FEE_DENOMINATOR);
        let mut after = start;
        // The fee depends on where the swap ends: each round starts from the last one's end.
        for _ in 0..FEE_ROUNDS {
            let kept = sub(denominator, self.pool.fee_rate(&after[..count])?)?;
            let gross = self.pool.common(token_out, scale(amount_out, denominator, kept)?)?;
            after[token_out] = sub(start[token_out], gross)?;
            after[token_in] = self.curve.balance(&after[..count], self.d, token_in)?;
        }
        self.units(token_in, sub(after[token_in], start[token_in])?)
    }

    fn marginal_price(&self, token_in: usize, token_out: usize) -> Result<MarginalPrice, AmmError> {
        let empty = |fault: Fault| fault.explain(|| format!("the price at the balances {}", self.pool.listed()));
        let balances = self.pool.common_balances(None).map_err(empty)?;
        let balances = &balances[..self.pool.token_count()];
        if balances.iter().any(U256::is_zero) {
            return Err(empty(Fault::Division { dividend: self.d }));
        }
        let fee = self.pool.fee_rate(balances).map_err(empty)?;
        let count = balances.iter().fold(0.0, |count, _| count + 1.0);
        let (d, wad) = (to_f64(self.d), to_f64(WAD));
        let k0 = balances.iter().fold(1.0, |k0, x| k0 * (to_f64(*x) * count / d));
        let gamma = to_f64(self.curve.gamma) / wad;
        let ann = to_f64(self.curve.ann) / to_f64(U256::from(self.curve.rules.a_unit));
        let distance = gamma + (1.0 - k0);
        let sum = balances.iter().fold(U256::ZERO, |sum, x| sum.saturating_add(*x));
        let excess = if sum >= self.d { to_f64(sum - self.d) / d } else { -to_f64(self.d - sum) / d };
        // The derivative of ann·γ²·K0/(γ+1−K0)²·(Σx/D − 1) + K0 by x, where K0' = K0/x.
        let pull = ann * (gamma / distance) * (gamma / distance);
        let by_product = pull * (1.0 + 2.0 * k0 / distance) * excess + 1.0;
        let slope = |x: U256| k0 * (by_product / to_f64(x) + pull / d);
        let unit = |token: usize| {
            let price = token.checked_sub(1).map_or(1.0, |price| to_f64(self.pool.price_scale[price]) / wad);
            price * to_f64(self.pool.precisions[token])
        };
        let without_fee = slope(balances[token_in]) / slope(balances[token_out]) * (unit(token_in) / unit(token_out));
        let denominator = U256::from(FEE_DENOMINATOR);
        let kept = to_f64(denominator.saturating_sub(fee)) / to_f64(denominator);
        Ok(MarginalPrice { without_fee, with_fee: without_fee * kept })
    }
}
