//! Searches over a quote, for what the contracts have no function for.

use ruint::aliases::U256;

use crate::error::AmmError;

/// The largest amount up to `most` that `accepts` takes, when it takes everything below
/// some bound; zero when it takes nothing.
pub(crate) fn largest(most: U256, accepts: impl Fn(U256) -> bool) -> U256 {
    let (mut low, mut high) = (U256::ZERO, most);
    while low < high {
        let distance = high - low;
        let middle = low + (distance >> 1) + (distance & U256::ONE);
        if accepts(middle) {
            low = middle;
        } else {
            high = middle - U256::ONE;
        }
    }
    low
}

/// The least amount in `1..=most` that `reaches` its goal, looked for around `guess`;
/// `None` when `most` does not reach it. Below the answer lies an amount that does not;
/// where roundings make `reaches` flicker, the `NEIGHBOURS` below it are tried too.
pub(crate) fn least(guess: U256, most: U256, reaches: impl Fn(U256) -> bool) -> Option<U256> {
    const NEIGHBOURS: usize = 4;
    let guess = guess.clamp(U256::ONE, most);
    let (mut low, mut high) = (U256::ZERO, guess);
    let mut step = U256::ONE;
    if reaches(guess) {
        while high > low {
            let below = high.saturating_sub(step);
            if below.is_zero() || !reaches(below) {
                low = below;
                break;
            }
            high = below;
            step <<= 1;
        }
    } else {
        low = guess;
        loop {
            let above = low.saturating_add(step).min(most);
            if reaches(above) {
                high = above;
                break;
            }
            if above == most {
                return None;
            }
            low = above;
            step <<= 1;
        }
    }
    while high - low > U256::ONE {
        let middle = low + ((high - low) >> 1);
        if reaches(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    let mut candidate = high;
    for _ in 0..NEIGHBOURS {
        candidate -= U256::ONE;
        if candidate.is_zero() {
            break;
        }
        if reaches(candidate) {
            high = candidate;
        }
    }
    Some(high)
}

/// The least input that `reaches` an output: it does, and one unit less does not.
///
/// Starts at `guess` and doubles its steps, so a good guess costs a few calls. Contracts
/// whose rounding is not monotone can have several such inputs a few units apart; the one
/// nearest to the guess is found.
///
/// # Errors
/// Those of `reaches` when no input below the one it refuses reaches the output.
pub(crate) fn least_input(
    guess: U256,
    mut reaches: impl FnMut(U256) -> Result<bool, AmmError>,
) -> Result<U256, AmmError> {
    let guess = guess.max(U256::ONE);
    let (mut below, mut reached) = match reaches(guess) {
        Ok(true) => step_down(guess, &mut reaches)?,
        Ok(false) => step_up(guess, &mut reaches)?,
        // The guess may be beyond every input that the contract takes.
        Err(_) => step_up(U256::ZERO, &mut reaches)?,
    };
    while reached - below > U256::ONE {
        let middle = below + ((reached - below) >> 1);
        if reaches(middle)? {
            reached = middle;
        } else {
            below = middle;
        }
    }
    Ok(reached)
}

/// From an input that reaches: the last that does, and the first that does not.
fn step_down(
    mut reached: U256,
    reaches: &mut impl FnMut(U256) -> Result<bool, AmmError>,
) -> Result<(U256, U256), AmmError> {
    let mut step = U256::ONE;
    loop {
        let probe = reached.saturating_sub(step);
        if probe.is_zero() || !reaches(probe)? {
            return Ok((probe, reached));
        }
        reached = probe;
        step <<= 1;
    }
}

/// From an input that does not reach: the last that does not, and one that does. An input
/// that is refused bounds the steps from above.
fn step_up(
    mut below: U256,
    reaches: &mut impl FnMut(U256) -> Result<bool, AmmError>,
) -> Result<(U256, U256), AmmError> {
    let mut step = U256::ONE;
    let mut refused: Option<(U256, AmmError)> = None;
    loop {
        let probe = match &refused {
            Some((ceiling, error)) if *ceiling - below <= U256::ONE => return Err(error.clone()),
            Some((ceiling, _)) => below + ((*ceiling - below) >> 1),
            None => match below.checked_add(step) {
                Some(probe) => probe,
                None => return Err(AmmError::LiquidityExhausted { amount: below, remaining: U256::ZERO }),
            },
        };
        match reaches(probe) {
            Ok(true) => return Ok((below, probe)),
            Ok(false) => {
                below = probe;
                step = step.saturating_add(step);
            }
            Err(error) => refused = Some((probe, error)),
        }
    }
}

/// The largest input up to `limit` that `accepts` takes, when it takes every smaller one.
pub(crate) fn largest_input(limit: U256, mut accepts: impl FnMut(U256) -> bool) -> U256 {
    if accepts(limit) {
        return limit;
    }
    let (mut taken, mut refused) = (U256::ZERO, limit);
    while refused - taken > U256::ONE {
        let middle = taken + ((refused - taken) >> 1);
        if accepts(middle) {
            taken = middle;
        } else {
            refused = middle;
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_found_from_every_guess() {
        for bound in [1_u64, 2, 3, 100, 1_000_003, u64::MAX] {
            let bound = U256::from(bound);
            assert_eq!(largest(U256::MAX, |amount| amount <= bound), bound);
            assert_eq!(largest(bound, |_| true), bound);
            for guess in [0_u64, 1, 99, 1_000_004, u64::MAX] {
                assert_eq!(least(U256::from(guess), U256::MAX, |amount| amount >= bound), Some(bound));
            }
        }
        assert_eq!(largest(U256::MAX, |_| false), U256::ZERO);
        assert_eq!(least(U256::ONE, U256::from(10), |_| false), None);
        assert_eq!(least(U256::ONE, U256::from(10), |_| true), Some(U256::ONE));
        assert_eq!(least(U256::MAX, U256::MAX, |amount| amount == U256::MAX), Some(U256::MAX));
    }

    #[test]
    fn a_flicker_below_the_bound_is_seen() {
        let reaches = |amount: U256| amount >= U256::from(100) || amount == U256::from(97);
        assert_eq!(least(U256::from(5), U256::from(1000), reaches), Some(U256::from(97)));
    }
}
