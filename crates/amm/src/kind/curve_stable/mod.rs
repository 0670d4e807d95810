//! Curve StableSwap: plain pools, pools of rate-bearing tokens, and StableSwap-NG.
//!
//! Source: `get_dy` and `exchange` of the pool contracts. One struct serves them all: a
//! rate per token brings balances to common units (18 decimals), and a [`Generation`]
//! says in which order the contract rounds. A quote is the contract's `get_dy`; a swap is
//! its `exchange`, which in some generations gives one unit more or less than the quote
//! said, since it takes the fee before the conversion.

mod amplification;
mod generation;
mod invariant;
pub mod liquidity;
pub(super) mod market;
mod native;

use ruint::aliases::U256;

use crate::context::{Context, MarginalPrice, Quote, check_pair};
use crate::error::AmmError;
use crate::kind::checked::Fault;

pub use amplification::Amplification;
pub use generation::Generation;
pub(super) use market::{Market, Reading};

/// The most tokens a pool has.
pub const MAX_TOKENS: usize = 8;

/// What fees, admin fees and the off-peg multiplier count in: parts of 10^10.
pub const FEE_DENOMINATOR: u64 = 10_000_000_000;

/// The unit of rates and prices: 10^18.
pub const PRECISION: u64 = 1_000_000_000_000_000_000;

/// The largest A that a contract accepts, before its decimals (`MAX_A`).
pub const MAX_A: u64 = 1_000_000;

/// A StableSwap pool, at one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurveStable {
    /// Balances of the tokens in their own units, admin fees excluded.
    pub balances: Vec<U256>,
    /// What a unit of each token is worth, such that `balance · rate / 10^18` has 18
    /// decimals: `10^(36 − decimals)`, times the token's own rate where it has one
    /// (`stored_rates` of lending and NG pools, with the accrual of the block).
    pub rates: Vec<U256>,
    /// The amplification coefficient.
    pub amplification: Amplification,
    /// Fee of a swap, in parts of 10^10.
    pub fee: u64,
    /// Share of the fee that leaves the balances for the admin, in parts of 10^10.
    pub admin_fee: u64,
    /// How much the fee grows off the peg, in parts of 10^10; at most 10^10 for a constant fee.
    pub offpeg_fee_multiplier: u64,
    /// The contract's rounding.
    pub generation: Generation,
    /// Supply of the pool's own token, which only deposits, withdrawals and meta pools need.
    pub total_supply: Option<U256>,
}

impl CurveStable {
    /// Checks that a contract could be in this state.
    ///
    /// # Errors
    /// Other than two to eight tokens, lists of different lengths, a rate of zero, an A
    /// of zero or above [`MAX_A`], fees out of range, or an off-peg fee in a generation
    /// without one.
    pub fn checked(self) -> Result<Self, AmmError> {
        let count = self.balances.len();
        if !(2..=MAX_TOKENS).contains(&count) {
            return Err(AmmError::State(format!("{count} balances; a pool has 2 to {MAX_TOKENS} tokens")));
        }
        if self.rates.len() != count {
            return Err(AmmError::State(format!("{} rates for {count} tokens", self.rates.len())));
        }
        if let Some(token) = self.rates.iter().position(U256::is_zero) {
            return Err(AmmError::State(format!("the rate of token {token} is zero")));
        }
        let limit = U256::from(MAX_A) * U256::from(self.generation.a_unit());
        for value in [self.amplification.initial, self.amplification.future] {
            if value.is_zero() || value > limit {
                return Err(AmmError::State(format!("A of {value} is not between 1 and {limit}")));
            }
        }
        if self.fee >= FEE_DENOMINATOR {
            return Err(AmmError::FeeRange { fee: self.fee, limit: FEE_DENOMINATOR });
        }
        if self.admin_fee > FEE_DENOMINATOR {
            return Err(AmmError::FeeRange { fee: self.admin_fee, limit: FEE_DENOMINATOR + 1 });
        }
        if self.offpeg_fee_multiplier != 0 && !self.generation.has_dynamic_fee() {
            return Err(AmmError::State(format!("{} pools have no off-peg fee", self.generation.name())));
        }
        if self.total_supply.is_some_and(|supply| supply.is_zero()) {
            return Err(AmmError::State("the pool token's supply is zero".into()));
        }
        Ok(self)
    }

    /// Two to eight.
    #[must_use]
    pub fn token_count(&self) -> usize {
        self.balances.len()
    }

    /// What the contract's `get_dy` says.
    ///
    /// # Errors
    /// A zero amount, a drained pool, or an amount that leaves the contract's 256 bits.
    pub fn quote_exact_in(
        &self,
        token_in: usize,
        token_out: usize,
        amount_in: U256,
        context: &Context,
    ) -> Result<Quote, AmmError> {
        self.check(token_in, token_out, amount_in)?;
        let market = self.market(&self.rates, context, Reading::Quote)?;
        market.quote(token_in, token_out, amount_in)
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
        let market = self.market(&self.rates, context, Reading::Quote)?;
        let amount_in = market.least_input(token_in, token_out, amount_out, Reading::Quote)?;
        Ok(Quote { amount_in, amount_out })
    }

    /// The contract's `exchange`: moves the balances, less the admin's share of the fee.
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
        self.check(token_in, token_out, amount_in)?;
        let market = self.market(&self.rates, context, Reading::Swap)?;
        let exchange = market.exchange(token_in, token_out, amount_in)?;
        self.balances[token_in] = exchange.balance_in;
        self.balances[token_out] = exchange.balance_out;
        Ok(Quote { amount_in, amount_out: exchange.amount_out })
    }

    /// `exchange` with the least input whose `exchange` gives `amount_out`; the quote says
    /// what it gives, which may be a little more.
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
        self.check(token_in, token_out, amount_out)?;
        let market = self.market(&self.rates, context, Reading::Swap)?;
        let amount_in = market.least_input(token_in, token_out, amount_out, Reading::Swap)?;
        self.swap_exact_in(token_in, token_out, amount_in, context)
    }

    /// The slope of the invariant at the balances, converted by the rates. Relative error
    /// below 1e-9: D carries the contract's error of one unit.
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
        self.market(&self.rates, context, Reading::Quote)?.marginal_price(token_in, token_out)
    }

    /// The largest input that `get_dy` answers: beyond it, a product leaves 256 bits.
    ///
    /// # Errors
    /// An empty pool.
    pub fn max_in(&self, token_in: usize, token_out: usize, context: &Context) -> Result<U256, AmmError> {
        check_pair(token_in, token_out, self.token_count())?;
        Ok(self.market(&self.rates, context, Reading::Quote)?.max_in(token_in, token_out))
    }

    fn check(&self, token_in: usize, token_out: usize, amount: U256) -> Result<(), AmmError> {
        check_pair(token_in, token_out, self.token_count())?;
        if amount.is_zero() { Err(AmmError::ZeroAmount) } else { Ok(()) }
    }

    fn explain(&self, fault: Fault) -> AmmError {
        fault.explain(|| {
            let balances: Vec<String> = self.balances.iter().map(ToString::to_string).collect();
            format!("the invariant of the balances {}", balances.join(", "))
        })
    }
}
