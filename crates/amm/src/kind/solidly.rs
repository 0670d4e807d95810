//! The Solidly family: Solidly and its forks, Velodrome and Aerodrome among them.
//!
//! Volatile pools keep `x·y`, stable pools `x³y + y³x` over reserves scaled to 18 decimals.
//! The fee is taken off the input first and leaves the pool, so that the reserves grow by
//! the rest alone. Source: `Pool` of Aerodrome (Velodrome V2) and `BaseV1Pair` of Solidly.

use ruint::aliases::U256;

use super::checked::{Fault, add, divide, mul, sub, unscale};
use super::search::{largest, least};
use crate::context::{Context, MarginalPrice, Quote, check_pair};
use crate::error::AmmError;
use crate::integer::to_f64;

/// Parts of the fee.
pub const FEE_DENOMINATOR: u32 = 10_000;

const ONE: U256 = U256::from_limbs([1_000_000_000_000_000_000, 0, 0, 0]);
const MAX_ITERATIONS: usize = 255;

/// The curve of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    /// Constant product.
    Volatile,
    /// `x³y + y³x` over tokens with these units (`10^decimals`).
    Stable {
        /// Units of token 0 and token 1.
        units: [U256; 2],
        /// How the contract solves for a balance.
        solver: Solver,
    },
}

/// How a stable pool's contract solves for a balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Solver {
    /// Solidly and Velodrome V1: stops where a step is at most one.
    Solidly,
    /// Velodrome V2 and Aerodrome: steps on to the first balance that keeps the invariant.
    VelodromeV2,
}

/// A pool: reserves in token units, the fee in 1/10,000, and the curve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Solidly {
    reserves: [U256; 2],
    fee: u32,
    curve: Curve,
}

impl Solidly {
    /// A volatile pool; `fee` in 1/10,000.
    ///
    /// # Errors
    /// A fee of the whole.
    pub fn volatile(reserves: [U256; 2], fee: u32) -> Result<Self, AmmError> {
        Self::build(reserves, fee, Curve::Volatile)
    }

    /// A stable pool of tokens with these decimals; `fee` in 1/10,000.
    ///
    /// # Errors
    /// A fee of the whole, or more than 77 decimals.
    pub fn stable(reserves: [U256; 2], fee: u32, decimals: [u8; 2], solver: Solver) -> Result<Self, AmmError> {
        let unit = |decimals: u8| {
            U256::from(10)
                .checked_pow(U256::from(decimals))
                .ok_or_else(|| AmmError::State(format!("a token with {decimals} decimals")))
        };
        let units = [unit(decimals[0])?, unit(decimals[1])?];
        Self::build(reserves, fee, Curve::Stable { units, solver })
    }

    fn build(reserves: [U256; 2], fee: u32, curve: Curve) -> Result<Self, AmmError> {
        if fee >= FEE_DENOMINATOR {
            return Err(AmmError::FeeRange { fee: fee.into(), limit: FEE_DENOMINATOR.into() });
        }
        Ok(Self { reserves, fee, curve })
    }

    /// Reserves of token 0 and token 1.
    #[must_use]
    pub fn reserves(&self) -> [U256; 2] {
        self.reserves
    }

    /// The fee in 1/10,000.
    #[must_use]
    pub fn fee(&self) -> u32 {
        self.fee
    }

    /// The curve.
    #[must_use]
    pub fn curve(&self) -> Curve {
        self.curve
    }

    /// The invariant that no swap may lower, `x·y` or `x³y + y³x`, as the contract rounds it.
    ///
    /// # Errors
    /// An overflow.
    pub fn invariant(&self) -> Result<U256, AmmError> {
        Ok(self.invariant_of(self.reserves)?)
    }

    /// Two.
    #[must_use]
    pub fn token_count(&self) -> usize {
        2
    }

    /// What `amount_in` buys, as the pool's `getAmountOut` says and its `swap` allows.
    ///
    /// # Errors
    /// A zero amount, an empty reserve, an output of the whole reserve, an overflow, no
    /// convergence, or an invariant that would fall.
    pub fn quote_exact_in(
        &self,
        token_in: usize,
        token_out: usize,
        amount_in: U256,
        _context: &Context,
    ) -> Result<Quote, AmmError> {
        check_pair(token_in, token_out, 2)?;
        if amount_in.is_zero() {
            return Err(AmmError::ZeroAmount);
        }
        self.filled()?;
        let kept = self.after_fee(amount_in)?;
        let invariant = self.invariant()?;
        let amount_out = match self.curve {
            Curve::Volatile => self.volatile_out(token_in, kept)?,
            Curve::Stable { units, solver } => self.stable_out(token_in, kept, units, solver, invariant)?,
        };
        let quote = Quote { amount_in, amount_out };
        self.check_invariant(token_in, &quote, invariant)?;
        Ok(quote)
    }

    /// The least input whose [`Self::quote_exact_in`] reaches `amount_out`: the contract
    /// has no such function.
    ///
    /// # Errors
    /// A zero amount, an output that is not below the reserve, or that no input buys.
    pub fn quote_exact_out(
        &self,
        token_in: usize,
        token_out: usize,
        amount_out: U256,
        context: &Context,
    ) -> Result<Quote, AmmError> {
        check_pair(token_in, token_out, 2)?;
        if amount_out.is_zero() {
            return Err(AmmError::ZeroAmount);
        }
        self.filled()?;
        let available = self.reserves[token_out];
        if amount_out >= available {
            return Err(AmmError::InsufficientReserve { token: token_out, amount: amount_out, available });
        }
        let guess = self.guess_input(token_in, amount_out).unwrap_or(self.reserves[token_in]);
        let reaches = |amount: U256| match self.quote_exact_in(token_in, token_out, amount, context) {
            Ok(quote) => Ok(quote.amount_out >= amount_out),
            Err(error) if rounds_badly(&error) => Ok(false),
            Err(error) => Err(error),
        };
        let amount_in =
            least(guess, reaches).ok_or(AmmError::LiquidityExhausted { amount: amount_out, remaining: amount_out })?;
        Ok(Quote { amount_in, amount_out })
    }

    /// [`Self::quote_exact_in`], and moves the reserves; the fee leaves the pool.
    ///
    /// # Errors
    /// As the quote, or an output of zero; the state is then unchanged.
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
        self.reserves = self.after(token_in, &quote)?;
        Ok(quote)
    }

    /// [`Self::quote_exact_out`], and moves the reserves; the fee leaves the pool.
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
        self.reserves = self.after(token_in, &quote)?;
        Ok(quote)
    }

    /// The ratio of the derivatives of the invariant, in token units.
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
        self.filled()?;
        let reserve = |token: usize| to_f64(self.reserves[token]);
        let without_fee = match self.curve {
            Curve::Volatile => reserve(token_out) / reserve(token_in),
            Curve::Stable { units, .. } => {
                let unit = |token: usize| to_f64(units[token]);
                let (x, y) = (reserve(token_in) / unit(token_in), reserve(token_out) / unit(token_out));
                y * (3.0 * x * x + y * y) / (x * (x * x + 3.0 * y * y)) * unit(token_out) / unit(token_in)
            }
        };
        let kept = f64::from(FEE_DENOMINATOR - self.fee) / f64::from(FEE_DENOMINATOR);
        Ok(MarginalPrice { without_fee, with_fee: without_fee * kept })
    }

    /// The largest input that has a quote: beyond it the contract overflows or cannot solve.
    ///
    /// # Errors
    /// An empty reserve.
    pub fn max_in(&self, token_in: usize, token_out: usize, context: &Context) -> Result<U256, AmmError> {
        check_pair(token_in, token_out, 2)?;
        self.filled()?;
        Ok(largest(U256::MAX, |amount| self.quote_exact_in(token_in, token_out, amount, context).is_ok()))
    }

    fn filled(&self) -> Result<(), AmmError> {
        if self.reserves[0].is_zero() || self.reserves[1].is_zero() {
            return Err(AmmError::NoLiquidity(format!("reserves {} and {}", self.reserves[0], self.reserves[1])));
        }
        Ok(())
    }

    fn after_fee(&self, amount: U256) -> Result<U256, AmmError> {
        Ok(amount - divide(mul(amount, U256::from(self.fee))?, U256::from(FEE_DENOMINATOR)))
    }

    fn volatile_out(&self, token_in: usize, kept: U256) -> Result<U256, AmmError> {
        let (reserve_in, reserve_out) = (self.reserves[token_in], self.reserves[1 - token_in]);
        Ok(divide(mul(kept, reserve_out)?, add(reserve_in, kept)?))
    }

    fn stable_out(
        &self,
        token_in: usize,
        kept: U256,
        units: [U256; 2],
        solver: Solver,
        invariant: U256,
    ) -> Result<U256, AmmError> {
        let (unit_in, unit_out) = (units[token_in], units[1 - token_in]);
        let reserve_in = scale(self.reserves[token_in], unit_in)?;
        let reserve_out = scale(self.reserves[1 - token_in], unit_out)?;
        let filled = add(scale(kept, unit_in)?, reserve_in)?;
        let left = match solver {
            Solver::Solidly => solve_solidly(filled, invariant, reserve_out)?,
            Solver::VelodromeV2 => solve_velodrome(filled, invariant, reserve_out, units)?,
        };
        Ok(unscale(mul(sub(reserve_out, left)?, unit_out)?))
    }

    /// The reserves after a swap.
    fn after(&self, token_in: usize, quote: &Quote) -> Result<[U256; 2], AmmError> {
        let mut reserves = self.reserves;
        reserves[token_in] = add(reserves[token_in], self.after_fee(quote.amount_in)?)?;
        reserves[1 - token_in] = sub(reserves[1 - token_in], quote.amount_out)?;
        Ok(reserves)
    }

    fn check_invariant(&self, token_in: usize, quote: &Quote, before: U256) -> Result<(), AmmError> {
        let available = self.reserves[1 - token_in];
        if quote.amount_out >= available {
            return Err(AmmError::InsufficientReserve { token: 1 - token_in, amount: quote.amount_out, available });
        }
        let after = self.invariant_of(self.after(token_in, quote)?)?;
        if after < before {
            return Err(AmmError::Limit { what: "the invariant before the swap", value: before, limit: after });
        }
        Ok(())
    }

    fn invariant_of(&self, reserves: [U256; 2]) -> Result<U256, Fault> {
        match self.curve {
            Curve::Volatile => mul(reserves[0], reserves[1]),
            Curve::Stable { units, .. } => stable_invariant(reserves, units),
        }
    }

    /// Near the input that buys `amount_out`, where nothing overflows.
    fn guess_input(&self, token_in: usize, amount_out: U256) -> Result<U256, AmmError> {
        let (reserve_in, reserve_out) = (self.reserves[token_in], self.reserves[1 - token_in]);
        let left = sub(reserve_out, amount_out)?;
        let kept = match self.curve {
            Curve::Volatile => mul(amount_out, reserve_in)?.div_ceil(left),
            Curve::Stable { units, .. } => {
                let (unit_in, unit_out) = (units[token_in], units[1 - token_in]);
                let scaled = scale(reserve_in, unit_in)?;
                let filled = solve_solidly(scale(left, unit_out)?, self.invariant()?, scaled)?;
                mul(sub(filled, scaled)?, unit_in)? / ONE
            }
        };
        let above = mul(kept.saturating_sub(U256::ONE), U256::from(FEE_DENOMINATOR))?;
        Ok(above / U256::from(FEE_DENOMINATOR - self.fee) + U256::ONE)
    }
}

/// Whether a quote is refused for its roundings, whatever the size of the input: a step of the
/// solver below zero or that never settles, or an invariant that would fall.
fn rounds_badly(error: &AmmError) -> bool {
    matches!(error, AmmError::Underflow { .. } | AmmError::NoConvergence { .. } | AmmError::Limit { .. })
}

/// `x³y + y³x` of reserves in token units, as the contract's `_k` rounds it.
fn stable_invariant(reserves: [U256; 2], units: [U256; 2]) -> Result<U256, Fault> {
    let (x, y) = (scale(reserves[0], units[0])?, scale(reserves[1], units[1])?);
    let squares = add(multiply(x, x)?, multiply(y, y)?)?;
    multiply(multiply(x, y)?, squares)
}

/// One step's values for `x` fixed: `x`, `x²`, `x³`.
struct Fixed {
    x: U256,
    square: U256,
    cube: U256,
}

impl Fixed {
    fn new(x: U256) -> Result<Self, Fault> {
        let square = multiply(x, x)?;
        Ok(Self { x, square, cube: multiply(square, x)? })
    }

    /// The derivative of the invariant by `y`, from `y²`.
    fn slope(&self, y_square: U256) -> Result<U256, Fault> {
        add(multiply(mul(U256::from(3), self.x)?, y_square)?, self.cube)
    }

    fn velodrome(&self, y: U256, y_square: U256) -> Result<U256, Fault> {
        multiply(multiply(self.x, y)?, add(self.square, y_square)?)
    }

    fn solidly(&self, y: U256, y_square: U256) -> Result<U256, Fault> {
        add(multiply(self.x, multiply(y_square, y)?)?, multiply(self.cube, y)?)
    }
}

fn solve_solidly(x: U256, invariant: U256, mut y: U256) -> Result<U256, AmmError> {
    let fixed = Fixed::new(x)?;
    for _ in 0..MAX_ITERATIONS {
        let y_square = multiply(y, y)?;
        let value = fixed.solidly(y, y_square)?;
        let slope = fixed.slope(y_square)?;
        let previous = y;
        y = if value < invariant {
            add(y, step(invariant - value, slope)?)?
        } else {
            sub(y, step(value - invariant, slope)?)?
        };
        if y.abs_diff(previous) <= U256::ONE {
            break;
        }
    }
    Ok(y)
}

fn solve_velodrome(x: U256, invariant: U256, start: U256, units: [U256; 2]) -> Result<U256, AmmError> {
    let fixed = Fixed::new(x)?;
    let mut y = start;
    for _ in 0..MAX_ITERATIONS {
        let y_square = multiply(y, y)?;
        let value = fixed.velodrome(y, y_square)?;
        let slope = fixed.slope(y_square)?;
        if value < invariant {
            let mut by = step(invariant - value, slope)?;
            if by.is_zero() {
                let next = add(y, U256::ONE)?;
                // The contract passes scaled balances to the function that scales reserves,
                // token 0 first whichever is sold.
                if stable_invariant([x, next], units)? > invariant {
                    return Ok(next);
                }
                by = U256::ONE;
            }
            y = add(y, by)?;
        } else {
            let mut by = step(value - invariant, slope)?;
            if by.is_zero() {
                if value == invariant {
                    return Ok(y);
                }
                let below = sub(y, U256::ONE)?;
                if fixed.velodrome(below, multiply(below, below)?)? < invariant {
                    return Ok(y);
                }
                by = U256::ONE;
            }
            y = sub(y, by)?;
        }
    }
    Err(AmmError::NoConvergence { what: format!("the balance beside {x} from {start} for the invariant {invariant}") })
}

/// `distance · 10^18 / slope`.
fn step(distance: U256, slope: U256) -> Result<U256, AmmError> {
    if slope.is_zero() {
        return Err(AmmError::NoLiquidity(format!("a slope of zero at {distance} from the invariant")));
    }
    Ok(divide(mul(distance, ONE)?, slope))
}

/// Token units in 18 decimals.
fn scale(amount: U256, unit: U256) -> Result<U256, Fault> {
    if unit == ONE { mul(amount, ONE).map(|_| amount) } else { Ok(divide(mul(amount, ONE)?, unit)) }
}

/// `a · b / 10^18`.
fn multiply(a: U256, b: U256) -> Result<U256, Fault> {
    Ok(unscale(mul(a, b)?))
}
