//! Balancer V2 stable pools: meta-stable (tokens with rates) and composable stable, whose
//! own pool token is among the tokens, so that joins and exits are swaps too.
//!
//! Source: `StableMath`, `BaseGeneralPool` and `ComposableStablePool` of the Balancer V2
//! repository. Amounts are scaled by decimals and rate; the fee comes off the input before
//! scaling, and a swap against the pool token takes it inside the curve instead.

use ruint::aliases::U256;

use super::balancer::fixed_point::{ONE, div_down, div_up, mul_down};
use super::balancer::pool_token::{Change, Operation, PoolTokenState};
use super::balancer::stable_math::{Balances, Curve, InvariantVersion, Join, MAX_TOKENS};
use super::balancer::{
    MAX_BALANCE, add_fee, check_balances, check_fee, check_settlement, check_swap, settle, subtract_fee,
};
use super::search::largest;
use crate::context::{Context, MarginalPrice, Quote, check_pair};
use crate::error::AmmError;
use crate::integer::to_f64;

/// The amplification `A · n^(n−1)` in thousandths, which the contract moves linearly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amplification {
    /// At `start_time`.
    pub start: u64,
    /// From `end_time` on.
    pub end: u64,
    /// Seconds (UTC).
    pub start_time: u64,
    /// Seconds (UTC).
    pub end_time: u64,
}

/// The pool token among the tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolToken {
    /// Its index.
    pub index: usize,
    /// What swaps against it need; without it they are refused.
    pub state: Option<PoolTokenState>,
}

/// A stable pool: the Vault's balances in token units, scaling factors, amplification, fee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BalancerStable {
    balances: Vec<u128>,
    /// `10^(18 − decimals)` times the rate, in 18 decimals, per token.
    scaling_factors: Vec<U256>,
    amplification: Amplification,
    fee: U256,
    version: InvariantVersion,
    pool_token: Option<PoolToken>,
    /// Last second of every cached rate; none expires when empty.
    rate_expires: Vec<u64>,
}

impl Amplification {
    /// The largest the contract accepts, in thousandths.
    pub const MAX: u64 = 5_000_000;

    /// A value that does not move.
    #[must_use]
    pub fn steady(value: u64) -> Self {
        Self { start: value, end: value, start_time: 0, end_time: 0 }
    }

    /// The value at `timestamp`.
    ///
    /// # Errors
    /// A time before the ramp began.
    pub fn at(&self, timestamp: u64) -> Result<u64, AmmError> {
        if timestamp >= self.end_time {
            return Ok(self.end);
        }
        let Some(passed) = timestamp.checked_sub(self.start_time) else {
            let start = self.start_time;
            return Err(AmmError::State(format!("the amplification at {timestamp}, before its ramp began at {start}")));
        };
        // Values below 2^23 and a day or more: the product cannot leave 128 bits.
        let moved = u128::from(self.start.abs_diff(self.end)) * u128::from(passed);
        let moved = (moved / u128::from(self.end_time - self.start_time)) as u64;
        Ok(if self.end > self.start { self.start + moved } else { self.start - moved })
    }

    fn check(&self) -> Result<(), AmmError> {
        for value in [self.start, self.end] {
            if !(1000..=Self::MAX).contains(&value) {
                return Err(AmmError::State(format!("an amplification of {value} thousandths")));
            }
        }
        if self.end_time < self.start_time {
            let (start, end) = (self.start_time, self.end_time);
            return Err(AmmError::State(format!("an amplification ramp from {start} back to {end}")));
        }
        Ok(())
    }
}

impl BalancerStable {
    /// A pool without its own token: `balances` in token units, `scaling_factors` and
    /// `fee` in 18 decimals.
    ///
    /// # Errors
    /// Lists of different lengths or not of two to five tokens, a scaling factor of zero,
    /// an amplification outside 1 to 5,000, a fee of one or more, a balance above 112 bits.
    pub fn new(
        balances: Vec<u128>,
        scaling_factors: Vec<U256>,
        amplification: Amplification,
        fee: U256,
        version: InvariantVersion,
    ) -> Result<Self, AmmError> {
        Self::build(balances, scaling_factors, amplification, fee, version, None)
    }

    /// A composable pool, whose `pool_token` is one of the tokens.
    ///
    /// # Errors
    /// As [`Self::new`] for the tokens besides the pool token, a pool token out of range or
    /// with a scaling factor other than one, or a state of it no contract can be in.
    pub fn composable(
        balances: Vec<u128>,
        scaling_factors: Vec<U256>,
        amplification: Amplification,
        fee: U256,
        version: InvariantVersion,
        pool_token: PoolToken,
    ) -> Result<Self, AmmError> {
        Self::build(balances, scaling_factors, amplification, fee, version, Some(pool_token))
    }

    fn build(
        balances: Vec<u128>,
        scaling_factors: Vec<U256>,
        amplification: Amplification,
        fee: U256,
        version: InvariantVersion,
        pool_token: Option<PoolToken>,
    ) -> Result<Self, AmmError> {
        let count = balances.len();
        let traded = count - usize::from(pool_token.is_some() && count > 0);
        if !(2..=MAX_TOKENS).contains(&traded) {
            return Err(AmmError::State(format!("{traded} tokens in a stable pool of 2 to {MAX_TOKENS}")));
        }
        if scaling_factors.len() != count {
            return Err(AmmError::State(format!("{count} balances and {} scaling factors", scaling_factors.len())));
        }
        if scaling_factors.iter().any(|factor| factor.is_zero()) {
            return Err(AmmError::State("a scaling factor is zero".into()));
        }
        if let Some(PoolToken { index, state }) = &pool_token {
            match scaling_factors.get(*index) {
                Some(factor) if *factor == ONE => {}
                Some(factor) => {
                    return Err(AmmError::State(format!("the pool token is scaled by {factor}, not {ONE}")));
                }
                None => return Err(AmmError::State(format!("the pool token is token {index} of {count}"))),
            }
            if let Some(state) = state {
                state.check(traded)?;
            }
        }
        amplification.check()?;
        check_fee(fee)?;
        check_balances(&balances)?;
        Ok(Self { balances, scaling_factors, amplification, fee, version, pool_token, rate_expires: Vec::new() })
    }

    /// Says until which second (UTC) every cached rate is valid; later blocks are refused,
    /// since the contract would ask the rate provider again.
    ///
    /// # Errors
    /// Another number of times than tokens.
    pub fn with_rate_expiry(mut self, expires: Vec<u64>) -> Result<Self, AmmError> {
        if expires.len() != self.balances.len() {
            let (times, tokens) = (expires.len(), self.balances.len());
            return Err(AmmError::State(format!("{times} rate expiries for {tokens} tokens")));
        }
        self.rate_expires = expires;
        Ok(self)
    }

    /// The Vault's balances, in token units, the pool token's among them.
    #[must_use]
    pub fn balances(&self) -> &[u128] {
        &self.balances
    }

    /// The pool token, in composable pools.
    #[must_use]
    pub fn pool_token(&self) -> Option<&PoolToken> {
        self.pool_token.as_ref()
    }

    /// Tokens of the pool, its own among them.
    #[must_use]
    pub fn token_count(&self) -> usize {
        self.balances.len()
    }

    /// What `amount_in` buys, as a swap of the Vault "given in".
    ///
    /// # Errors
    /// A zero amount, an empty balance, an output below one unit of the curve, a balance
    /// that would leave 112 bits, or a swap against the pool token without its state.
    pub fn quote_exact_in(
        &self,
        token_in: usize,
        token_out: usize,
        amount_in: U256,
        context: &Context,
    ) -> Result<Quote, AmmError> {
        Ok(self.exact_in(token_in, token_out, amount_in, context)?.0)
    }

    /// What buys `amount_out`, as a swap of the Vault "given out".
    ///
    /// # Errors
    /// As [`Self::quote_exact_in`], or more asked for than there is.
    pub fn quote_exact_out(
        &self,
        token_in: usize,
        token_out: usize,
        amount_out: U256,
        context: &Context,
    ) -> Result<Quote, AmmError> {
        Ok(self.exact_out(token_in, token_out, amount_out, context)?.0)
    }

    /// [`Self::quote_exact_in`], and moves the balances.
    ///
    /// # Errors
    /// As the quote; the state is then unchanged.
    pub fn swap_exact_in(
        &mut self,
        token_in: usize,
        token_out: usize,
        amount_in: U256,
        context: &Context,
    ) -> Result<Quote, AmmError> {
        let (quote, change) = self.exact_in(token_in, token_out, amount_in, context)?;
        self.settle(token_in, token_out, &quote, change, context)?;
        Ok(quote)
    }

    /// [`Self::quote_exact_out`], and moves the balances.
    ///
    /// # Errors
    /// As the quote; the state is then unchanged.
    pub fn swap_exact_out(
        &mut self,
        token_in: usize,
        token_out: usize,
        amount_out: U256,
        context: &Context,
    ) -> Result<Quote, AmmError> {
        let (quote, change) = self.exact_out(token_in, token_out, amount_out, context)?;
        self.settle(token_in, token_out, &quote, change, context)?;
        Ok(quote)
    }

    fn exact_in(
        &self,
        token_in: usize,
        token_out: usize,
        amount_in: U256,
        context: &Context,
    ) -> Result<(Quote, Option<Change>), AmmError> {
        check_swap(token_in, token_out, self.token_count(), amount_in)?;
        let curve = self.curve(context)?;
        let balances = self.scaled()?;
        let (bought, change) = if let Some((state, operation, index)) = self.against_pool(token_in, token_out, true)? {
            let amount = mul_down(amount_in, self.scaling_factors[token_in])?;
            let change = self.change(state, &curve, &balances, operation, index, amount)?;
            (change.calculated, Some(change))
        } else {
            let paid = mul_down(subtract_fee(amount_in, self.fee)?, self.scaling_factors[token_in])?;
            let invariant = curve.invariant(&balances)?;
            let (index_in, index_out) = (self.curve_index(token_in), self.curve_index(token_out));
            (curve.out_given_in(&balances, index_in, index_out, paid, invariant)?, None)
        };
        let quote = Quote { amount_in, amount_out: div_down(bought, self.scaling_factors[token_out])? };
        check_settlement(&self.balances, token_in, token_out, &quote)?;
        Ok((quote, change))
    }

    fn exact_out(
        &self,
        token_in: usize,
        token_out: usize,
        amount_out: U256,
        context: &Context,
    ) -> Result<(Quote, Option<Change>), AmmError> {
        check_swap(token_in, token_out, self.token_count(), amount_out)?;
        let curve = self.curve(context)?;
        let balances = self.scaled()?;
        let amount = mul_down(amount_out, self.scaling_factors[token_out])?;
        let factor = self.scaling_factors[token_in];
        let (amount_in, change) =
            if let Some((state, operation, index)) = self.against_pool(token_in, token_out, false)? {
                let change = self.change(state, &curve, &balances, operation, index, amount)?;
                (div_up(change.calculated, factor)?, Some(change))
            } else {
                let invariant = curve.invariant(&balances)?;
                let (index_in, index_out) = (self.curve_index(token_in), self.curve_index(token_out));
                let paid = curve.in_given_out(&balances, index_in, index_out, amount, invariant)?;
                (add_fee(div_up(paid, factor)?, self.fee)?, None)
            };
        let quote = Quote { amount_in, amount_out };
        check_settlement(&self.balances, token_in, token_out, &quote)?;
        Ok((quote, change))
    }

    /// The price of an infinitely small swap, from the derivatives of the invariant.
    ///
    /// # Errors
    /// An empty balance, or a swap against the pool token without its state.
    pub fn marginal_price(
        &self,
        token_in: usize,
        token_out: usize,
        context: &Context,
    ) -> Result<MarginalPrice, AmmError> {
        check_pair(token_in, token_out, self.token_count())?;
        let curve = self.curve(context)?;
        let balances = self.scaled()?;
        let units = to_f64(self.scaling_factors[token_in]) / to_f64(self.scaling_factors[token_out]);
        let fee = to_f64(self.fee) / to_f64(ONE);
        let Some((state, operation, index)) = self.against_pool(token_in, token_out, true)? else {
            let slopes = Slopes::new(&curve, &balances, curve.invariant(&balances)?)?;
            let (index_in, index_out) = (self.curve_index(token_in), self.curve_index(token_out));
            let without_fee = slopes.of(index_in) / slopes.of(index_out) * units;
            return Ok(MarginalPrice { without_fee, with_fee: without_fee * (1.0 - fee) });
        };
        let (join, _) = self.before(state, &curve, &balances)?;
        let slopes = Slopes::new(&curve, &balances, join.invariant)?;
        // Pool tokens per scaled unit of the token; the fee is on what exceeds its share.
        let per_token = slopes.of(index) / slopes.of_invariant() * to_f64(join.supply) / to_f64(join.invariant);
        let share = to_f64(balances.get()[index]) / to_f64(balances.total()?);
        let without_fee = if operation == Operation::TokenIn { per_token * units } else { units / per_token };
        Ok(MarginalPrice { without_fee, with_fee: without_fee * (1.0 - fee * (1.0 - share)) })
    }

    /// The largest input the pool takes: what the Vault can still store, or the most pool
    /// tokens whose exit has a quote.
    ///
    /// # Errors
    /// An empty balance, or a swap against the pool token without its state.
    pub fn max_in(&self, token_in: usize, token_out: usize, context: &Context) -> Result<U256, AmmError> {
        check_pair(token_in, token_out, self.token_count())?;
        self.curve(context)?.invariant(&self.scaled()?)?;
        let room = MAX_BALANCE - self.balances[token_in];
        let Some((_, operation, _)) = self.against_pool(token_in, token_out, true)? else {
            return Ok(U256::from(room));
        };
        if operation == Operation::TokenIn {
            return Ok(U256::from(room));
        }
        let takes = |amount: U256| self.quote_exact_in(token_in, token_out, amount, context).is_ok();
        Ok(largest(U256::from(room), takes))
    }

    fn curve(&self, context: &Context) -> Result<Curve, AmmError> {
        if context.timestamp == 0 && !self.rate_expires.is_empty() {
            return Err(AmmError::Missing("the block's timestamp, which decides whether cached rates are valid"));
        }
        if self.rate_expires.iter().any(|expires| context.timestamp > *expires) {
            return Err(AmmError::Missing("the rate of a token after its cached rate expired"));
        }
        let amplification = U256::from(self.amplification.at(context.timestamp)?);
        Ok(Curve { amplification, version: self.version })
    }

    /// The balances in 18 decimals, without the pool token.
    fn scaled(&self) -> Result<Balances, AmmError> {
        let own = self.pool_token.as_ref().map(|token| token.index);
        let mut scaled = Balances::new();
        for (token, (balance, factor)) in self.balances.iter().zip(&self.scaling_factors).enumerate() {
            if Some(token) != own {
                scaled.push(mul_down(U256::from(*balance), *factor)?)?;
            }
        }
        Ok(scaled)
    }

    /// The index of a token that is not the pool token, among those.
    fn curve_index(&self, token: usize) -> usize {
        let skipped = self.pool_token.as_ref().is_some_and(|own| own.index < token);
        token - usize::from(skipped)
    }

    /// For a swap against the pool token: its state, which swap it is, and the other token.
    fn against_pool(
        &self,
        token_in: usize,
        token_out: usize,
        exact_in: bool,
    ) -> Result<Option<(&PoolTokenState, Operation, usize)>, AmmError> {
        let Some(own) = &self.pool_token else { return Ok(None) };
        let (operation, other) = if token_out == own.index {
            (if exact_in { Operation::TokenIn } else { Operation::PoolOut }, token_in)
        } else if token_in == own.index {
            (if exact_in { Operation::PoolIn } else { Operation::TokenOut }, token_out)
        } else {
            return Ok(None);
        };
        if self.version != InvariantVersion::Truncating {
            return Err(AmmError::Unsupported {
                kind: "balancer-composable-stable",
                operation: "swap against the pool token with an invariant that rounds up",
            });
        }
        let state = own.state.as_ref().ok_or(AmmError::Missing("the pool token's supply and protocol fees"))?;
        Ok(Some((state, operation, self.curve_index(other))))
    }

    fn before(&self, state: &PoolTokenState, curve: &Curve, balances: &Balances) -> Result<(Join, U256), AmmError> {
        let own = self.pool_token.as_ref().ok_or(AmmError::Missing("the pool token"))?;
        state.before(curve, balances, U256::from(self.balances[own.index]), self.fee)
    }

    fn change(
        &self,
        state: &PoolTokenState,
        curve: &Curve,
        balances: &Balances,
        operation: Operation,
        index: usize,
        amount: U256,
    ) -> Result<Change, AmmError> {
        let (join, due) = self.before(state, curve, balances)?;
        state.change(curve, &join, due, operation, index, amount)
    }

    fn settle(
        &mut self,
        token_in: usize,
        token_out: usize,
        quote: &Quote,
        change: Option<Change>,
        context: &Context,
    ) -> Result<(), AmmError> {
        let amplification = self.amplification.at(context.timestamp)?;
        settle(&mut self.balances, token_in, token_out, quote);
        if let (Some(change), Some(state)) = (change, self.pool_token.as_mut().and_then(|own| own.state.as_mut())) {
            state.settle(&change, amplification);
        }
        Ok(())
    }
}

/// Derivatives of `A·n^n·S + D − A·n^n·D − D^(n+1)/(n^n·P)`, which is zero on the curve.
struct Slopes {
    amplified: f64,
    /// `D^(n+1) / (n^n · P)`.
    ratio: f64,
    invariant: f64,
    count: f64,
    balances: [f64; MAX_TOKENS],
}

impl Slopes {
    fn new(curve: &Curve, balances: &Balances, invariant: U256) -> Result<Self, AmmError> {
        let tokens = balances.get();
        if tokens.iter().any(|balance| balance.is_zero()) {
            return Err(AmmError::NoLiquidity("a balance of zero".into()));
        }
        let count = to_f64(U256::from(tokens.len()));
        let invariant = to_f64(invariant);
        let mut values = [0.0; MAX_TOKENS];
        let mut ratio = invariant;
        for (value, balance) in values.iter_mut().zip(tokens) {
            *value = to_f64(*balance);
            ratio *= invariant / (*value * count);
        }
        Ok(Self { amplified: to_f64(curve.amplification) * count / 1000.0, ratio, invariant, count, balances: values })
    }

    /// By the balance of a token.
    fn of(&self, index: usize) -> f64 {
        self.amplified + self.ratio / self.balances[index]
    }

    /// By the invariant, with the sign turned.
    fn of_invariant(&self) -> f64 {
        self.amplified - 1.0 + (self.count + 1.0) * self.ratio / self.invariant
    }
}
