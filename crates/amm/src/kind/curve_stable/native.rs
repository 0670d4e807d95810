//! The invariant's iterations in native integers: the same steps as in 256 bits, while every
//! value fits. `None` says that one does not, and that 256 bits must answer.

use ruint::aliases::U256;

use super::MAX_TOKENS;
use super::generation::{Product, Rules};
use super::invariant::ROUNDS;
use crate::integer::narrow::{mul_div, product, quotient};

/// D of the balances; `None` also where the iteration does not settle.
pub(super) fn invariant(xp: &[U256], ann: U256, rules: &Rules) -> Option<U256> {
    let mut x = [0_u128; MAX_TOKENS];
    let mut divisors = [0_u128; MAX_TOKENS];
    let count = u128::try_from(xp.len()).ok()?;
    let mut sum = 0_u128;
    for (index, balance) in xp.iter().enumerate() {
        x[index] = u128::try_from(*balance).ok()?;
        sum = sum.checked_add(x[index])?;
        divisors[index] = match rules.product {
            Product::EachCoin => x[index].checked_mul(count)?,
            Product::EachCoinPlusOne => x[index].checked_mul(count)?.checked_add(1)?,
            Product::AllThenPower => x[index],
        };
    }
    let divisors = &divisors[..xp.len()];
    let power = match rules.product {
        Product::AllThenPower => count.checked_pow(u32::try_from(xp.len()).ok()?)?,
        Product::EachCoin | Product::EachCoinPlusOne => 1,
    };
    let (ann, unit) = (u128::try_from(ann).ok()?, u128::from(rules.a_unit));
    let weighted_sum = ann.checked_mul(sum)? / unit;
    let mut d = sum;
    for _ in 0..ROUNDS {
        let mut product = d;
        for divisor in divisors {
            product = mul_div(product, d, *divisor)?;
        }
        product /= power;
        let above = weighted_sum.checked_add(product.checked_mul(count)?)?;
        let below = (ann.checked_sub(unit)?.checked_mul(d)? / unit).checked_add((count + 1).checked_mul(product)?)?;
        let next = mul_div(above, d, below)?;
        let settled = next.abs_diff(d) <= 1;
        d = next;
        if settled {
            return Some(U256::from(d));
        }
    }
    None
}

/// The rounds of `y = (y² + c) / (2y + b − d)` from `d`.
pub(super) fn rest(b: U256, c: U256, d: U256) -> Option<U256> {
    let [c0, c1, c2, c3] = c.into_limbs();
    let (c_low, c_high) = (u128::from(c0) | u128::from(c1) << 64, u128::from(c2) | u128::from(c3) << 64);
    let (b, d) = (u128::try_from(b).ok()?, u128::try_from(d).ok()?);
    let mut y = d;
    for _ in 0..ROUNDS {
        let (square_high, square_low) = product(y, y);
        let (low, carry) = square_low.overflowing_add(c_low);
        let high = square_high.checked_add(c_high)?.checked_add(u128::from(carry))?;
        let below = y.checked_mul(2)?.checked_add(b)?.checked_sub(d)?;
        let next = quotient(high, low, below)?;
        let settled = next.abs_diff(y) <= 1;
        y = next;
        if settled {
            return Some(U256::from(y));
        }
    }
    None
}
