//! Uniswap V2 and its forks: constant product with any fee.
//!
//! Source: the pair contract's `swap` (`UniswapV2Pair`) and the router library's
//! `getAmountOut` and `getAmountIn`. The fee is a rational: a fork keeps
//! `fee_denominator − fee` of `fee_denominator` parts of the input (997 of 1,000 for
//! Uniswap, 9,975 of 10,000 for Pancake).

use ruint::aliases::U256;

use crate::context::{Context, MarginalPrice, Quote, check_pair};
use crate::error::AmmError;
use crate::integer::{div_up, narrow, to_f64};

/// The largest reserve the pair stores (`uint112`).
pub const MAX_RESERVE: u128 = (1 << 112) - 1;

/// A pair: reserves in token units, and the fee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UniswapV2 {
    pub(crate) reserves: [u128; 2],
    /// Parts of the input kept as fee for a swap of token 0 and of token 1.
    pub(crate) fee: [u32; 2],
    /// Parts of the whole.
    pub(crate) fee_denominator: u32,
}

impl UniswapV2 {
    /// A pair with one fee for both directions.
    ///
    /// # Errors
    /// A reserve above 112 bits, or a fee that is not below the denominator.
    pub fn new(reserves: [u128; 2], fee: u32, fee_denominator: u32) -> Result<Self, AmmError> {
        Self::with_fees(reserves, [fee, fee], fee_denominator)
    }

    /// A pair with a fee for each direction.
    ///
    /// # Errors
    /// A reserve above 112 bits, or a fee that is not below the denominator.
    pub fn with_fees(reserves: [u128; 2], fee: [u32; 2], fee_denominator: u32) -> Result<Self, AmmError> {
        for fee in fee {
            if fee >= fee_denominator {
                return Err(AmmError::FeeRange { fee: fee.into(), limit: fee_denominator.into() });
            }
        }
        for (token, reserve) in reserves.into_iter().enumerate() {
            if reserve > MAX_RESERVE {
                return Err(AmmError::ReserveOverflow {
                    token,
                    value: U256::from(reserve),
                    limit: U256::from(MAX_RESERVE),
                });
            }
        }
        Ok(Self { reserves, fee, fee_denominator })
    }

    /// Reserves of token 0 and token 1, in units.
    #[must_use]
    pub fn reserves(&self) -> [u128; 2] {
        self.reserves
    }

    /// The same pair with other reserves.
    ///
    /// # Errors
    /// A reserve above 112 bits.
    pub fn with_reserves(&self, reserves: [u128; 2]) -> Result<Self, AmmError> {
        Self::with_fees(reserves, self.fee, self.fee_denominator)
    }

    /// The fee of a swap of `token_in`: parts of the input, and of how many.
    #[must_use]
    pub fn fee(&self, token_in: usize) -> (u32, u32) {
        (self.fee[token_in], self.fee_denominator)
    }

    /// Two.
    #[must_use]
    pub fn token_count(&self) -> usize {
        2
    }

    /// What `amount_in` buys, as the router's `getAmountOut` says and the pair's `swap` allows.
    ///
    /// # Errors
    /// A zero amount, an empty reserve, or a reserve that would leave 112 bits.
    #[inline]
    pub fn quote_exact_in(
        &self,
        token_in: usize,
        token_out: usize,
        amount_in: U256,
        _context: &Context,
    ) -> Result<Quote, AmmError> {
        check_pair(token_in, token_out, 2)?;
        let amount = self.storable(token_in, amount_in)?;
        let amount_out = self.amount_out(token_in, amount)?;
        Ok(Quote { amount_in, amount_out: U256::from(amount_out) })
    }

    /// What buys `amount_out`, as the router's `getAmountIn` says: the quotient plus one,
    /// which in rare exact divisions is one more than the least that would do.
    ///
    /// # Errors
    /// A zero amount, an output that is not below the reserve, or an input that would lift
    /// its reserve above 112 bits.
    pub fn quote_exact_out(
        &self,
        token_in: usize,
        token_out: usize,
        amount_out: U256,
        _context: &Context,
    ) -> Result<Quote, AmmError> {
        check_pair(token_in, token_out, 2)?;
        if amount_out.is_zero() {
            return Err(AmmError::ZeroAmount);
        }
        let (reserve_in, reserve_out) = self.filled(token_in)?;
        if amount_out >= U256::from(reserve_out) {
            return Err(AmmError::InsufficientReserve {
                token: token_out,
                amount: amount_out,
                available: U256::from(reserve_out),
            });
        }
        // Bits: 112 + 112 + 32 above, 112 + 32 below: nothing here can overflow.
        let numerator = U256::from(reserve_in) * amount_out * U256::from(self.fee_denominator);
        let kept = U256::from(self.fee_denominator - self.fee[token_in]);
        let denominator = (U256::from(reserve_out) - amount_out) * kept;
        let amount_in = numerator / denominator + U256::ONE;
        self.storable(token_in, amount_in)?;
        Ok(Quote { amount_in, amount_out })
    }

    /// [`Self::quote_exact_in`], and moves the reserves.
    ///
    /// # Errors
    /// As the quote, or an output of zero, which the pair refuses; the state is then unchanged.
    pub fn swap_exact_in(
        &mut self,
        token_in: usize,
        token_out: usize,
        amount_in: U256,
        context: &Context,
    ) -> Result<Quote, AmmError> {
        let quote = self.quote_exact_in(token_in, token_out, amount_in, context)?;
        if quote.amount_out.is_zero() {
            return Err(AmmError::ZeroAmount);
        }
        self.settle(token_in, &quote);
        Ok(quote)
    }

    /// [`Self::quote_exact_out`], and moves the reserves.
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
        self.settle(token_in, &quote);
        Ok(quote)
    }

    /// Reserve out over reserve in, before and after the fee.
    ///
    /// # Errors
    /// An empty reserve.
    pub fn marginal_price(
        &self,
        token_in: usize,
        token_out: usize,
        _context: &Context,
    ) -> Result<MarginalPrice, AmmError> {
        check_pair(token_in, token_out, 2)?;
        let (reserve_in, reserve_out) = self.filled(token_in)?;
        let without_fee = to_f64(U256::from(reserve_out)) / to_f64(U256::from(reserve_in));
        let kept = f64::from(self.fee_denominator - self.fee[token_in]) / f64::from(self.fee_denominator);
        Ok(MarginalPrice { without_fee, with_fee: without_fee * kept })
    }

    /// The largest input the pair can store.
    ///
    /// # Errors
    /// An empty reserve.
    pub fn max_in(&self, token_in: usize, token_out: usize, _context: &Context) -> Result<U256, AmmError> {
        check_pair(token_in, token_out, 2)?;
        let (reserve_in, _) = self.filled(token_in)?;
        Ok(U256::from(MAX_RESERVE - reserve_in))
    }

    /// The output of `amount_in`, which the caller has checked with [`Self::room`].
    #[inline]
    pub(crate) fn amount_out(&self, token_in: usize, amount_in: u128) -> Result<u128, AmmError> {
        let (reserve_in, reserve_out) = self.filled(token_in)?;
        let kept = u128::from(self.fee_denominator - self.fee[token_in]);
        let scale = u128::from(self.fee_denominator);
        if let Some(paid) = amount_in.checked_mul(kept)
            && let Some(denominator) = reserve_in.checked_mul(scale).and_then(|product| product.checked_add(paid))
        {
            // Cheaper than a checked product; what it leaves out is exact on the wide way too.
            if paid.leading_zeros() + reserve_out.leading_zeros() >= u128::BITS {
                return Ok(paid * reserve_out / denominator);
            }
            let (high, low) = narrow::product(paid, reserve_out);
            if let Some(quotient) = narrow::quotient(high, low, denominator) {
                return Ok(quotient);
            }
        }
        // 112 + 32 + 112 bits: the product fits 256.
        let paid = U256::from(amount_in) * U256::from(kept);
        let numerator = paid * U256::from(reserve_out);
        let denominator = U256::from(reserve_in) * U256::from(scale) + paid;
        let quotient = (numerator / denominator).into_limbs();
        Ok(u128::from(quotient[0]) | u128::from(quotient[1]) << 64)
    }

    /// The least input whose output is at least `amount_out`; `None` when no input buys that much.
    #[inline]
    pub(crate) fn least_in(&self, token_in: usize, amount_out: u128) -> Option<u128> {
        let (reserve_in, reserve_out) = self.filled(token_in).ok()?;
        let left = reserve_out.checked_sub(amount_out).filter(|left| *left > 0)?;
        let kept = u128::from(self.fee_denominator - self.fee[token_in]);
        let scale = u128::from(self.fee_denominator);
        if let Some(numerator) = reserve_in.checked_mul(scale).and_then(|product| product.checked_mul(amount_out))
            && let Some(denominator) = left.checked_mul(kept)
        {
            return Some(numerator.div_ceil(denominator));
        }
        let numerator = U256::from(reserve_in) * U256::from(scale) * U256::from(amount_out);
        u128::try_from(div_up(numerator, U256::from(left) * U256::from(kept))?).ok()
    }

    /// The largest input whose reserve the pair can store.
    #[inline]
    pub(crate) fn room(&self, token_in: usize) -> u128 {
        MAX_RESERVE - self.reserves[token_in]
    }

    #[inline]
    fn filled(&self, token_in: usize) -> Result<(u128, u128), AmmError> {
        let (reserve_in, reserve_out) = (self.reserves[token_in], self.reserves[1 - token_in]);
        if reserve_in == 0 || reserve_out == 0 {
            return Err(AmmError::NoLiquidity(format!("reserves {} and {}", self.reserves[0], self.reserves[1])));
        }
        Ok((reserve_in, reserve_out))
    }

    /// The amount as a native integer, when the pair can store the reserve it leads to.
    #[inline]
    fn storable(&self, token: usize, amount: U256) -> Result<u128, AmmError> {
        if amount.is_zero() {
            return Err(AmmError::ZeroAmount);
        }
        let room = self.room(token);
        match u128::try_from(amount) {
            Ok(native) if native <= room => Ok(native),
            _ => Err(AmmError::ReserveOverflow {
                token,
                value: amount.saturating_add(U256::from(self.reserves[token])),
                limit: U256::from(MAX_RESERVE),
            }),
        }
    }

    fn settle(&mut self, token_in: usize, quote: &Quote) {
        // Both were checked against 112 bits by the quote.
        self.reserves[token_in] += quote.amount_in.to::<u128>();
        self.reserves[1 - token_in] -= quote.amount_out.to::<u128>();
    }
}
