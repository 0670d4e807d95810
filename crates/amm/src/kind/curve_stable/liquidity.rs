//! Deposits and withdrawals of one coin, in the pool's own token, as the contracts'
//! view functions say.

use ruint::aliases::U256;

use super::invariant::{balance_of_rest, invariant};
use super::market::{Market, Reading, share, to_common, to_units};
use super::{CurveStable, Generation, MAX_TOKENS, PRECISION};
use crate::context::Context;
use crate::error::AmmError;
use crate::kind::checked::{Fault, add, div, mul, scale, sub};

/// Whether tokens come or go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Tokens are paid in.
    Deposit,
    /// Tokens are taken out.
    Withdraw,
}

impl CurveStable {
    /// Value of one pool token, with 18 decimals (`get_virtual_price`).
    ///
    /// # Errors
    /// A state without the pool token's supply, or a drained pool.
    pub fn virtual_price(&self, context: &Context) -> Result<U256, AmmError> {
        let supply = self.supply()?;
        let market = self.market(&self.rates, context, Reading::Swap)?;
        scale(market.d, U256::from(PRECISION), supply).map_err(|fault| self.explain(fault))
    }

    /// Pool tokens for depositing or withdrawing `amounts` (`calc_token_amount`): without
    /// fees, except in NG pools, whose view takes them.
    ///
    /// # Errors
    /// Another number of amounts than tokens, a withdrawal beyond the balances, a drained
    /// pool, or a state without the pool token's supply.
    pub fn calc_token_amount(
        &self,
        amounts: &[U256],
        direction: Direction,
        context: &Context,
    ) -> Result<U256, AmmError> {
        if amounts.len() != self.token_count() {
            return Err(AmmError::State(format!("{} amounts for {} tokens", amounts.len(), self.token_count())));
        }
        let supply = self.supply()?;
        let market = self.market(&self.rates, context, Reading::Quote)?;
        market.token_amount(amounts, direction, supply).map_err(|fault| {
            let amounts: Vec<String> = amounts.iter().map(ToString::to_string).collect();
            fault.explain(|| format!("the change of the balances by {}", amounts.join(", ")))
        })
    }

    /// What burning `amount` pool tokens gives in `token` alone (`calc_withdraw_one_coin`).
    ///
    /// # Errors
    /// No such token, more than the supply, a drained pool, or a state without the supply.
    pub fn calc_withdraw_one_coin(&self, amount: U256, token: usize, context: &Context) -> Result<U256, AmmError> {
        if token >= self.token_count() {
            return Err(AmmError::TokenPair { token_in: token, token_out: token, count: self.token_count() });
        }
        let supply = self.supply()?;
        let market = self.market(&self.rates, context, Reading::Quote)?;
        market
            .withdrawal(amount, token, supply)
            .map_err(|fault| fault.explain(|| format!("the withdrawal of {amount} of {supply} as token {token}")))
    }

    fn supply(&self) -> Result<U256, AmmError> {
        self.total_supply.ok_or(AmmError::Missing("lp_token_total_supply"))
    }

    /// The fee of an unbalanced deposit: half a swap's, spread over the other coins.
    fn imbalance_fee(&self) -> U256 {
        let count = U256::from(self.token_count());
        U256::from(self.fee) * count / (U256::from(4) * (count - U256::ONE))
    }
}

impl Market<'_> {
    fn token_amount(&self, amounts: &[U256], direction: Direction, supply: U256) -> Result<U256, Fault> {
        let pool = self.pool;
        let count = pool.token_count();
        let mut moved = [U256::ZERO; MAX_TOKENS];
        for token in 0..count {
            moved[token] = match direction {
                Direction::Deposit => add(pool.balances[token], amounts[token])?,
                Direction::Withdraw => sub(pool.balances[token], amounts[token])?,
            };
        }
        let mut d = self.invariant_of(&moved[..count])?;
        if pool.generation == Generation::NextGeneration {
            self.take_imbalance_fees(&mut moved[..count], d)?;
            d = self.invariant_of(&moved[..count])?;
        }
        let difference = match direction {
            Direction::Deposit => sub(d, self.d)?,
            Direction::Withdraw => sub(self.d, d)?,
        };
        scale(difference, supply, self.d)
    }

    fn invariant_of(&self, balances: &[U256]) -> Result<U256, Fault> {
        let mut common = [U256::ZERO; MAX_TOKENS];
        for (token, balance) in balances.iter().enumerate() {
            common[token] = to_common(*balance, self.rates[token])?;
        }
        invariant(&common[..balances.len()], self.ann, &self.rules)
    }

    /// Takes from every balance the fee on its distance from a balanced change.
    fn take_imbalance_fees(&self, moved: &mut [U256], d: U256) -> Result<(), Fault> {
        let pool = self.pool;
        let base = pool.imbalance_fee();
        let average = div(add(self.d, d)?, U256::from(moved.len()))?;
        for (token, balance) in moved.iter_mut().enumerate() {
            let ideal = scale(d, pool.balances[token], self.d)?;
            let both = mul(self.rates[token], add(pool.balances[token], *balance)?)? / U256::from(PRECISION);
            let rate = pool.fee_rate_at(base, || Ok((both, average)))?;
            *balance = sub(*balance, share(ideal.abs_diff(*balance), rate)?)?;
        }
        Ok(())
    }

    fn withdrawal(&self, amount: U256, token: usize, supply: U256) -> Result<U256, Fault> {
        let pool = self.pool;
        let count = pool.token_count();
        let d = sub(self.d, scale(amount, self.d, supply)?)?;
        let rest = self.rest_of(self.balances(), token, d)?;
        let base = pool.imbalance_fee();
        let average = div(add(self.d, d)?, U256::from(2 * count))?;
        let mut reduced = [U256::ZERO; MAX_TOKENS];
        for (other, balance) in self.balances().iter().enumerate() {
            let ideal = scale(*balance, d, self.d)?;
            let (expected, mean) = if other == token {
                (sub(ideal, rest)?, add(*balance, rest)? >> 1)
            } else {
                (sub(*balance, ideal)?, *balance)
            };
            let rate = pool.fee_rate_at(base, || Ok((mean, average)))?;
            reduced[other] = sub(*balance, share(expected, rate)?)?;
        }
        let left = self.rest_of(&reduced[..count], token, d)?;
        let gross = sub(sub(reduced[token], left)?, U256::ONE)?;
        to_units(gross, self.rates[token])
    }

    fn rest_of(&self, balances: &[U256], token: usize, d: U256) -> Result<U256, Fault> {
        let others = balances.iter().enumerate().filter(|(other, _)| *other != token).map(|(_, balance)| *balance);
        balance_of_rest(others, balances.len(), d, self.ann, &self.rules)
    }
}
