//! Liquidity positions and what they are owed.

use ruint::aliases::U256;

use crate::error::AmmError;
use crate::integer::mul_div;

/// 2^128: one, in the unit of fee growth.
pub(crate) const Q128: U256 = U256::from_limbs([0, 0, 1, 0]);

/// Who holds liquidity in which range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PositionKey {
    /// The owner's address as a number (for V4: any number that stands for owner and salt).
    pub owner: U256,
    /// First tick of the range.
    pub tick_lower: i32,
    /// First tick above the range.
    pub tick_upper: i32,
}

/// A position: liquidity, and fees up to its last touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// Liquidity.
    pub liquidity: u128,
    /// Fee growth inside its range at its last touch, per token, 128.128-bit, wrapping.
    pub fee_growth_inside_x128: [U256; 2],
    /// Fees and withdrawn principal waiting to be collected, per token, in units.
    pub owed: [u128; 2],
}

impl Position {
    /// Books the fees since the last touch and changes the liquidity. `earns` is false for
    /// staked liquidity, whose fees go to the gauge. Returns the fees earned, of which the
    /// low 128 bits are booked.
    ///
    /// # Errors
    /// A touch of an empty position, liquidity below zero or above 128 bits.
    pub(crate) fn update(&mut self, delta: i128, inside: [U256; 2], earns: bool) -> Result<[U256; 2], AmmError> {
        if delta == 0 && self.liquidity == 0 {
            return Err(AmmError::Liquidity { place: "the position".into(), reason: "a touch of nothing".into() });
        }
        let liquidity = add_delta(self.liquidity, delta).map_err(|reason| liquidity_error("the position", reason))?;
        let mut fees = [U256::ZERO; 2];
        if earns {
            for token in 0..2 {
                let growth = inside[token].wrapping_sub(self.fee_growth_inside_x128[token]);
                // Growth times a 128-bit liquidity over 2^128 always fits 256 bits; the
                // contract keeps the low 128.
                fees[token] = mul_div(growth, U256::from(self.liquidity), Q128).unwrap_or_default();
            }
        }
        self.liquidity = liquidity;
        self.fee_growth_inside_x128 = inside;
        for token in 0..2 {
            self.owed[token] = self.owed[token].wrapping_add(low_128(fees[token]));
        }
        Ok(fees)
    }
}

/// The low 128 bits: the contract's narrowing casts.
#[must_use]
pub(crate) fn low_128(value: U256) -> u128 {
    let limbs = value.as_limbs();
    u128::from(limbs[0]) | u128::from(limbs[1]) << 64
}

/// Liquidity plus a signed change.
pub(crate) fn add_delta(liquidity: u128, delta: i128) -> Result<u128, String> {
    liquidity.checked_add_signed(delta).ok_or_else(|| format!("{liquidity} {delta:+} is not in 0 … 2^128 − 1"))
}

pub(crate) fn liquidity_error(place: &str, reason: String) -> AmmError {
    AmmError::Liquidity { place: place.to_owned(), reason }
}
