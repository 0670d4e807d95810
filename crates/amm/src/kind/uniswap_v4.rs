//! Uniswap V4 pools without hooks.
//!
//! Source: the `Pool` library of v4-core. Differences from V3: the protocol's fee comes
//! on top of the pool's own instead of out of it, an exact input that ends within a step
//! is booked as what the fee leaves, and fees are paid at every change of a position
//! instead of being owed.

use ruint::aliases::U256;

use super::uniswap_v3::signed;
use crate::concentrated::{
    Amount, Booking, Core, Ledger, NoBook, PIPS, PositionKey, ProtocolPart, Swapped, Walk, growth_of, low_128, max_in,
    max_liquidity_per_tick, whole,
};
use crate::context::{Context, MarginalPrice, Quote, check_pair};
use crate::error::AmmError;

/// The largest protocol fee, in millionths of the input.
pub const MAX_PROTOCOL_FEE_PIPS: u32 = 1_000;

/// A V4 pool whose key names no hooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UniswapV4 {
    /// Price, liquidity, ticks and positions.
    pub core: Core,
    /// The liquidity providers' fee, in millionths of the input, at most all of it.
    pub(crate) lp_fee_pips: u32,
    /// The protocol's fee for swaps of token 0 and of token 1, in millionths of the input.
    pub(crate) protocol_fee_pips: [u32; 2],
    /// Protocol fees taken, per token, in units.
    pub protocol_owed: [U256; 2],
}

impl UniswapV4 {
    /// A pool over a prepared core.
    ///
    /// # Errors
    /// A fee above its bound.
    pub fn new(mut core: Core, lp_fee_pips: u32, protocol_fee_pips: [u32; 2]) -> Result<Self, AmmError> {
        if lp_fee_pips > PIPS {
            return Err(AmmError::FeeRange { fee: lp_fee_pips.into(), limit: u64::from(PIPS) + 1 });
        }
        core.max_liquidity_per_tick = max_liquidity_per_tick(core.tick_spacing, true)?;
        let mut pool = Self { core, lp_fee_pips, protocol_fee_pips: [0; 2], protocol_owed: [U256::ZERO; 2] };
        pool.set_protocol_fee(protocol_fee_pips)?;
        Ok(pool)
    }

    /// The liquidity providers' fee, in millionths of the input.
    #[must_use]
    pub fn lp_fee_pips(&self) -> u32 {
        self.lp_fee_pips
    }

    /// The protocol's fee for swaps of token 0 and of token 1, in millionths of the input.
    #[must_use]
    pub fn protocol_fee_pips(&self) -> [u32; 2] {
        self.protocol_fee_pips
    }

    /// Two.
    #[must_use]
    pub fn token_count(&self) -> usize {
        2
    }

    /// What a swap of `token_in` pays in all, in millionths: the protocol's fee, and the
    /// pool's on what it leaves.
    #[must_use]
    pub fn swap_fee_pips(&self, token_in: usize) -> u32 {
        let protocol = self.protocol_fee_pips[token_in];
        // 1,000 × 1,000,000 fits 32 bits.
        protocol + self.lp_fee_pips - protocol * self.lp_fee_pips / PIPS
    }

    /// What `amount_in` buys, when the liquidity suffices for all of it.
    ///
    /// # Errors
    /// A zero amount, or liquidity that ends before it.
    pub fn quote_exact_in(
        &self,
        token_in: usize,
        token_out: usize,
        amount_in: U256,
        context: &Context,
    ) -> Result<Quote, AmmError> {
        let limit = Core::furthest_limit(token_in == 0);
        whole(&self.quote_limited(token_in, token_out, Amount::In(amount_in), limit, context)?, amount_in)
    }

    /// What buys `amount_out`.
    ///
    /// # Errors
    /// A zero amount, or liquidity that ends before it.
    pub fn quote_exact_out(
        &self,
        token_in: usize,
        token_out: usize,
        amount_out: U256,
        context: &Context,
    ) -> Result<Quote, AmmError> {
        let limit = Core::furthest_limit(token_in == 0);
        whole(&self.quote_limited(token_in, token_out, Amount::Out(amount_out), limit, context)?, amount_out)
    }

    /// The contract's swap with a price limit, without moving the state.
    ///
    /// # Errors
    /// A zero amount, a limit on the wrong side of the price, or an exact output when the
    /// fee takes the whole input.
    #[inline]
    pub fn quote_limited(
        &self,
        token_in: usize,
        token_out: usize,
        amount: Amount,
        sqrt_price_limit_x96: U256,
        _context: &Context,
    ) -> Result<Swapped, AmmError> {
        check_pair(token_in, token_out, 2)?;
        let swapped = self.core.walk(&self.walk(token_in, amount, sqrt_price_limit_x96)?, &mut NoBook)?;
        settleable([swapped.amount_in, U256::ZERO], [U256::ZERO, swapped.amount_out])?;
        Ok(swapped)
    }

    /// [`Self::quote_exact_in`], and moves the state.
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
        let limit = Core::furthest_limit(token_in == 0);
        let swapped = self.swap_if(token_in, token_out, Amount::In(amount_in), limit, context, Swapped::is_whole)?;
        whole(&swapped, amount_in)
    }

    /// [`Self::quote_exact_out`], and moves the state.
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
        let limit = Core::furthest_limit(token_in == 0);
        let swapped = self.swap_if(token_in, token_out, Amount::Out(amount_out), limit, context, Swapped::is_whole)?;
        whole(&swapped, amount_out)
    }

    /// The contract's swap: moves price, ticks, fee growth and protocol fees.
    ///
    /// # Errors
    /// As [`Self::quote_limited`]; the state is then unchanged.
    pub fn swap_limited(
        &mut self,
        token_in: usize,
        token_out: usize,
        amount: Amount,
        sqrt_price_limit_x96: U256,
        context: &Context,
    ) -> Result<Swapped, AmmError> {
        self.swap_if(token_in, token_out, amount, sqrt_price_limit_x96, context, |_| true)
    }

    /// [`Self::swap_limited`], but the state moves only when `accept` agrees to the outcome.
    ///
    /// # Errors
    /// As [`Self::swap_limited`]; the state is then unchanged.
    pub fn swap_if(
        &mut self,
        token_in: usize,
        token_out: usize,
        amount: Amount,
        sqrt_price_limit_x96: U256,
        _context: &Context,
        accept: impl FnOnce(&Swapped) -> bool,
    ) -> Result<Swapped, AmmError> {
        check_pair(token_in, token_out, 2)?;
        let pips = self.protocol_fee_pips[token_in];
        let part = match pips {
            0 => ProtocolPart::None,
            _ => ProtocolPart::Pips { pips, whole: self.lp_fee_pips == 0 },
        };
        let mut ledger = Ledger::new(&self.core, token_in, part);
        let swapped = self.core.walk(&self.walk(token_in, amount, sqrt_price_limit_x96)?, &mut ledger)?;
        settleable([swapped.amount_in, U256::ZERO], [U256::ZERO, swapped.amount_out])?;
        if accept(&swapped) {
            let protocol = ledger.settle(&mut self.core, token_in);
            self.core.settle(&swapped);
            self.protocol_owed[token_in] = self.protocol_owed[token_in].wrapping_add(protocol);
        }
        Ok(swapped)
    }

    /// The pool's price, before and after both fees.
    ///
    /// # Errors
    /// Never; other kinds may.
    pub fn marginal_price(
        &self,
        token_in: usize,
        token_out: usize,
        _context: &Context,
    ) -> Result<MarginalPrice, AmmError> {
        check_pair(token_in, token_out, 2)?;
        let without_fee = self.core.price(token_in == 0);
        let kept = f64::from(PIPS - self.swap_fee_pips(token_in)) / f64::from(PIPS);
        Ok(MarginalPrice { without_fee, with_fee: without_fee * kept })
    }

    /// What it takes to push the price to the end of its range: all that can be sold.
    ///
    /// # Errors
    /// A price that is at the end already.
    pub fn max_in(&self, token_in: usize, token_out: usize, context: &Context) -> Result<U256, AmmError> {
        max_in(|amount, limit| self.quote_limited(token_in, token_out, amount, limit, context), token_in)
    }

    /// Changes a position's liquidity. Returns the principal that moves (in when positive,
    /// out when negative) and the fees paid out with it, per token.
    ///
    /// # Errors
    /// Ticks that cannot be used, too much liquidity on one of them, more than the position
    /// has, or a touch of an empty position.
    pub fn modify_liquidity(&mut self, key: PositionKey, delta: i128) -> Result<([U256; 2], [u128; 2]), AmmError> {
        let change = self.core.change(key, delta, true)?;
        let (amounts, fees) = (change.amounts, change.fees);
        if delta > 0 {
            settleable(amounts, fees)?
        } else {
            settleable([U256::ZERO; 2], amounts)?
        };
        settleable([U256::ZERO; 2], fees)?;
        let fees = fees.map(low_128);
        self.core.apply(change);
        self.core.collect(&key, fees);
        Ok((amounts, fees))
    }

    /// [`Self::modify_liquidity`] with liquidity added.
    ///
    /// # Errors
    /// As [`Self::modify_liquidity`], or a change above 127 bits.
    pub fn mint(&mut self, key: PositionKey, liquidity: u128) -> Result<([U256; 2], [u128; 2]), AmmError> {
        self.modify_liquidity(key, signed(liquidity)?)
    }

    /// Gives `amounts` to the liquidity in range.
    ///
    /// # Errors
    /// No liquidity in range.
    pub fn donate(&mut self, amounts: [U256; 2]) -> Result<(), AmmError> {
        if self.core.liquidity == 0 {
            return Err(AmmError::NoLiquidity("nobody in range to donate to".into()));
        }
        settleable([U256::ZERO; 2], amounts)?;
        let growth = [growth_of(amounts[0], self.core.liquidity)?, growth_of(amounts[1], self.core.liquidity)?];
        for token in 0..2 {
            self.core.fee_growth_x128[token] = self.core.fee_growth_x128[token].wrapping_add(growth[token]);
        }
        Ok(())
    }

    /// Sets the protocol's fee of future swaps, in millionths of the input.
    ///
    /// # Errors
    /// A fee above [`MAX_PROTOCOL_FEE_PIPS`].
    pub fn set_protocol_fee(&mut self, pips: [u32; 2]) -> Result<(), AmmError> {
        for fee in pips {
            if fee > MAX_PROTOCOL_FEE_PIPS {
                return Err(AmmError::FeeRange { fee: fee.into(), limit: u64::from(MAX_PROTOCOL_FEE_PIPS) + 1 });
            }
        }
        self.protocol_fee_pips = pips;
        Ok(())
    }

    #[inline]
    fn walk(&self, token_in: usize, amount: Amount, sqrt_price_limit_x96: U256) -> Result<Walk, AmmError> {
        let fee_pips = self.swap_fee_pips(token_in);
        if fee_pips >= PIPS && matches!(amount, Amount::Out(value) if !value.is_zero()) {
            return Err(AmmError::FeeRange { fee: fee_pips.into(), limit: PIPS.into() });
        }
        let zero_for_one = token_in == 0;
        Ok(Walk { zero_for_one, amount, sqrt_price_limit_x96, fee_pips, booking: Booking::Remaining })
    }
}

/// Checks that the manager can keep account of what moves: signed numbers of 128 bits.
fn settleable(paid_in: [U256; 2], paid_out: [U256; 2]) -> Result<(), AmmError> {
    let bound = U256::ONE << 127;
    for amount in paid_in {
        if amount > bound {
            return Err(AmmError::Overflow { what: format!("the payment of {amount} as a signed number"), bits: 128 });
        }
    }
    for amount in paid_out {
        if amount >= bound {
            return Err(AmmError::Overflow { what: format!("the receipt of {amount} as a signed number"), bits: 128 });
        }
    }
    Ok(())
}
