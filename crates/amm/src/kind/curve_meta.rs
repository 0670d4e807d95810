//! Curve meta pools: a token against the pool token of a base pool.
//!
//! Source: the meta template of `curvefi/curve-contract` and its RAI pool, and the meta
//! pools of `curvefi/curve-factory`. The base's token counts at its virtual price, which
//! the template caches for ten minutes; the factory's pools ask every time.

use ruint::aliases::U256;

use super::checked::{Fault, add, div, mul, sub};
use super::curve_stable::liquidity::Direction;
use super::curve_stable::market::{share, to_common, to_units};
use super::curve_stable::{CurveStable, FEE_DENOMINATOR, Generation, Market, PRECISION, Reading};
use crate::context::{Context, MarginalPrice, Quote, check_pair};
use crate::error::AmmError;

/// How long the cached virtual price of the base serves, in seconds.
pub const CACHE_EXPIRES: u64 = 600;

/// Index of the base pool's token among the two.
const BASE: usize = 1;

/// Where the pool takes the virtual price of its base from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BasePrice {
    /// From the base, at every call.
    Live,
    /// From its own memory, until [`CACHE_EXPIRES`] seconds after `updated`.
    Cached {
        /// The remembered virtual price, with 18 decimals.
        price: U256,
        /// When it was taken, in seconds since 1970 (UTC).
        updated: u64,
    },
}

/// A meta pool with its base, at one block.
///
/// Tokens are the pool's own two. The underlying tokens are the first of them, then those
/// of the base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurveMeta {
    /// The pool of two tokens. The first rate is the first token's (for RAI its redemption
    /// price); the second is never read, it is the virtual price of the base.
    pool: CurveStable,
    base: CurveStable,
    base_price: BasePrice,
}

impl CurveMeta {
    /// A pool of two tokens over a base.
    ///
    /// # Errors
    /// Another number of tokens, a state that either pool refuses, a pool of another
    /// generation than the template's (whose underlying quotes are other ones), or a base
    /// without the supply of its token.
    pub fn new(pool: CurveStable, base: CurveStable, base_price: BasePrice) -> Result<Self, AmmError> {
        let (pool, base) = (pool.checked()?, base.checked()?);
        if pool.token_count() != 2 {
            return Err(AmmError::State(format!("a meta pool has 2 tokens, not {}", pool.token_count())));
        }
        if pool.generation != Generation::Template {
            return Err(AmmError::State(format!("meta pools follow template, not {}", pool.generation.name())));
        }
        if base.total_supply.is_none() {
            return Err(AmmError::Missing("lp_token_total_supply of the base pool"));
        }
        if let BasePrice::Cached { price, .. } = base_price
            && price.is_zero()
        {
            return Err(AmmError::State("the cached virtual price of the base is zero".into()));
        }
        Ok(Self { pool, base, base_price })
    }

    /// The pool of two tokens; its second rate is not the one in use.
    #[must_use]
    pub fn pool(&self) -> &CurveStable {
        &self.pool
    }

    /// The base pool.
    #[must_use]
    pub fn base(&self) -> &CurveStable {
        &self.base
    }

    /// Where the virtual price of the base comes from.
    #[must_use]
    pub fn base_price(&self) -> BasePrice {
        self.base_price
    }

    /// Two.
    #[must_use]
    pub fn token_count(&self) -> usize {
        2
    }

    /// The first token and those of the base.
    #[must_use]
    pub fn underlying_count(&self) -> usize {
        self.base.token_count() + 1
    }

    /// The virtual price of the base that a call in this block uses.
    ///
    /// # Errors
    /// A drained base, or a cache and no timestamp.
    pub fn base_virtual_price(&self, context: &Context) -> Result<U256, AmmError> {
        match self.base_price {
            BasePrice::Live => self.base.virtual_price(context),
            BasePrice::Cached { .. } if context.timestamp == 0 => {
                Err(AmmError::Missing("the block's timestamp, which the cached virtual price needs"))
            }
            BasePrice::Cached { updated, .. } if context.timestamp > updated.saturating_add(CACHE_EXPIRES) => {
                self.base.virtual_price(context)
            }
            BasePrice::Cached { price, .. } => Ok(price),
        }
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
        let market = self.market(context)?;
        let amount_in = market.least_input(token_in, token_out, amount_out, Reading::Quote)?;
        Ok(Quote { amount_in, amount_out })
    }

    /// The contract's `exchange`: moves the balances and renews an expired cache.
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
        let market = self.market(context)?;
        let price = market.rates[BASE];
        let exchange = market.exchange(token_in, token_out, amount_in)?;
        self.pool.balances[token_in] = exchange.balance_in;
        self.pool.balances[token_out] = exchange.balance_out;
        if let BasePrice::Cached { updated, .. } = self.base_price
            && context.timestamp > updated.saturating_add(CACHE_EXPIRES)
        {
            self.base_price = BasePrice::Cached { price, updated: context.timestamp };
        }
        Ok(Quote { amount_in, amount_out: exchange.amount_out })
    }

    /// `exchange` with the least input that gives `amount_out`.
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
        let market = self.market(context)?;
        let amount_in = market.least_input(token_in, token_out, amount_out, Reading::Swap)?;
        self.swap_exact_in(token_in, token_out, amount_in, context)
    }

    /// The slope of the invariant at the balances; relative error below 1e-9.
    ///
    /// # Errors
    /// An empty pool.
    pub fn marginal_price(
        &self,
        token_in: usize,
        token_out: usize,
        context: &Context,
    ) -> Result<MarginalPrice, AmmError> {
        check_pair(token_in, token_out, 2)?;
        self.market(context)?.marginal_price(token_in, token_out)
    }

    /// The largest input that `get_dy` answers.
    ///
    /// # Errors
    /// An empty pool.
    pub fn max_in(&self, token_in: usize, token_out: usize, context: &Context) -> Result<U256, AmmError> {
        check_pair(token_in, token_out, 2)?;
        Ok(self.market(context)?.max_in(token_in, token_out))
    }

    /// What the contract's `get_dy_underlying` says: between the first token (index 0) and
    /// the tokens of the base (from index 1), or within the base.
    ///
    /// It is the contract's own estimate: its `exchange_underlying` pays the base's real
    /// deposit fee, which the view only approximates.
    ///
    /// # Errors
    /// A zero amount, a drained pool, or an amount that leaves the contract's 256 bits.
    pub fn quote_underlying_exact_in(
        &self,
        underlying_in: usize,
        underlying_out: usize,
        amount_in: U256,
        context: &Context,
    ) -> Result<Quote, AmmError> {
        check_pair(underlying_in, underlying_out, self.underlying_count())?;
        if amount_in.is_zero() {
            return Err(AmmError::ZeroAmount);
        }
        if underlying_in > 0 && underlying_out > 0 {
            return self.base.quote_exact_in(underlying_in - 1, underlying_out - 1, amount_in, context);
        }
        let market = self.market(context)?;
        let explain = |fault: Fault| fault.explain(|| format!("the underlying swap of {amount_in}"));
        let amount_out = if underlying_in == 0 {
            let added = to_common(amount_in, market.rates[0]).map_err(explain)?;
            let gross = through(&market, 0, BASE, added).map_err(explain)?;
            let pool_tokens = to_units(gross, market.rates[BASE]).map_err(explain)?;
            self.base.calc_withdraw_one_coin(pool_tokens, underlying_out - 1, context)?
        } else {
            let mut deposit = vec![U256::ZERO; self.base.token_count()];
            deposit[underlying_in - 1] = amount_in;
            let pool_tokens = self.base.calc_token_amount(&deposit, Direction::Deposit, context)?;
            let added = self.less_deposit_fee(pool_tokens, market.rates[BASE]).map_err(explain)?;
            let gross = through(&market, BASE, 0, added).map_err(explain)?;
            to_units(gross, market.rates[0]).map_err(explain)?
        };
        Ok(Quote { amount_in, amount_out })
    }

    /// A deposit's pool tokens in common units, less half the base's fee: what the view
    /// takes for the fees of the deposit.
    fn less_deposit_fee(&self, pool_tokens: U256, rate: U256) -> Result<U256, Fault> {
        let common = div(mul(pool_tokens, rate)?, U256::from(PRECISION))?;
        let fee = mul(common, U256::from(self.base.fee))? / U256::from(2 * FEE_DENOMINATOR);
        sub(common, fee)
    }

    fn market(&self, context: &Context) -> Result<Market<'_>, AmmError> {
        let rates = [self.pool.rates[0], self.base_virtual_price(context)?];
        self.pool.market(&rates, context, Reading::Swap)
    }

    fn check(&self, token_in: usize, token_out: usize, amount: U256) -> Result<(), AmmError> {
        check_pair(token_in, token_out, 2)?;
        if amount.is_zero() { Err(AmmError::ZeroAmount) } else { Ok(()) }
    }
}

/// What leaves the pool in common units, fee deducted, when `added` comes in.
fn through(market: &Market<'_>, token_in: usize, token_out: usize, added: U256) -> Result<U256, Fault> {
    let balance_in = add(market.balances()[token_in], added)?;
    let balance_out = market.balance_out(token_in, token_out, balance_in)?;
    let gross = sub(sub(market.balances()[token_out], balance_out)?, U256::ONE)?;
    let rate = market.fee_rate(token_in, token_out, balance_in, balance_out)?;
    sub(gross, share(gross, rate)?)
}
