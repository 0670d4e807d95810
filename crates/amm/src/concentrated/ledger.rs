//! The fees of a swap as it walks: growth per liquidity, the protocol's part, crossings.

use ruint::aliases::U256;

use super::core::{Book, Core};
use super::position::Q128;
use super::step::PIPS;
use crate::error::AmmError;
use crate::integer::mul_div;

/// How the protocol takes its part of a step's fee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProtocolPart {
    /// All fees are the liquidity's.
    None,
    /// One part in this many of the fee (V3).
    Divisor(u8),
    /// Parts in 10,000 of the fee (Pancake V3).
    PerTenThousand(u16),
    /// Millionths of the input beside the pool's own fee (V4); `whole` when there is no other fee.
    Pips {
        /// The protocol's rate.
        pips: u32,
        /// The whole fee is the protocol's.
        whole: bool,
    },
}

impl ProtocolPart {
    /// The protocol's part of a fee taken beside `amount_in`, rounded down.
    #[inline]
    pub(crate) fn of(self, amount_in: U256, fee: U256) -> U256 {
        match self {
            Self::None => U256::ZERO,
            Self::Divisor(divisor) => fee / U256::from(divisor),
            Self::PerTenThousand(parts) => fee.wrapping_mul(U256::from(parts)) / U256::from(10_000_u32),
            Self::Pips { whole: true, .. } => fee,
            Self::Pips { pips, whole: false } => {
                amount_in.wrapping_add(fee).wrapping_mul(U256::from(pips)) / U256::from(PIPS)
            }
        }
    }
}

/// Books a swap's fees while it walks; the state takes them over only when it succeeds.
pub(crate) struct Ledger {
    part: ProtocolPart,
    growth_x128: U256,
    protocol: U256,
    /// Crossed ticks by place, with the growth of the token paid in at that moment.
    crossed: Vec<(usize, U256)>,
}

impl Ledger {
    pub(crate) fn new(core: &Core, token_in: usize, part: ProtocolPart) -> Self {
        Self { part, growth_x128: core.fee_growth_x128[token_in], protocol: U256::ZERO, crossed: Vec::new() }
    }

    /// Writes growth and crossings into the pool and returns the protocol's fees.
    pub(crate) fn settle(self, core: &mut Core, token_in: usize) -> U256 {
        settle_growth(core, token_in, self.growth_x128, &self.crossed);
        self.protocol
    }
}

/// Writes the growth of the token paid in, and flips the ticks crossed on the way.
pub(crate) fn settle_growth(core: &mut Core, token_in: usize, growth_x128: U256, crossed: &[(usize, U256)]) {
    for (place, growth_then) in crossed {
        let mut growth = core.fee_growth_x128;
        growth[token_in] = *growth_then;
        core.flip_outside(*place, growth);
    }
    core.fee_growth_x128[token_in] = growth_x128;
}

/// Fee per unit of liquidity, 128.128-bit, rounded down.
#[inline]
pub(crate) fn growth_of(fee: U256, liquidity: u128) -> Result<U256, AmmError> {
    mul_div(fee, Q128, U256::from(liquidity)).ok_or_else(|| AmmError::Overflow {
        what: format!("the growth of a fee of {fee} over liquidity {liquidity}"),
        bits: 256,
    })
}

impl Book for Ledger {
    const DIVIDES: bool = true;

    #[inline]
    fn step(&mut self, amount_in: U256, fee: U256, liquidity: u128) -> Result<(), AmmError> {
        let protocol = self.part.of(amount_in, fee);
        self.protocol = self.protocol.wrapping_add(protocol);
        if liquidity > 0 {
            self.growth_x128 = self.growth_x128.wrapping_add(growth_of(fee - protocol, liquidity)?);
        }
        Ok(())
    }

    #[inline]
    fn cross(&mut self, place: usize, _tick: i32, _zero_for_one: bool) -> Result<(), AmmError> {
        self.crossed.push((place, self.growth_x128));
        Ok(())
    }
}
