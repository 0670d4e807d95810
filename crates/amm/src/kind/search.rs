//! Searches over the input of a swap, for contracts that only answer exact inputs.

use ruint::aliases::U256;

use crate::error::AmmError;

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
