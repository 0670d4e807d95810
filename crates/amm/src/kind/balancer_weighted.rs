//! Balancer V2 weighted pools of two to eight tokens.
//!
//! Source: `WeightedMath` and `BasePool` of the Balancer V2 repository. The fee comes off
//! the input before amounts are scaled to 18 decimals; powers are rounded against the
//! trader by the error the power function may have. The Vault keeps the balances, and the
//! fee stays in them.

use ruint::aliases::U256;

use super::balancer::fixed_point::{ONE, PowVersion, complement, div_down, div_up, mul_down, mul_up, pow_up};
use super::balancer::{add_fee, check_balances, check_fee, check_settlement, check_swap, settle, subtract_fee};
use crate::context::{Context, MarginalPrice, Quote, check_pair};
use crate::error::AmmError;
use crate::integer::to_f64;
use crate::kind::checked::{add, mul, sub};

/// The most tokens a pool of this kind has here.
pub const MAX_TOKENS: usize = 8;

/// The largest part of a balance that one swap may bring in or take out, in 18 decimals.
pub const MAX_RATIO: U256 = U256::from_limbs([300_000_000_000_000_000, 0, 0, 0]);

/// The smallest weight the contract accepts, in 18 decimals.
pub const MIN_WEIGHT: U256 = U256::from_limbs([10_000_000_000_000_000, 0, 0, 0]);

/// A weighted pool: the Vault's balances in token units, weights and fee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BalancerWeighted {
    balances: Vec<u128>,
    weights: Vec<U256>,
    /// `10^(18 − decimals)` in 18 decimals, per token.
    scaling_factors: Vec<U256>,
    fee: U256,
    pow_version: PowVersion,
}

impl BalancerWeighted {
    /// A pool with `balances` in token units, `weights` and `fee` in 18 decimals, and the
    /// `decimals` of its tokens.
    ///
    /// # Errors
    /// Lists of different lengths or not of two to eight tokens, weights below 1 % or that
    /// do not sum to one, more than 18 decimals, a fee of one or more, a balance above 112
    /// bits.
    pub fn new(
        balances: Vec<u128>,
        weights: Vec<U256>,
        decimals: &[u8],
        fee: U256,
        pow_version: PowVersion,
    ) -> Result<Self, AmmError> {
        let count = balances.len();
        if !(2..=MAX_TOKENS).contains(&count) {
            return Err(AmmError::State(format!("{count} tokens in a weighted pool of 2 to {MAX_TOKENS}")));
        }
        if weights.len() != count || decimals.len() != count {
            let (weights, decimals) = (weights.len(), decimals.len());
            return Err(AmmError::State(format!("{count} balances, {weights} weights and {decimals} decimals")));
        }
        let mut total = U256::ZERO;
        for weight in &weights {
            if *weight < MIN_WEIGHT {
                return Err(AmmError::State(format!("a weight of {weight} is below {MIN_WEIGHT}")));
            }
            total = add(total, *weight)?;
        }
        if total != ONE {
            return Err(AmmError::State(format!("the weights sum to {total}, not to {ONE}")));
        }
        check_fee(fee)?;
        check_balances(&balances)?;
        let scaling_factors = decimals.iter().map(|decimals| scaling_factor(*decimals)).collect::<Result<_, _>>()?;
        Ok(Self { balances, weights, scaling_factors, fee, pow_version })
    }

    /// The Vault's balances, in token units.
    #[must_use]
    pub fn balances(&self) -> &[u128] {
        &self.balances
    }

    /// The weights in 18 decimals; they sum to one.
    #[must_use]
    pub fn weights(&self) -> &[U256] {
        &self.weights
    }

    /// The swap fee in 18 decimals.
    #[must_use]
    pub fn fee(&self) -> U256 {
        self.fee
    }

    /// Two to eight.
    #[must_use]
    pub fn token_count(&self) -> usize {
        self.balances.len()
    }

    /// What `amount_in` buys, as a swap of the Vault "given in".
    ///
    /// # Errors
    /// A zero amount, more than 30 % of the balance paid in after the fee, an empty
    /// balance, or a balance that would leave 112 bits.
    pub fn quote_exact_in(
        &self,
        token_in: usize,
        token_out: usize,
        amount_in: U256,
        _context: &Context,
    ) -> Result<Quote, AmmError> {
        check_swap(token_in, token_out, self.token_count(), amount_in)?;
        let paid = mul_down(subtract_fee(amount_in, self.fee)?, self.scaling_factors[token_in])?;
        let (balance_in, balance_out) = (self.scaled(token_in)?, self.scaled(token_out)?);
        check_ratio("the input after the fee (18 decimals)", paid, balance_in)?;

        let base = div_up(balance_in, add(balance_in, paid)?)?;
        let exponent = div_down(self.weights[token_in], self.weights[token_out])?;
        let power = pow_up(base, exponent, self.pow_version)?;
        let bought = mul_down(balance_out, complement(power))?;

        let quote = Quote { amount_in, amount_out: div_down(bought, self.scaling_factors[token_out])? };
        check_settlement(&self.balances, token_in, token_out, &quote)?;
        Ok(quote)
    }

    /// What buys `amount_out`, as a swap of the Vault "given out".
    ///
    /// # Errors
    /// A zero amount, more than 30 % of the balance taken out, an empty balance, or a
    /// balance that would leave 112 bits.
    pub fn quote_exact_out(
        &self,
        token_in: usize,
        token_out: usize,
        amount_out: U256,
        _context: &Context,
    ) -> Result<Quote, AmmError> {
        check_swap(token_in, token_out, self.token_count(), amount_out)?;
        let bought = mul_down(amount_out, self.scaling_factors[token_out])?;
        let (balance_in, balance_out) = (self.scaled(token_in)?, self.scaled(token_out)?);
        check_ratio("the output (18 decimals)", bought, balance_out)?;

        let base = div_up(balance_out, sub(balance_out, bought)?)?;
        let exponent = div_up(self.weights[token_out], self.weights[token_in])?;
        let power = pow_up(base, exponent, self.pow_version)?;
        let paid = mul_up(balance_in, sub(power, ONE)?)?;

        let amount_in = add_fee(div_up(paid, self.scaling_factors[token_in])?, self.fee)?;
        let quote = Quote { amount_in, amount_out };
        check_settlement(&self.balances, token_in, token_out, &quote)?;
        Ok(quote)
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
        let quote = self.quote_exact_in(token_in, token_out, amount_in, context)?;
        settle(&mut self.balances, token_in, token_out, &quote);
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
        let quote = self.quote_exact_out(token_in, token_out, amount_out, context)?;
        settle(&mut self.balances, token_in, token_out, &quote);
        Ok(quote)
    }

    /// `(balance out / weight out) / (balance in / weight in)` in token units.
    ///
    /// # Errors
    /// An empty balance.
    pub fn marginal_price(
        &self,
        token_in: usize,
        token_out: usize,
        _context: &Context,
    ) -> Result<MarginalPrice, AmmError> {
        check_pair(token_in, token_out, self.token_count())?;
        self.filled(token_in, token_out)?;
        let depth = |token: usize| to_f64(U256::from(self.balances[token])) / to_f64(self.weights[token]);
        let without_fee = depth(token_out) / depth(token_in);
        Ok(MarginalPrice { without_fee, with_fee: without_fee * to_f64(ONE - self.fee) / to_f64(ONE) })
    }

    /// The largest input the pool takes: what leaves 30 % of the balance after the fee.
    ///
    /// # Errors
    /// An empty balance.
    pub fn max_in(&self, token_in: usize, token_out: usize, _context: &Context) -> Result<U256, AmmError> {
        check_pair(token_in, token_out, self.token_count())?;
        self.filled(token_in, token_out)?;
        let limit = mul_down(self.scaled(token_in)?, MAX_RATIO)?;
        let after_fee = div_down(limit, self.scaling_factors[token_in])?;
        // `a − ceil(a · fee)` is `floor(a · (1 − fee))`: the largest `a` that leaves the limit.
        let kept = ONE - self.fee;
        let most = (mul(after_fee + U256::ONE, ONE)? - U256::ONE) / kept;
        Ok(most.min(U256::from(super::balancer::MAX_BALANCE - self.balances[token_in])))
    }

    fn scaled(&self, token: usize) -> Result<U256, AmmError> {
        mul_down(U256::from(self.balances[token]), self.scaling_factors[token])
    }

    fn filled(&self, token_in: usize, token_out: usize) -> Result<(), AmmError> {
        if self.balances[token_in] == 0 || self.balances[token_out] == 0 {
            let (balance_in, balance_out) = (self.balances[token_in], self.balances[token_out]);
            return Err(AmmError::NoLiquidity(format!("balances {balance_in} and {balance_out}")));
        }
        Ok(())
    }
}

/// `10^(18 − decimals)` in 18 decimals.
///
/// # Errors
/// More than 18 decimals.
pub fn scaling_factor(decimals: u8) -> Result<U256, AmmError> {
    match 18_u8.checked_sub(decimals) {
        Some(missing) => Ok(ONE * U256::from(10_u64.pow(u32::from(missing)))),
        None => Err(AmmError::State(format!("{decimals} decimals; the contract takes at most 18"))),
    }
}

fn check_ratio(what: &'static str, amount: U256, balance: U256) -> Result<(), AmmError> {
    let limit = mul_down(balance, MAX_RATIO)?;
    if amount > limit {
        return Err(AmmError::Limit { what, value: amount, limit });
    }
    Ok(())
}
