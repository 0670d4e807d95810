//! The best integer input of a constant-product cycle, with the proof that it is the best.
//!
//! Without its floors a chain of pairs is one Moebius map, whose profit is concave with a
//! closed-form peak. The floors make the true profit a jagged function below that curve.
//! Two facts bound the search: an optimal input is the least input that brings some
//! intermediate amount to its value, so only those inputs are tried, counted in the
//! coarsest token of the cycle; and where the curve is below the best profit found plus
//! one, no input can do better. `docs/book/sizing.md` has the proof.

use ruint::aliases::U256;

use super::moebius::Moebius;
use crate::context::check_pair;
use crate::error::AmmError;
use crate::kind::UniswapV2;

/// One pair of a cycle and the token that is paid into it.
#[derive(Debug, Clone, Copy)]
pub struct Leg<'a> {
    /// The pair, in its state before the trade; no pair occurs twice in a cycle.
    pub pool: &'a UniswapV2,
    /// Index of the token paid in.
    pub token_in: usize,
}

/// What the money and the transaction cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Parts of the loan paid as fee, rounded up to a whole unit (9 of 10,000: nine basis points).
    pub loan_fee: u32,
    /// Parts of the whole.
    pub loan_fee_denominator: u32,
    /// Cost that does not depend on the size, in units of the borrowed token (gas, bribe).
    pub fixed_cost: u128,
    /// The largest input allowed, if any.
    pub max_in: Option<u128>,
    /// Inputs tried at most. Half of all searches between 18-decimal tokens end within
    /// two, one in a hundred needs more than a hundred.
    pub candidates: u32,
}

impl Default for Terms {
    /// Own money, no cost, no limit and 64 candidates.
    fn default() -> Self {
        Self { loan_fee: 0, loan_fee_denominator: 1, fixed_cost: 0, max_in: None, candidates: 64 }
    }
}

/// A profitable size, in units of the token that the cycle begins and ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trade {
    /// What is borrowed and paid into the first pair.
    pub amount_in: U256,
    /// What the last pair pays, each pair fed the whole units of the one before.
    pub amount_out: U256,
    /// The lender's fee.
    pub loan_fee: U256,
    /// What is left of the output after the input, the loan fee and the fixed cost; above zero.
    pub profit: U256,
}

/// The answer of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizing {
    /// The most profitable size found; `None` when none with a profit was found.
    pub trade: Option<Trade>,
    /// No input leaves a profit above this.
    pub profit_bound: U256,
    /// Whether every input that could do better was tried: the trade is then optimal and
    /// `None` means that no profitable input exists.
    pub certified: bool,
    /// Inputs that were tried.
    pub candidates: u32,
}

/// The input of the cycle `legs` with the greatest profit.
///
/// # Errors
/// No legs, a pair that occurs twice, a token index that the pair lacks, an empty pair, or a loan fee that is not
/// below its denominator.
pub fn optimal_input(legs: &[Leg<'_>], terms: &Terms) -> Result<Sizing, AmmError> {
    let curve = curve(legs, terms)?;
    if !curve.gains() {
        return Ok(Sizing { trade: None, profit_bound: U256::ZERO, certified: true, candidates: 0 });
    }
    let above = terms.loan_fee_denominator + terms.loan_fee;
    let Some((peak, mut bound)) = curve.peak(above, terms.loan_fee_denominator) else {
        return Err(AmmError::Overflow { what: "the peak of the profit".into(), bits: 256 });
    };
    let limit = largest_input(legs).min(terms.max_in.unwrap_or(u128::MAX));
    let mut centre = limit;
    if peak <= U256::from(limit) {
        centre = peak.to();
    } else {
        bound = curve.gain_at(limit, above, terms.loan_fee_denominator);
    }
    let mut search =
        Search { legs, terms, curve, limit, bound, gross: terms.fixed_cost, best: None, candidates: 0, level: 0 };
    let certified = search.run(centre)?;
    let cost = U256::from(terms.fixed_cost);
    Ok(Sizing {
        trade: search.best.map(|found| Trade {
            amount_in: U256::from(found.input),
            amount_out: U256::from(found.output),
            loan_fee: U256::from(search.loan_fee(found.input)),
            profit: U256::from(search.gross) - cost,
        }),
        profit_bound: if certified { U256::from(search.gross) - cost } else { bound.saturating_sub(cost) },
        certified,
        candidates: search.candidates,
    })
}

/// The chain without floors, divided by one plus the loan fee.
fn curve(legs: &[Leg<'_>], terms: &Terms) -> Result<Moebius, AmmError> {
    if legs.is_empty() {
        return Err(AmmError::Route { hop: 0, reason: "a cycle needs pairs".into() });
    }
    let whole = terms.loan_fee_denominator;
    // Half the range, so that whole plus fee is a native integer.
    if terms.loan_fee >= whole || whole > u32::MAX / 2 {
        return Err(AmmError::FeeRange { fee: terms.loan_fee.into(), limit: whole.min(u32::MAX / 2).into() });
    }
    let mut curve = Moebius::IDENTITY;
    for (index, leg) in legs.iter().enumerate() {
        if legs[..index].iter().any(|earlier| std::ptr::eq(earlier.pool, leg.pool)) {
            return Err(AmmError::Route { hop: index, reason: "its pair was traded before".into() });
        }
        check_pair(leg.token_in, 1_usize.wrapping_sub(leg.token_in), leg.pool.token_count())?;
        let [reserve_in, reserve_out] = [leg.pool.reserves[leg.token_in], leg.pool.reserves[1 - leg.token_in]];
        if reserve_in == 0 || reserve_out == 0 {
            return Err(AmmError::NoLiquidity(format!("reserves {reserve_in} and {reserve_out}")));
        }
        let kept = U256::from(leg.pool.fee_denominator - leg.pool.fee[leg.token_in]);
        let scale = U256::from(leg.pool.fee_denominator);
        curve = curve.then(kept * U256::from(reserve_out), scale * U256::from(reserve_in), kept);
    }
    if terms.loan_fee == 0 {
        return Ok(curve);
    }
    Ok(curve.then(U256::from(whole), U256::from(whole + terms.loan_fee), U256::ZERO))
}

/// The largest input that leaves every pair with a reserve it can store.
fn largest_input(legs: &[Leg<'_>]) -> u128 {
    legs.iter().rev().fold(u128::MAX, |next, leg| {
        let one_more = next.checked_add(1).and_then(|output| leg.pool.least_in(leg.token_in, output));
        one_more.map_or(u128::MAX, |input| input - 1).min(leg.pool.room(leg.token_in))
    })
}

/// Distance from the centre, in counted units, at which the curve is first asked whether
/// a side is done; then at every doubling.
const FIRST_QUESTION: u64 = 4;

#[derive(Debug, Clone, Copy)]
struct Found {
    input: u128,
    output: u128,
}

/// A side of the search: how far it went, and whether anything is left on it.
struct Side {
    next: Option<u128>,
    rising: bool,
}

struct Search<'a> {
    legs: &'a [Leg<'a>],
    terms: &'a Terms,
    curve: Moebius,
    limit: u128,
    /// No input earns more than this, before the fixed cost.
    bound: U256,
    /// The best profit so far before the fixed cost; the fixed cost when there is none.
    gross: u128,
    best: Option<Found>,
    candidates: u32,
    /// How many pairs lie before the amount that the search counts in.
    level: usize,
}

impl Search<'_> {
    /// Tries amounts outwards from the centre; true when nothing better can be left.
    fn run(&mut self, centre: u128) -> Result<bool, AmmError> {
        let start = self.coarsest(centre)?;
        let mut left = Side { next: Some(start), rising: false };
        let mut right = Side { next: start.checked_add(1), rising: true };
        let mut step: u64 = 0;
        loop {
            for side in [&mut left, &mut right] {
                if U256::from(self.gross) >= self.bound {
                    return Ok(true);
                }
                let Some(amount) = side.next else { continue };
                if self.candidates == self.terms.candidates {
                    return Ok(false);
                }
                // Asking the curve late tries more inputs, it leaves none out.
                let open = self.attempt(amount, step >= FIRST_QUESTION && step.is_power_of_two())?;
                side.next = match (open, side.rising) {
                    (false, _) => None,
                    (true, true) => amount.checked_add(1),
                    (true, false) => amount.checked_sub(1),
                };
            }
            if left.next.is_none() && right.next.is_none() {
                return Ok(true);
            }
            step += 1;
        }
    }

    /// Chooses the token with the fewest units at `input` to count in; its amount there.
    fn coarsest(&mut self, input: u128) -> Result<u128, AmmError> {
        let (mut amount, mut least) = (input, input);
        for (index, leg) in self.legs.iter().enumerate() {
            amount = leg.pool.amount_out(leg.token_in, amount)?;
            if amount < least {
                least = amount;
                self.level = index + 1;
            }
        }
        Ok(least)
    }

    /// Tries the least input that brings the counted token to `amount`. False when this
    /// input is too large for the pairs or the curve says that this side is done.
    fn attempt(&mut self, amount: u128, ask_curve: bool) -> Result<bool, AmmError> {
        if amount == 0 {
            return Ok(false);
        }
        let (before, after) = self.legs.split_at(self.level);
        let mut input = amount;
        for leg in before.iter().rev() {
            match leg.pool.least_in(leg.token_in, input) {
                Some(least) => input = least,
                None => return Ok(false),
            }
        }
        if input > self.limit {
            return Ok(false);
        }
        let wanted = self.gross.saturating_add(1);
        let whole = self.terms.loan_fee_denominator;
        if ask_curve && !self.curve.reaches(input, wanted, whole + self.terms.loan_fee, whole) {
            return Ok(false);
        }
        self.candidates += 1;
        let mut output = amount;
        for leg in after {
            output = leg.pool.amount_out(leg.token_in, output)?;
        }
        let gross = output.checked_sub(input).and_then(|rest| rest.checked_sub(self.loan_fee(input)));
        if gross.is_some_and(|gross| gross > self.gross) {
            // Where one unit of input jumps over units of the counted token, the least
            // input brings more than was asked.
            let reached = before.iter().try_fold(input, |held, leg| leg.pool.amount_out(leg.token_in, held))?;
            if reached != amount {
                output = after.iter().try_fold(reached, |held, leg| leg.pool.amount_out(leg.token_in, held))?;
            }
            self.gross = output - input - self.loan_fee(input);
            self.best = Some(Found { input, output });
        }
        Ok(true)
    }

    /// The lender's fee on `input`, rounded up; split so that nothing overflows.
    #[inline]
    fn loan_fee(&self, input: u128) -> u128 {
        let (fee, whole) = (u128::from(self.terms.loan_fee), u128::from(self.terms.loan_fee_denominator));
        if fee == 0 {
            return 0;
        }
        input / whole * fee + (input % whole * fee).div_ceil(whole)
    }
}
