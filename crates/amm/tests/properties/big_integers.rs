//! Independent big-integer answers: logarithms and powers to 60 digits, roots by bisection.

use assay_amm::U256;
use num_bigint::{BigInt, BigUint};

/// Decimals of the oracle's fixed point.
const DIGITS: u32 = 60;

pub fn big(value: U256) -> BigUint {
    BigUint::from_bytes_le(&value.to_le_bytes::<32>())
}

fn one() -> BigInt {
    BigInt::from(10).pow(DIGITS)
}

/// `ln(numerator / denominator)` in 60 decimals, off by less than 10^−55.
pub fn ln(numerator: &BigUint, denominator: &BigUint) -> BigInt {
    // Halve or double into 0.75 to 1.5, then 2·atanh((x − 1) / (x + 1)).
    let (mut above, mut below) = (BigInt::from(numerator.clone()), BigInt::from(denominator.clone()));
    let mut doublings = 0_i64;
    while &above * 2 > &below * 3 {
        below *= 2;
        doublings += 1;
    }
    while &above * 4 < &below * 3 {
        above *= 2;
        doublings -= 1;
    }
    atanh(&(&above - &below), &(&above + &below)) * 2 + ln_two() * doublings
}

fn ln_two() -> BigInt {
    atanh(&BigInt::from(1), &BigInt::from(3)) * 2
}

fn atanh(above: &BigInt, below: &BigInt) -> BigInt {
    let z = one() * above / below;
    let square = &z * &z / one();
    let (mut power, mut total) = (z.clone(), z);
    let mut divisor = 3;
    while power.bits() > 0 {
        power = &power * &square / one();
        total += &power / divisor;
        divisor += 2;
    }
    total
}

/// `e^x` for 60 decimals, off by less than 10^−50 relative for moderate `x`.
pub fn exp(x: &BigInt) -> BigInt {
    let shift = 40_u32;
    let small = x >> shift;
    let (mut term, mut total) = (one(), one());
    let mut divisor = 1;
    while term.bits() > 0 && divisor < 60 {
        term = &term * &small / one() / divisor;
        total += &term;
        divisor += 1;
    }
    for _ in 0..shift {
        total = &total * &total / one();
    }
    total
}

/// `(numerator / denominator)^(up / down)` in 60 decimals, exact to more than 30 digits.
pub fn pow(numerator: &BigUint, denominator: &BigUint, up: &BigUint, down: &BigUint) -> BigInt {
    exp(&(ln(numerator, denominator) * BigInt::from(up.clone()) / BigInt::from(down.clone())))
}

/// 18 decimals of the contracts as 60 of the oracle.
pub fn widen(value: U256) -> BigInt {
    BigInt::from(big(value)) * BigInt::from(10).pow(DIGITS - 18)
}

/// The least `y` with `x³y + y³x ≥ k`, everything in plain integers of 18 decimals.
pub fn stable_balance(x: &BigUint, k: &BigUint) -> BigUint {
    let value = |y: &BigUint| x * x * x * y + y * y * y * x;
    let (mut low, mut high) = (BigUint::from(0_u8), BigUint::from(1_u8));
    while value(&high) < *k {
        high *= 2_u8;
    }
    while &high - &low > BigUint::from(1_u8) {
        let middle: BigUint = (&low + &high) >> 1;
        if value(&middle) < *k { low = middle } else { high = middle }
    }
    high
}
