//! Searches over a quote, for what the contracts have no function for.

use ruint::aliases::U256;

/// How many inputs below the answer of [`least`] are known not to reach.
const NEIGHBOURS: u64 = 4;

/// How often [`least`] goes on from a neighbour that reaches.
const MAX_FLICKERS: usize = 16;

/// The largest amount up to `most` that `accepts` takes, when it takes everything below
/// some bound; zero when it takes nothing.
pub(crate) fn largest(most: U256, accepts: impl Fn(U256) -> bool) -> U256 {
    if accepts(most) {
        return most;
    }
    let (mut taken, mut refused) = (U256::ZERO, most);
    while refused.saturating_sub(taken) > U256::ONE {
        let middle = taken + ((refused - taken) >> 1);
        if accepts(middle) {
            taken = middle;
        } else {
            refused = middle;
        }
    }
    taken
}

/// The least input above zero that `reaches` its goal, looked for around `guess` in doubling
/// steps, so that a good guess costs a few calls; `None` when no input reaches it.
///
/// `reaches` is false for an input that is too small and an error for one that is beyond
/// what the contract takes: an error bounds the search from above, unless no input below it
/// reaches. Where the contract's rounding is not monotone several inputs are the first to
/// reach; the answer is one with [`NEIGHBOURS`] below it that do not (one, where the
/// rounding flickers on and on).
pub(crate) fn least<E>(guess: U256, reaches: impl Fn(U256) -> Result<bool, E>) -> Option<U256> {
    let guess = guess.max(U256::ONE);
    // Below an input that reaches, an error is no bound.
    let reaches_below = |amount: U256| reaches(amount).unwrap_or(false);
    // A refusal that no bound explains, amid inputs that are taken, must not hide those above.
    let beyond_refusals = || step_up(guess, None, |amount| Ok::<_, E>(reaches_below(amount)));
    let (mut below, mut reached) = match reaches(guess) {
        Ok(true) => step_down(guess, reaches_below),
        Ok(false) => step_up(guess, None, &reaches).or_else(beyond_refusals)?,
        Err(_) => step_up(U256::ZERO, Some(guess), &reaches).or_else(beyond_refusals)?,
    };
    for _ in 0..MAX_FLICKERS {
        (below, reached) = bisect(below, reached, reaches_below);
        // `below` is the first of the neighbours.
        let neighbours = (1..NEIGHBOURS).map(|distance| below.saturating_sub(U256::from(distance)));
        match neighbours.take_while(|amount| !amount.is_zero()).find(|amount| reaches_below(*amount)) {
            Some(neighbour) => (below, reached) = step_down(neighbour, reaches_below),
            None => return Some(reached),
        }
    }
    Some(bisect(below, reached, reaches_below).1)
}

/// Two neighbours between the two: one that does not reach, and one that does.
fn bisect(mut below: U256, mut reached: U256, reaches: impl Fn(U256) -> bool) -> (U256, U256) {
    while reached - below > U256::ONE {
        let middle = below + ((reached - below) >> 1);
        if reaches(middle) {
            reached = middle;
        } else {
            below = middle;
        }
    }
    (below, reached)
}

/// From an input that reaches: one that does not (or zero), and the last seen that does.
fn step_down(mut reached: U256, reaches: impl Fn(U256) -> bool) -> (U256, U256) {
    let mut step = U256::ONE;
    loop {
        let probe = reached.saturating_sub(step);
        if probe.is_zero() || !reaches(probe) {
            return (probe, reached);
        }
        reached = probe;
        step <<= 1;
    }
}

/// From an input that does not reach: the last seen that does not, and one that does, below
/// the least input known to be `refused`.
fn step_up<E>(
    mut below: U256,
    mut refused: Option<U256>,
    reaches: impl Fn(U256) -> Result<bool, E>,
) -> Option<(U256, U256)> {
    let mut step = U256::ONE;
    loop {
        let probe = match refused {
            Some(ceiling) => below + ((ceiling - below) >> 1),
            None => below.saturating_add(step),
        };
        if probe == below {
            return None;
        }
        match reaches(probe) {
            Ok(true) => return Some((below, probe)),
            Ok(false) => {
                below = probe;
                step = step.saturating_add(step);
            }
            Err(_) => refused = Some(probe),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A goal that every input from `bound` on reaches, up to `most`, which is refused.
    fn between(bound: U256, most: U256) -> impl Fn(U256) -> Result<bool, ()> {
        move |amount| if amount < most { Ok(amount >= bound) } else { Err(()) }
    }

    #[test]
    fn bounds_are_found_from_every_guess() {
        for bound in [1_u64, 2, 3, 100, 1_000_003, u64::MAX] {
            let bound = U256::from(bound);
            assert_eq!(largest(U256::MAX, |amount| amount <= bound), bound);
            assert_eq!(largest(bound, |_| true), bound);
            for guess in [0_u64, 1, 99, 1_000_004, u64::MAX] {
                assert_eq!(least(U256::from(guess), between(bound, U256::MAX)), Some(bound));
            }
        }
        assert_eq!(largest(U256::MAX, |_| false), U256::ZERO);
        assert_eq!(largest(U256::ZERO, |_| false), U256::ZERO);
        assert_eq!(least(U256::ONE, |_| Ok::<_, ()>(false)), None);
        assert_eq!(least(U256::ONE, |_| Ok::<_, ()>(true)), Some(U256::ONE));
        assert_eq!(least(U256::ONE, |_| Err(())), None);
        assert_eq!(least(U256::MAX, |amount| Ok::<_, ()>(amount == U256::MAX)), Some(U256::MAX));
    }

    #[test]
    fn a_refusal_bounds_from_above() {
        for bound in [1_u64, 2, 97, 1_000_003] {
            let bound = U256::from(bound);
            // The last input that the contract takes is the only one that reaches.
            let narrow = between(bound, bound + U256::ONE);
            for guess in [U256::ZERO, bound - U256::ONE, bound, bound + U256::ONE, U256::MAX] {
                assert_eq!(least(guess, &narrow), Some(bound), "from {guess}");
                assert_eq!(least(guess, between(bound, bound)), None, "from {guess}");
            }
        }
    }

    #[test]
    fn a_flicker_below_the_bound_is_seen() {
        let flickers = |amount: U256| {
            let amount: u64 = amount.to();
            Ok::<_, ()>(amount >= 100 || [97, 94, 89].contains(&amount))
        };
        // 94 is within the neighbours of 97, and 89 beyond those of 94.
        assert_eq!(least(U256::from(5), flickers), Some(U256::from(94)));
        let broken = |amount: U256| if amount == U256::from(60) { Err(()) } else { Ok(amount >= U256::from(50)) };
        assert_eq!(least(U256::from(100), broken), Some(U256::from(50)));
        // Lone refusals below the answer, at the guess and beside it.
        let holed = |amount: U256| if amount == U256::from(40) { Err(()) } else { Ok(amount >= U256::from(50)) };
        assert_eq!(least(U256::from(40), holed), Some(U256::from(50)));
        assert_eq!(least(U256::from(39), holed), Some(U256::from(50)));
    }
}
