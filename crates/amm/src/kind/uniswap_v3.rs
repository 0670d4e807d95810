//! Uniswap V3 and its forks, Pancake V3 among them: the full state machine.
//!
//! Source: `UniswapV3Pool` of v3-core; Pancake differs in how the protocol's part of the
//! fee is counted. Token balances and callbacks are the caller's: every operation returns
//! the amounts that move.

use ruint::aliases::U256;

use crate::concentrated::{
    Amount, Booking, Core, Ledger, NoBook, PIPS, PositionKey, ProtocolPart, Swapped, Walk, growth_of, low_128, max_in,
    whole,
};
use crate::context::{Context, MarginalPrice, Quote, check_pair};
use crate::error::AmmError;
use crate::integer::mul_div_up;

/// The protocol's part of the fees, for swaps of token 0 and of token 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProtocolFee {
    /// One part in so many, 4 … 10, or 0 for none (Uniswap).
    Divisor([u8; 2]),
    /// Parts in 10,000, 1,000 … 4,000, or 0 for none (Pancake).
    PerTenThousand([u16; 2]),
}

/// A V3 pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UniswapV3 {
    /// Price, liquidity, ticks and positions.
    pub core: Core,
    /// Fee in millionths of the input, below one million.
    pub(crate) fee_pips: u32,
    /// The protocol's part; its variant says whose pool it is.
    pub(crate) protocol_fee: ProtocolFee,
    /// Protocol fees waiting to be collected, per token, in units.
    pub protocol_owed: [u128; 2],
}

impl UniswapV3 {
    /// A pool over a prepared core, without protocol fee. `pancake` picks the fork.
    ///
    /// # Errors
    /// A fee of the whole input.
    pub fn new(core: Core, fee_pips: u32, pancake: bool) -> Result<Self, AmmError> {
        if fee_pips >= PIPS {
            return Err(AmmError::FeeRange { fee: fee_pips.into(), limit: PIPS.into() });
        }
        let protocol_fee = if pancake { ProtocolFee::PerTenThousand([0; 2]) } else { ProtocolFee::Divisor([0; 2]) };
        Ok(Self { core, fee_pips, protocol_fee, protocol_owed: [0; 2] })
    }

    /// Fee in millionths of the input.
    #[must_use]
    pub fn fee_pips(&self) -> u32 {
        self.fee_pips
    }

    /// The protocol's part of the fees; its variant says whose pool it is.
    #[must_use]
    pub fn protocol_fee(&self) -> ProtocolFee {
        self.protocol_fee
    }

    /// Two.
    #[must_use]
    pub fn token_count(&self) -> usize {
        2
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

    /// The contract's swap with a price limit, without moving the state: it stops at the
    /// limit with part of the amount left.
    ///
    /// # Errors
    /// A zero amount, or a limit on the wrong side of the price.
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
        self.core.walk(&self.walk(token_in, amount, sqrt_price_limit_x96), &mut NoBook)
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
    /// As [`Self::quote_limited`]; the state is then unchanged.
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
        let mut ledger = Ledger::new(&self.core, token_in, self.protocol_part(token_in));
        let swapped = self.core.walk(&self.walk(token_in, amount, sqrt_price_limit_x96), &mut ledger)?;
        if accept(&swapped) {
            let protocol = ledger.settle(&mut self.core, token_in);
            self.core.settle(&swapped);
            self.protocol_owed[token_in] = self.protocol_owed[token_in].wrapping_add(low_128(protocol));
        }
        Ok(swapped)
    }

    /// The pool's price, before and after the fee.
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
        Ok(MarginalPrice { without_fee, with_fee: without_fee * f64::from(PIPS - self.fee_pips) / f64::from(PIPS) })
    }

    /// What it takes to push the price to the end of its range: all that can be sold.
    ///
    /// # Errors
    /// A price that is at the end already.
    pub fn max_in(&self, token_in: usize, token_out: usize, context: &Context) -> Result<U256, AmmError> {
        max_in(|amount, limit| self.quote_limited(token_in, token_out, amount, limit, context), token_in)
    }

    /// Adds liquidity to a position and returns the tokens it takes.
    ///
    /// # Errors
    /// Nothing to add, ticks that cannot be used, or too much liquidity on one of them.
    pub fn mint(&mut self, key: PositionKey, liquidity: u128) -> Result<[U256; 2], AmmError> {
        if liquidity == 0 {
            return Err(AmmError::ZeroAmount);
        }
        self.core.modify(key, signed(liquidity)?, true)
    }

    /// Takes liquidity out of a position; the tokens are then owed to it. Zero liquidity
    /// books the fees only.
    ///
    /// # Errors
    /// More liquidity than the position has.
    pub fn burn(&mut self, key: PositionKey, liquidity: u128) -> Result<[U256; 2], AmmError> {
        let amounts = self.core.modify(key, -signed(liquidity)?, true)?;
        self.core.owe(&key, amounts);
        Ok(amounts)
    }

    /// Pays out up to `amounts` of what a position is owed.
    pub fn collect(&mut self, key: &PositionKey, amounts: [u128; 2]) -> [u128; 2] {
        self.core.collect(key, amounts)
    }

    /// The fee of a flash loan, per token, rounded up.
    ///
    /// # Errors
    /// An amount whose fee overflows.
    pub fn flash_fees(&self, amounts: [U256; 2]) -> Result<[U256; 2], AmmError> {
        let fee = |amount: U256| {
            mul_div_up(amount, U256::from(self.fee_pips), U256::from(PIPS))
                .ok_or_else(|| AmmError::Overflow { what: format!("the flash fee on {amount}"), bits: 256 })
        };
        Ok([fee(amounts[0])?, fee(amounts[1])?])
    }

    /// A flash loan of `amounts` that was paid back with `paid` on top.
    ///
    /// # Errors
    /// No liquidity in range, or less paid than the fee.
    pub fn flash(&mut self, amounts: [U256; 2], paid: [U256; 2]) -> Result<(), AmmError> {
        if self.core.liquidity == 0 {
            return Err(AmmError::NoLiquidity("a flash loan needs liquidity in range".into()));
        }
        let fees = self.flash_fees(amounts)?;
        let mut growth = [U256::ZERO; 2];
        let mut protocol = [U256::ZERO; 2];
        for token in 0..2 {
            if paid[token] < fees[token] {
                return Err(AmmError::Limit {
                    what: "what is paid for the flash loan",
                    value: paid[token],
                    limit: fees[token],
                });
            }
            protocol[token] = self.protocol_part(token).of(U256::ZERO, paid[token]);
            growth[token] = growth_of(paid[token] - protocol[token], self.core.liquidity)?;
        }
        for token in 0..2 {
            self.protocol_owed[token] = self.protocol_owed[token].wrapping_add(low_128(protocol[token]));
            self.core.fee_growth_x128[token] = self.core.fee_growth_x128[token].wrapping_add(growth[token]);
        }
        Ok(())
    }

    /// Sets the protocol's part of future fees.
    ///
    /// # Errors
    /// A part outside the range of the fork, or of the other fork.
    pub fn set_protocol_fee(&mut self, fee: ProtocolFee) -> Result<(), AmmError> {
        let allowed = match (self.protocol_fee, fee) {
            (ProtocolFee::Divisor(_), ProtocolFee::Divisor(parts)) => {
                parts.iter().all(|part| *part == 0 || (4..=10).contains(part))
            }
            (ProtocolFee::PerTenThousand(_), ProtocolFee::PerTenThousand(parts)) => {
                parts.iter().all(|part| *part == 0 || (1000..=4000).contains(part))
            }
            _ => false,
        };
        if !allowed {
            return Err(AmmError::State(format!("{fee:?} is no protocol fee of this pool")));
        }
        self.protocol_fee = fee;
        Ok(())
    }

    /// Pays out up to `amounts` of the protocol fees. As in the contract, one unit stays
    /// when all is asked for.
    pub fn collect_protocol(&mut self, amounts: [u128; 2]) -> [u128; 2] {
        let mut taken = [0; 2];
        for token in 0..2 {
            taken[token] = amounts[token].min(self.protocol_owed[token]);
            if taken[token] > 0 && taken[token] == self.protocol_owed[token] {
                taken[token] -= 1;
            }
            self.protocol_owed[token] -= taken[token];
        }
        taken
    }

    fn protocol_part(&self, token_in: usize) -> ProtocolPart {
        match self.protocol_fee {
            ProtocolFee::Divisor(parts) if parts[token_in] > 0 => ProtocolPart::Divisor(parts[token_in]),
            ProtocolFee::PerTenThousand(parts) if parts[token_in] > 0 => ProtocolPart::PerTenThousand(parts[token_in]),
            _ => ProtocolPart::None,
        }
    }

    #[inline]
    fn walk(&self, token_in: usize, amount: Amount, sqrt_price_limit_x96: U256) -> Walk {
        Walk {
            zero_for_one: token_in == 0,
            amount,
            sqrt_price_limit_x96,
            fee_pips: self.fee_pips,
            booking: Booking::Recomputed,
        }
    }
}

/// Liquidity as the contract's signed change.
pub(super) fn signed(liquidity: u128) -> Result<i128, AmmError> {
    i128::try_from(liquidity)
        .map_err(|_| AmmError::Overflow { what: format!("the change of liquidity {liquidity}"), bits: 128 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_moves_nothing() {
        let core = Core::new(60, U256::ONE << 96).unwrap();
        let mut pool = UniswapV3::new(core, 3000, false).unwrap();
        let key = PositionKey { owner: U256::ONE, tick_lower: -60, tick_upper: 60 };
        pool.mint(key, 1_000_000).unwrap();
        let before = pool.clone();
        let (context, limit) = (Context::default(), Core::furthest_limit(true));
        // More than the position holds: a price limit would take a part, an exact amount nothing.
        for swapped in [
            pool.swap_exact_in(0, 1, U256::from(1_000_000), &context),
            pool.swap_exact_out(0, 1, U256::from(1_000_000), &context),
        ] {
            assert!(matches!(swapped, Err(AmmError::LiquidityExhausted { .. })), "{swapped:?}");
        }
        for (token_in, token_out) in [(0, 0), (0, 2), (7, 1)] {
            let swapped = pool.swap_if(token_in, token_out, Amount::In(U256::ONE), limit, &context, |_| true);
            assert!(matches!(swapped, Err(AmmError::TokenPair { .. })), "{swapped:?}");
        }
        assert_eq!(pool, before);
        assert!(pool.swap_exact_in(0, 1, U256::from(100), &context).is_ok());
        assert_ne!(pool, before);
    }
}
