//! The StableSwap invariant as Balancer V2 iterates it, over balances scaled to 18
//! decimals without the pool token. The amplification is `A · n^(n−1)` in thousandths.

use ruint::aliases::U256;

use super::fixed_point::{ONE, complement, div_down, div_up, mul_down, mul_up};
use crate::error::AmmError;
use crate::integer::Divider;
use crate::kind::checked::{add, ceil, div, div_ceil, divide, mul, sub};

/// The most tokens of a pool, its own token not counted.
pub const MAX_TOKENS: usize = 5;

/// Parts of the amplification.
pub const AMP_PRECISION: U256 = U256::from_limbs([1000, 0, 0, 0]);

const THOUSAND: Divider = Divider::new(1000);

const MAX_ITERATIONS: usize = 255;

/// Which iteration of the invariant a pool's contract runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvariantVersion {
    /// Composable stable pools and the second stable pools (June 2022): every division truncates.
    Truncating,
    /// The first stable pools (June 2021), meta-stable and phantom stable pools: the invariant is rounded up.
    RoundingUp,
}

/// Balances of up to five tokens, scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balances {
    values: [U256; MAX_TOKENS],
    count: usize,
}

/// A pool's curve: what the functions here share.
#[derive(Debug, Clone, Copy)]
pub struct Curve {
    /// `A · n^(n−1)` in thousandths.
    pub amplification: U256,
    /// The iteration of the invariant.
    pub version: InvariantVersion,
}

impl Balances {
    /// No token yet.
    #[must_use]
    pub fn new() -> Self {
        Self { values: [U256::ZERO; MAX_TOKENS], count: 0 }
    }

    /// Adds a token; a sixth is an error.
    ///
    /// # Errors
    /// More than five tokens.
    pub fn push(&mut self, value: U256) -> Result<(), AmmError> {
        let count = self.count;
        *self.values.get_mut(count).ok_or_else(|| AmmError::State(format!("more than {MAX_TOKENS} tokens")))? = value;
        self.count += 1;
        Ok(())
    }

    /// The balances.
    #[must_use]
    pub fn get(&self) -> &[U256] {
        &self.values[..self.count]
    }

    /// The balances with one replaced.
    #[must_use]
    pub fn with(mut self, index: usize, value: U256) -> Self {
        self.values[index] = value;
        self
    }

    /// The sum.
    ///
    /// # Errors
    /// A sum above 256 bits.
    pub fn total(&self) -> Result<U256, AmmError> {
        Ok(self.get().iter().try_fold(U256::ZERO, |total, value| add(total, *value))?)
    }
}

impl Default for Balances {
    fn default() -> Self {
        Self::new()
    }
}

impl Curve {
    /// The invariant of `balances`; zero when all are.
    ///
    /// # Errors
    /// One empty balance among others, an overflow, or no convergence in 255 steps.
    pub fn invariant(&self, balances: &Balances) -> Result<U256, AmmError> {
        match self.version {
            InvariantVersion::Truncating => self.invariant_truncating(balances),
            InvariantVersion::RoundingUp => self.invariant_rounding_up(balances),
        }
    }

    fn invariant_truncating(&self, balances: &Balances) -> Result<U256, AmmError> {
        let total = balances.total()?;
        if total.is_zero() {
            return Ok(total);
        }
        let count = U256::from(balances.count);
        let amplified = self.amplification * count;
        let lifted = THOUSAND.divide(mul(amplified, total)?);
        let mut invariant = total;
        for _ in 0..MAX_ITERATIONS {
            let mut ratio = invariant;
            for balance in balances.get() {
                ratio = div(mul(ratio, invariant)?, mul(*balance, count)?)?;
            }
            let previous = invariant;
            let above = mul(add(lifted, mul(ratio, count)?)?, invariant)?;
            let below =
                add(THOUSAND.divide(mul(amplified - AMP_PRECISION, invariant)?), mul(count + U256::ONE, ratio)?)?;
            invariant = div(above, below)?;
            if invariant.abs_diff(previous) <= U256::ONE {
                return Ok(invariant);
            }
        }
        Err(no_convergence("the invariant", balances))
    }

    fn invariant_rounding_up(&self, balances: &Balances) -> Result<U256, AmmError> {
        let total = balances.total()?;
        if total.is_zero() {
            return Ok(total);
        }
        let count = U256::from(balances.count);
        let amplified = self.amplification * count;
        let lifted = mul(amplified, total)?;
        let mut invariant = total;
        for _ in 0..MAX_ITERATIONS {
            let mut ratio = mul(balances.values[0], count)?;
            for balance in &balances.get()[1..] {
                ratio = div_ceil(mul(mul(ratio, *balance)?, count)?, invariant)?;
            }
            let previous = invariant;
            let above = add(mul(mul(count, invariant)?, invariant)?, ceil(mul(lifted, ratio)?, AMP_PRECISION))?;
            let below =
                add(mul(count + U256::ONE, invariant)?, THOUSAND.divide(mul(amplified - AMP_PRECISION, ratio)?))?;
            invariant = div_ceil(above, below)?;
            if invariant.abs_diff(previous) <= U256::ONE {
                return Ok(invariant);
            }
        }
        Err(no_convergence("the invariant", balances))
    }

    /// The balance that token `index` must have for `invariant`, rounded up, given the
    /// other balances.
    ///
    /// # Errors
    /// An empty balance, an overflow, or no convergence in 255 steps.
    pub fn balance_of(&self, index: usize, balances: &Balances, invariant: U256) -> Result<U256, AmmError> {
        let count = U256::from(balances.count);
        let amplified = self.amplification * count;
        let mut ratio = mul(balances.values[0], count)?;
        for balance in &balances.get()[1..] {
            ratio = div(mul(mul(ratio, *balance)?, count)?, invariant)?;
        }
        let others = balances.total()? - balances.values[index];
        let square = mul(invariant, invariant)?;
        let scaled = mul(div_ceil(square, mul(amplified, ratio)?)?, AMP_PRECISION)?;
        let constant = mul(scaled, balances.values[index])?;
        let linear = add(others, mul(divide(invariant, amplified), AMP_PRECISION)?)?;

        let mut balance = div_ceil(add(square, constant)?, add(invariant, linear)?)?;
        for _ in 0..MAX_ITERATIONS {
            let previous = balance;
            let above = add(mul(balance, balance)?, constant)?;
            let below = sub(add(mul(balance, U256::from(2))?, linear)?, invariant)?;
            balance = div_ceil(above, below)?;
            if balance.abs_diff(previous) <= U256::ONE {
                return Ok(balance);
            }
        }
        Err(no_convergence("the balance", balances))
    }

    /// What `amount_in` buys, one unit less than the curve gives.
    ///
    /// # Errors
    /// As [`Self::balance_of`], or nothing left to give.
    pub fn out_given_in(
        &self,
        balances: &Balances,
        token_in: usize,
        token_out: usize,
        amount_in: U256,
        invariant: U256,
    ) -> Result<U256, AmmError> {
        let after = balances.with(token_in, add(balances.values[token_in], amount_in)?);
        let left = self.balance_of(token_out, &after, invariant)?;
        Ok(sub(sub(balances.values[token_out], left)?, U256::ONE)?)
    }

    /// What buys `amount_out`, one unit more than the curve asks.
    ///
    /// # Errors
    /// As [`Self::balance_of`], or more asked for than there is.
    pub fn in_given_out(
        &self,
        balances: &Balances,
        token_in: usize,
        token_out: usize,
        amount_out: U256,
        invariant: U256,
    ) -> Result<U256, AmmError> {
        let after = balances.with(token_out, sub(balances.values[token_out], amount_out)?);
        let filled = self.balance_of(token_in, &after, invariant)?;
        Ok(add(sub(filled, balances.values[token_in])?, U256::ONE)?)
    }

    /// Pool tokens minted for `amount_in` of one token, with the swap fee on what goes
    /// beyond its share.
    ///
    /// # Errors
    /// As [`Self::invariant`].
    pub fn pool_out_given_token_in(&self, join: &Join, index: usize, amount_in: U256) -> Result<U256, AmmError> {
        let total = join.balances.total()?;
        let mut ratio_with_fees = U256::ZERO;
        let mut own_ratio = U256::ZERO;
        for (token, balance) in join.balances.get().iter().enumerate() {
            let filled = if token == index { add(*balance, amount_in)? } else { *balance };
            let ratio = div_down(filled, *balance)?;
            ratio_with_fees = add(ratio_with_fees, mul_down(ratio, div_down(*balance, total)?)?)?;
            if token == index {
                own_ratio = ratio;
            }
        }
        let balance = join.balances.values[index];
        let mut untaxed_or_kept = amount_in;
        if own_ratio > ratio_with_fees {
            let untaxed = mul_down(balance, sub(ratio_with_fees, ONE)?)?;
            let taxed = sub(amount_in, untaxed)?;
            untaxed_or_kept = add(untaxed, mul_down(taxed, ONE - join.fee)?)?;
        }
        let after = join.balances.with(index, add(balance, untaxed_or_kept)?);
        let growth = div_down(self.invariant(&after)?, join.invariant)?;
        mul_down(join.supply, growth.saturating_sub(ONE))
    }

    /// The input of one token that mints `pool_out` pool tokens.
    ///
    /// # Errors
    /// As [`Self::balance_of`].
    pub fn token_in_given_pool_out(&self, join: &Join, index: usize, pool_out: U256) -> Result<U256, AmmError> {
        let invariant = mul_up(div_up(add(join.supply, pool_out)?, join.supply)?, join.invariant)?;
        let filled = self.balance_of(index, &join.balances, invariant)?;
        let balance = join.balances.values[index];
        let without_fee = sub(filled, balance)?;
        let weight = div_down(balance, join.balances.total()?)?;
        let taxed = mul_up(without_fee, complement(weight))?;
        Ok(add(sub(without_fee, taxed)?, div_up(taxed, ONE - join.fee)?)?)
    }

    /// The output of one token for `pool_in` pool tokens burnt.
    ///
    /// # Errors
    /// As [`Self::balance_of`].
    pub fn token_out_given_pool_in(&self, join: &Join, index: usize, pool_in: U256) -> Result<U256, AmmError> {
        let invariant = mul_up(div_up(sub(join.supply, pool_in)?, join.supply)?, join.invariant)?;
        let left = self.balance_of(index, &join.balances, invariant)?;
        let balance = join.balances.values[index];
        let without_fee = sub(balance, left)?;
        let weight = div_down(balance, join.balances.total()?)?;
        let taxed = mul_up(without_fee, complement(weight))?;
        Ok(add(sub(without_fee, taxed)?, mul_down(taxed, ONE - join.fee)?)?)
    }

    /// Pool tokens burnt for `amount_out` of one token, with the swap fee on what goes
    /// beyond its share.
    ///
    /// # Errors
    /// As [`Self::invariant`], or more asked for than there is.
    pub fn pool_in_given_token_out(&self, join: &Join, index: usize, amount_out: U256) -> Result<U256, AmmError> {
        let total = join.balances.total()?;
        let mut ratio_without_fees = U256::ZERO;
        let mut own_ratio = ONE;
        for (token, balance) in join.balances.get().iter().enumerate() {
            let left = if token == index { sub(*balance, amount_out)? } else { *balance };
            let ratio = div_up(left, *balance)?;
            ratio_without_fees = add(ratio_without_fees, mul_up(ratio, div_up(*balance, total)?)?)?;
            if token == index {
                own_ratio = ratio;
            }
        }
        let balance = join.balances.values[index];
        let mut with_fee = amount_out;
        if ratio_without_fees > own_ratio {
            let untaxed = mul_down(balance, complement(ratio_without_fees))?;
            let taxed = sub(amount_out, untaxed)?;
            with_fee = add(untaxed, div_up(taxed, ONE - join.fee)?)?;
        }
        let after = join.balances.with(index, sub(balance, with_fee)?);
        let shrunk = div_down(self.invariant(&after)?, join.invariant)?;
        mul_up(join.supply, complement(shrunk))
    }
}

/// What a join or exit by swap starts from.
#[derive(Debug, Clone, Copy)]
pub struct Join {
    /// Balances scaled to 18 decimals.
    pub balances: Balances,
    /// Pool tokens in circulation, due protocol fees included.
    pub supply: U256,
    /// The invariant of the balances.
    pub invariant: U256,
    /// The swap fee in 18 decimals.
    pub fee: U256,
}

#[cold]
fn no_convergence(what: &str, balances: &Balances) -> AmmError {
    let listed: Vec<String> = balances.get().iter().map(ToString::to_string).collect();
    AmmError::NoConvergence { what: format!("{what} of balances {}", listed.join(", ")) }
}
