//! A round of `newton_y` in native integers: the same steps as in 256 bits, while every
//! value fits. `None` says that one does not, and that 256 bits must answer.

use ruint::aliases::U256;

use super::invariant::Curve;
use crate::integer::narrow::{mul_div, product, quotient};

const WAD: u128 = 1_000_000_000_000_000_000;

/// What all rounds share.
pub(super) struct Rounds {
    ann: u128,
    gamma: u128,
    unit: u128,
    divides_sum: bool,
    d: u128,
    /// `10^18 · D / gamma`.
    scaled_d: u128,
    /// `10^18 · D`, high half first.
    wad_d: (u128, u128),
    /// K0 of the other balances, times the number of coins.
    k0_rest: u128,
    sum_rest: u128,
}

impl Rounds {
    /// Rounds towards the balance that keeps `d` beside others with this K0 and sum.
    pub(super) fn new(curve: &Curve, d: U256, k0_rest: U256, sum_rest: U256, count: U256) -> Option<Self> {
        let narrow = |value: U256| u128::try_from(value).ok();
        let (gamma, d) = (narrow(curve.gamma)?, narrow(d)?);
        Some(Self {
            ann: narrow(curve.ann)?,
            gamma,
            unit: u128::from(curve.rules.a_unit),
            divides_sum: curve.rules.divides_sum,
            d,
            scaled_d: mul_div(WAD, d, gamma)?,
            wad_d: product(WAD, d),
            k0_rest: narrow(k0_rest)?.checked_mul(narrow(count)?)?,
            sum_rest: narrow(sum_rest)?,
        })
    }

    /// The next balance, or `None` inside where the contract halves and tries again at once.
    #[inline]
    pub(super) fn next(&self, y: u128) -> Option<Option<u128>> {
        let k0 = mul_div(self.k0_rest, y, self.d)?;
        let sum = self.sum_rest.checked_add(y)?;
        let distance = self.gamma.checked_add(WAD)?.abs_diff(k0).checked_add(1)?;
        let weight = mul_div(self.scaled_d, distance, self.gamma)?;
        // As large as 10^18 · y, which 128 bits seldom hold.
        let (high, low) = product(weight, distance.checked_mul(self.unit)?);
        let weight = (high.checked_div(self.ann)?, quotient(high % self.ann, low, self.ann)?);
        let double = k0.checked_mul(2 * WAD)?;
        let pull = if self.divides_sum {
            double.checked_add(WAD)? / distance
        } else {
            (double / distance).checked_add(WAD)?
        };
        let above = sum_of(sum_of(product(WAD, y), product(sum, pull))?, weight)?;
        let Some(value) = difference(above, product(self.d, pull)) else {
            return Some(None);
        };
        let slope = quotient(value.0, value.1, y)?;
        let minus = quotient(weight.0, weight.1, slope)?;
        let (high, low) = sum_of(value, self.wad_d)?;
        let plus = quotient(high, low, slope)?.checked_add(mul_div(minus, WAD, k0)?)?;
        let minus = minus.checked_add(mul_div(WAD, sum, slope)?)?;
        Some(Some(plus.checked_sub(minus).unwrap_or(y >> 1)))
    }
}

#[inline]
fn sum_of(a: (u128, u128), b: (u128, u128)) -> Option<(u128, u128)> {
    let (low, carry) = a.1.overflowing_add(b.1);
    Some((a.0.checked_add(b.0)?.checked_add(u128::from(carry))?, low))
}

#[inline]
fn difference(a: (u128, u128), b: (u128, u128)) -> Option<(u128, u128)> {
    let (low, borrow) = a.1.overflowing_sub(b.1);
    Some((a.0.checked_sub(b.0)?.checked_sub(u128::from(borrow))?, low))
}
