//! The StableSwap invariant `A·n·Σx + D = A·n·D + Dⁿ⁺¹ / (nⁿ·Πx)`, solved by the contracts'
//! own iterations. Every x is in common units (18 decimals, rate applied); `ann` is A · n
//! in units of the generation.

use ruint::aliases::U256;

use super::generation::{Product, Rules};
use super::native;
use crate::kind::checked::{Fault, add, div, mul, scale, sub};

/// Rounds after which the contracts give up.
pub(super) const ROUNDS: usize = 255;

/// D of the balances `xp` (`get_D`); zero of an empty pool.
pub(super) fn invariant(xp: &[U256], ann: U256, rules: &Rules) -> Result<U256, Fault> {
    let mut sum = U256::ZERO;
    for x in xp {
        sum = add(sum, *x)?;
    }
    if sum.is_zero() {
        return Ok(U256::ZERO);
    }
    if let Some(d) = native::invariant(xp, ann, rules) {
        return Ok(d);
    }
    wide_invariant(xp, sum, ann, rules)
}

fn wide_invariant(xp: &[U256], sum: U256, ann: U256, rules: &Rules) -> Result<U256, Fault> {
    let count = U256::from(xp.len());
    let unit = U256::from(rules.a_unit);
    let weighted_sum = whole(mul(ann, sum)?, rules);
    let mut d = sum;
    for _ in 0..ROUNDS {
        let product = product(xp, d, count, rules)?;
        let above = mul(add(weighted_sum, mul(product, count)?)?, d)?;
        let below = add(whole(mul(sub(ann, unit)?, d)?, rules), mul(count + U256::ONE, product)?)?;
        let next = div(above, below)?;
        let settled = next.abs_diff(d) <= U256::ONE;
        d = next;
        if settled {
            return Ok(d);
        }
    }
    if rules.strict { Err(Fault::Endless) } else { Ok(d) }
}

/// `Dⁿ⁺¹ / (nⁿ·Πx)`, divided in the order of the generation.
#[inline]
fn product(xp: &[U256], d: U256, count: U256, rules: &Rules) -> Result<U256, Fault> {
    let mut product = d;
    match rules.product {
        Product::EachCoin => {
            for x in xp {
                product = scale(product, d, mul(*x, count)?)?;
            }
        }
        Product::EachCoinPlusOne => {
            for x in xp {
                product = scale(product, d, add(mul(*x, count)?, U256::ONE)?)?;
            }
        }
        Product::AllThenPower => {
            for x in xp {
                product = scale(product, d, *x)?;
            }
            product = div(product, count.pow(count))?;
        }
    }
    Ok(product)
}

/// The balance that keeps `d` when the other coins hold `others` (`get_y`, `get_y_D`).
pub(super) fn balance_of_rest(
    others: impl Iterator<Item = U256>,
    count: usize,
    d: U256,
    ann: U256,
    rules: &Rules,
) -> Result<U256, Fault> {
    let count = U256::from(count);
    let mut sum = U256::ZERO;
    let mut c = d;
    for x in others {
        sum = add(sum, x)?;
        c = scale(c, d, mul(x, count)?)?;
    }
    let unit = U256::from(rules.a_unit);
    c = div(mul(mul(c, d)?, unit)?, mul(ann, count)?)?;
    let b = add(sum, div(mul(d, unit)?, ann)?)?;
    if let Some(y) = native::rest(b, c, d) {
        return Ok(y);
    }
    wide_rest(b, c, d, rules)
}

fn wide_rest(b: U256, c: U256, d: U256, rules: &Rules) -> Result<U256, Fault> {
    let mut y = d;
    for _ in 0..ROUNDS {
        let above = add(mul(y, y)?, c)?;
        let below = sub(add(mul(U256::from(2), y)?, b)?, d)?;
        let next = div(above, below)?;
        let settled = next.abs_diff(y) <= U256::ONE;
        y = next;
        if settled {
            return Ok(y);
        }
    }
    if rules.strict { Err(Fault::Endless) } else { Ok(y) }
}

/// A product with A, without A's decimals.
#[inline]
fn whole(value: U256, rules: &Rules) -> U256 {
    if rules.a_unit == 1 { value } else { value / U256::from(rules.a_unit) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kind::curve_stable::Generation;

    fn any_length() -> impl Strategy<Value = U256> {
        (any::<[u64; 4]>(), 120_usize..255).prop_map(|(limbs, shift)| U256::from_limbs(limbs) >> shift)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        /// Native integers answer what 256 bits answer, or nothing.
        #[test]
        fn native_steps_are_the_wide_ones(
            xp in prop::collection::vec(any_length(), 2..=8),
            level in 1_u64..1_000_000_000_000,
            parts in prop::collection::vec(1_u64..1_000_000_000_000, 2..=4),
            ann in 101_u64..1_000_000_000,
            b in any_length(), c in any_length(),
        ) {
            let likely: Vec<U256> = parts.iter().map(|part| U256::from(*part) * U256::from(level)).collect();
            for generation in Generation::ALL {
                let rules = generation.rules();
                for xp in [&xp, &likely] {
                    let sum: U256 = xp.iter().sum();
                    let wide = wide_invariant(xp, sum, U256::from(ann), &rules);
                    if let Some(native) = native::invariant(xp, U256::from(ann), &rules) {
                        prop_assert_eq!(Ok(native), wide);
                    }
                    if let Some(native) = native::rest(b + sum, c, sum) {
                        prop_assert_eq!(Ok(native), wide_rest(b + sum, c, sum, &rules));
                    }
                }
                let even = parts.iter().max() < parts.iter().min().map(|least| least * 1_000).as_ref();
                if even && wide_invariant(&likely, likely.iter().sum(), U256::from(ann), &rules).is_ok() {
                    prop_assert!(native::invariant(&likely, U256::from(ann), &rules).is_some());
                }
            }
        }
    }
}
