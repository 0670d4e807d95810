//! Swaps of a composable stable pool against its own pool token: joins and exits with one
//! token, and the protocol fees that the contract mints before and after them.
//!
//! Source: `ComposableStablePool` and `ComposableStablePoolProtocolFees`. The pool tokens
//! in circulation are the total supply less what the Vault holds for the pool.

use ruint::aliases::U256;

use super::fixed_point::{complement, div_down, mul_down};
use super::stable_math::{Balances, Curve, Join};
use crate::error::AmmError;
use crate::kind::checked::{add, divide, mul, sub};

/// What the contract keeps to know its protocol fees, from its second version (November
/// 2022) on; the first mints them by another formula.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolTokenState {
    /// All pool tokens, those in the Vault included.
    pub total_supply: U256,
    /// The amplification at the last join or exit, in thousandths.
    pub last_amplification: u64,
    /// The invariant after the last join or exit.
    pub last_invariant: U256,
    /// The protocol's part of the swap fees, in 18 decimals.
    pub protocol_swap_fee: U256,
    /// The protocol's part of the yield, in 18 decimals.
    pub protocol_yield_fee: U256,
    /// Rates of the tokens without the pool token, in the pool's order.
    pub rates: Vec<TokenRate>,
}

/// A token's rate now and at the last join or exit, in 18 decimals; both one without a
/// rate provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenRate {
    /// The rate in the cache.
    pub current: U256,
    /// The rate at the last join or exit.
    pub old: U256,
    /// Whether the protocol takes nothing of this token's yield.
    pub exempt: bool,
}

/// A join or exit: what it starts from, and what it leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The amount the contract computed, scaled.
    pub calculated: U256,
    /// Pool tokens minted to the protocol, before and after.
    pub minted: U256,
    /// The invariant afterwards.
    pub invariant: U256,
}

/// Which of the four swaps against the pool token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Pool tokens for an exact input.
    TokenIn,
    /// The input for exact pool tokens.
    PoolOut,
    /// The output for exact pool tokens.
    PoolIn,
    /// Pool tokens for an exact output.
    TokenOut,
}

impl PoolTokenState {
    /// Checks that a contract could be in this state.
    ///
    /// # Errors
    /// Rates of another number of tokens or of zero, protocol fees above one, an
    /// amplification of zero.
    pub fn check(&self, tokens: usize) -> Result<(), AmmError> {
        if self.rates.len() != tokens {
            return Err(AmmError::State(format!("{} rates for {tokens} tokens", self.rates.len())));
        }
        if self.rates.iter().any(|rate| rate.current.is_zero() || rate.old.is_zero()) {
            return Err(AmmError::State("a rate is zero".into()));
        }
        if self.last_amplification < 1000 {
            let amplification = self.last_amplification;
            return Err(AmmError::State(format!("an amplification of {amplification} thousandths at the last join")));
        }
        for (what, value) in
            [("the protocol's part of swap fees", self.protocol_swap_fee), ("of yield", self.protocol_yield_fee)]
        {
            if complement(value).is_zero() {
                return Err(AmmError::State(format!("{what}, {value}, is not below one")));
            }
        }
        Ok(())
    }

    /// The pool before a join or exit: protocol fees due until now are part of the supply.
    /// Second: the pool tokens minted for them.
    ///
    /// # Errors
    /// An empty pool, or an overflow.
    pub fn before(&self, curve: &Curve, balances: &Balances, held: U256, fee: U256) -> Result<(Join, U256), AmmError> {
        let virtual_supply = sub(self.total_supply, held)?;
        let last = Curve { amplification: U256::from(self.last_amplification), version: curve.version };
        let (ownership, last_invariant) = self.protocol_ownership(&last, balances)?;
        let due = mint_for_ownership(virtual_supply, ownership)?;
        let supply = add(virtual_supply, due)?;
        if supply.is_zero() {
            return Err(AmmError::NoLiquidity("no pool tokens in circulation".into()));
        }
        let invariant =
            if curve.amplification == last.amplification { last_invariant } else { curve.invariant(balances)? };
        Ok((Join { balances: *balances, supply, invariant, fee }, due))
    }

    /// A swap against the pool token with scaled amounts; `index` is the other token's.
    ///
    /// # Errors
    /// As the curve's, or more pool tokens than there are.
    pub fn change(
        &self,
        curve: &Curve,
        join: &Join,
        due: U256,
        operation: Operation,
        index: usize,
        amount: U256,
    ) -> Result<Change, AmmError> {
        let balance = join.balances.get()[index];
        let (calculated, after, supply) = match operation {
            Operation::TokenIn => {
                let minted = curve.pool_out_given_token_in(join, index, amount)?;
                (minted, add(balance, amount)?, add(join.supply, minted)?)
            }
            Operation::PoolOut => {
                let paid = curve.token_in_given_pool_out(join, index, amount)?;
                (paid, add(balance, paid)?, add(join.supply, amount)?)
            }
            Operation::PoolIn => {
                let bought = curve.token_out_given_pool_in(join, index, amount)?;
                (bought, sub(balance, bought)?, sub(join.supply, amount)?)
            }
            Operation::TokenOut => {
                let burnt = curve.pool_in_given_token_out(join, index, amount)?;
                (burnt, sub(balance, amount)?, sub(join.supply, burnt)?)
            }
        };
        let balances = join.balances.with(index, after);
        let invariant = curve.invariant(&balances)?;
        let fee_less = mul_down(join.invariant, div_down(supply, join.supply)?)?;
        let mut minted = due;
        if invariant > fee_less {
            let ownership = divide(mul(invariant - fee_less, self.protocol_swap_fee)?, invariant);
            minted = add(minted, mint_for_ownership(supply, ownership)?)?;
        }
        Ok(Change { calculated, minted, invariant })
    }

    /// Keeps the state after a change; the amplification is that of the block.
    pub fn settle(&mut self, change: &Change, amplification: u64) {
        self.total_supply += change.minted;
        self.last_amplification = amplification;
        self.last_invariant = change.invariant;
        for rate in &mut self.rates {
            rate.old = rate.current;
        }
    }

    /// The part of the pool that the protocol is owed (18 decimals), and the invariant of
    /// the balances under the last join's amplification.
    fn protocol_ownership(&self, last: &Curve, balances: &Balances) -> Result<(U256, U256), AmmError> {
        let swap_growth = last.invariant(&self.at_old_rates(balances, |_| true)?)?;
        let taxed_growth = last.invariant(&self.at_old_rates(balances, |rate| rate.exempt)?)?;
        let total_growth = last.invariant(balances)?;
        let from_swaps = swap_growth.saturating_sub(self.last_invariant);
        let from_yield = taxed_growth.saturating_sub(swap_growth);
        let swaps = mul_down(div_down(from_swaps, total_growth)?, self.protocol_swap_fee)?;
        let yields = mul_down(div_down(from_yield, total_growth)?, self.protocol_yield_fee)?;
        Ok((add(swaps, yields)?, total_growth))
    }

    fn at_old_rates(&self, balances: &Balances, chosen: impl Fn(&TokenRate) -> bool) -> Result<Balances, AmmError> {
        let mut adjusted = Balances::new();
        for (balance, rate) in balances.get().iter().zip(&self.rates) {
            adjusted.push(if chosen(rate) && rate.old != rate.current {
                divide(mul(*balance, rate.old)?, rate.current)
            } else {
                *balance
            })?;
        }
        Ok(adjusted)
    }
}

/// Pool tokens to mint so that they are `ownership` of the supply afterwards.
fn mint_for_ownership(supply: U256, ownership: U256) -> Result<U256, AmmError> {
    let rest = complement(ownership);
    if rest.is_zero() {
        return Err(AmmError::State(format!("the protocol would own {ownership} of the pool, in 18 decimals")));
    }
    Ok(divide(mul(supply, ownership)?, rest))
}
