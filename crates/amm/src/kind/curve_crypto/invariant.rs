//! The CryptoSwap invariant, solved by the contracts' own Newton iterations.
//!
//! `K·Dⁿ⁻¹·Σx + Πx = K·Dⁿ + (D/n)ⁿ` with `K0 = Πx·nⁿ/Dⁿ` and
//! `K = A·K0·γ²/(γ + 1 − K0)²`. Every x is in units of the first coin with 18 decimals;
//! `ann` is A · nⁿ in units of the generation, gamma has 18 decimals.

use ruint::aliases::U256;

use super::generation::Rules;
use super::native::Rounds;
use crate::kind::checked::{Fault, add, div, mul, scale, sub};

/// Rounds after which the contracts give up.
const ROUNDS: usize = 255;

const WAD: U256 = U256::from_limbs([1_000_000_000_000_000_000, 0, 0, 0]);
const TOLERANCE: U256 = U256::from_limbs([100_000_000_000_000, 0, 0, 0]);
const MIN_SHARE: U256 = U256::from_limbs([10_000_000_000_000_000, 0, 0, 0]);

/// The invariant's parameters at one block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Curve {
    pub ann: U256,
    pub gamma: U256,
    pub rules: Rules,
}

impl Curve {
    fn check(&self) -> Result<(), Fault> {
        if self.rules.accept(self.ann, self.gamma) {
            return Ok(());
        }
        let [_, limit] = self.rules.a_range;
        Err(Fault::Unsafe {
            what: "A or gamma outside the contract's range; A",
            value: self.ann,
            limit: U256::from(limit),
        })
    }

    /// `|γ + 1 − K0| + 1`.
    fn distance(&self, k0: U256) -> U256 {
        (self.gamma + WAD).abs_diff(k0) + U256::ONE
    }

    /// `D·(γ + 1 − K0)² / (A·nⁿ·γ²)`, divided in the contract's order.
    fn weight(&self, d: U256, distance: U256) -> Result<U256, Fault> {
        let first = div(mul(WAD, d)?, self.gamma)?;
        let second = scale(first, distance, self.gamma)?;
        div(mul(mul(second, distance)?, U256::from(self.rules.a_unit))?, self.ann)
    }

    /// D of the balances (`newton_D`).
    pub(super) fn invariant(&self, balances: &[U256]) -> Result<U256, Fault> {
        self.check()?;
        let count = U256::from(balances.len());
        let mut buffer = [U256::ZERO; 3];
        let x = descending(balances, &mut buffer);
        let largest = U256::from(10).pow(U256::from(33));
        if x[0] < U256::from(1_000_000_000_u64) || x[0] > largest {
            return Err(Fault::Unsafe { what: "the largest balance", value: x[0], limit: largest });
        }
        let least = U256::from(if x.len() == 2 { 100_000_000_000_000_u64 } else { 100_000_000_000 });
        for balance in &x[1..] {
            let part = scale(*balance, WAD, x[0])?;
            if part < least {
                return Err(Fault::Unsafe { what: "a balance's part of the largest", value: part, limit: least });
            }
        }
        let mut sum = U256::ZERO;
        for balance in x {
            sum = add(sum, *balance)?;
        }
        let mut d = mul(count, geometric_mean(x)?)?;
        for _ in 0..ROUNDS {
            let next = self.next_invariant(x, sum, d)?;
            let moved = next.abs_diff(d);
            d = next;
            if mul(moved, TOLERANCE)? < d.max(MIN_SHARE) {
                for balance in x {
                    check_share("a balance's part of D", scale(*balance, WAD, d)?)?;
                }
                return Ok(d);
            }
        }
        Err(Fault::Endless)
    }

    fn next_invariant(&self, x: &[U256], sum: U256, d: U256) -> Result<U256, Fault> {
        let count = U256::from(x.len());
        let k0 = if let [first, second] = x {
            let start = scale(mul(WAD, U256::from(4))?, *first, d)?;
            scale(start, *second, d)?
        } else {
            let mut k0 = WAD;
            for balance in x {
                k0 = div(mul(mul(k0, *balance)?, count)?, d)?;
            }
            k0
        };
        let distance = self.distance(k0);
        let weight = self.weight(d, distance)?;
        let pull = div(mul(mul(WAD + WAD, count)?, k0)?, distance)?;
        let upper = add(add(sum, mul(sum, pull)? / WAD)?, div(mul(weight, count)?, k0)?)?;
        let slope = sub(upper, mul(pull, d)? / WAD)?;
        let plus = div(mul(d, add(slope, sum)?)?, slope)?;
        let minus = div(mul(d, d)?, slope)?;
        let change = mul(d, div(weight, slope)?)? / WAD;
        let minus = if WAD > k0 {
            add(minus, scale(change, WAD - k0, k0)?)?
        } else {
            sub(minus, scale(change, k0 - WAD, k0)?)?
        };
        Ok(if plus > minus { plus - minus } else { (minus - plus) >> 1 })
    }

    /// The balance of `token` that keeps `d` (`newton_y`); its own entry is not read.
    pub(super) fn balance(&self, balances: &[U256], d: U256, token: usize) -> Result<U256, Fault> {
        self.check()?;
        let limits = [U256::from(100_000_000_000_000_000_u64), U256::from(10).pow(U256::from(33))];
        if d < limits[0] || d > limits[1] {
            return Err(Fault::Unsafe { what: "D", value: d, limit: limits[usize::from(d > limits[1])] });
        }
        let count = U256::from(balances.len());
        let mut others = [U256::ZERO; 3];
        let mut used = 0;
        for (other, balance) in balances.iter().enumerate() {
            if other != token {
                check_share("a balance's part of D", scale(*balance, WAD, d)?)?;
                others[used] = *balance;
                used += 1;
            }
        }
        let others = &mut others[..used];
        others.sort_unstable_by(|a, b| b.cmp(a));
        let mut y;
        if let [other] = others {
            y = div(mul(d, d)?, mul(*other, U256::from(4))?)?;
        } else {
            y = d / count;
            for other in others.iter().rev() {
                y = scale(y, d, mul(*other, count)?)?;
            }
        }
        let (mut sum, mut k0) = (U256::ZERO, WAD);
        for other in others.iter() {
            sum = add(sum, *other)?;
            k0 = div(mul(mul(k0, *other)?, count)?, d)?;
        }
        let rest = (others[0] / TOLERANCE).max(d / TOLERANCE).max(U256::from(100));
        let rounds = Rounds::new(self, d, k0, sum, count);
        for _ in 0..ROUNDS {
            let native = rounds.as_ref().and_then(|rounds| rounds.next(u128::try_from(y).ok()?));
            let next = match native {
                Some(next) => next.map(U256::from),
                None => self.next_balance(k0, sum, d, count, y)?,
            };
            let Some(next) = next else {
                y >>= 1;
                continue;
            };
            let moved = next.abs_diff(y);
            y = next;
            if moved < rest.max(y / TOLERANCE) {
                check_share("the new balance's part of D", scale(y, WAD, d)?)?;
                return Ok(y);
            }
        }
        Err(Fault::Endless)
    }

    /// One step of Newton; `None` where the contract halves and tries again at once.
    fn next_balance(
        &self,
        k0_rest: U256,
        sum_rest: U256,
        d: U256,
        count: U256,
        y: U256,
    ) -> Result<Option<U256>, Fault> {
        let k0 = div(mul(mul(k0_rest, y)?, count)?, d)?;
        let sum = add(sum_rest, y)?;
        let distance = self.distance(k0);
        let weight = self.weight(d, distance)?;
        let double = mul(WAD + WAD, k0)?;
        let pull =
            if self.rules.divides_sum { div(add(WAD, double)?, distance)? } else { add(WAD, div(double, distance)?)? };
        let value = add(add(mul(WAD, y)?, mul(sum, pull)?)?, weight)?;
        let Some(value) = value.checked_sub(mul(d, pull)?) else {
            return Ok(None);
        };
        let slope = div(value, y)?;
        let minus = div(weight, slope)?;
        let plus = add(div(add(value, mul(WAD, d)?)?, slope)?, scale(minus, WAD, k0)?)?;
        let minus = add(minus, scale(WAD, sum, slope)?)?;
        Ok(Some(plus.checked_sub(minus).unwrap_or(y >> 1)))
    }
}

/// Whether a balance's part of D (18 decimals) is between 1% and 100 times.
fn check_share(what: &'static str, value: U256) -> Result<(), Fault> {
    let most = MIN_SHARE * U256::from(10_000);
    if value < MIN_SHARE {
        Err(Fault::Unsafe { what, value, limit: MIN_SHARE })
    } else if value > most {
        Err(Fault::Unsafe { what, value, limit: most })
    } else {
        Ok(())
    }
}

/// The root of the product, of balances from the largest to the smallest.
fn geometric_mean(x: &[U256]) -> Result<U256, Fault> {
    let count = U256::from(x.len());
    let mut mean = x[0];
    for _ in 0..ROUNDS {
        let next = if let [first, second] = x {
            add(mean, scale(*first, *second, mean)?)? >> 1
        } else {
            let mut product = WAD;
            for balance in x {
                product = scale(product, *balance, mean)?;
            }
            scale(mean, add((count - U256::ONE) * WAD, product)?, count * WAD)?
        };
        let moved = next.abs_diff(mean);
        mean = next;
        if moved <= U256::ONE || mul(moved, WAD)? < mean {
            return Ok(mean);
        }
    }
    Err(Fault::Endless)
}

fn descending<'a>(balances: &[U256], buffer: &'a mut [U256; 3]) -> &'a [U256] {
    let sorted = &mut buffer[..balances.len()];
    sorted.copy_from_slice(balances);
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    sorted
}
