//! Two threads that each contribute one number per round and wait for the other's.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Looks at the other's slot this often before giving the processor away.
const SPINS: u32 = 200;

/// The slots of two sides: each round's number with the round beside it. Two slots a
/// side are enough, since nobody is more than one round ahead.
#[derive(Debug, Default)]
pub struct Exchange {
    slots: [[AtomicU64; 2]; 2],
    abandoned: AtomicBool,
}

impl Exchange {
    /// Gives `value` as `side` (0 or 1) in `round` (counted from 0) and takes the
    /// other side's.
    ///
    /// # Panics
    /// When the other side panicked, so that nobody waits for ever.
    pub fn swap(&self, side: usize, round: u32, value: f32) -> f32 {
        let slot = (round % 2) as usize;
        let tag = u64::from(round.wrapping_add(1)) << 32;
        self.slots[side][slot].store(tag | u64::from(value.to_bits()), Ordering::Release);
        let mut spins = 0;
        loop {
            let found = self.slots[1 - side][slot].load(Ordering::Acquire);
            if found >> 32 == tag >> 32 {
                return f32::from_bits(found as u32);
            }
            assert!(!self.abandoned.load(Ordering::Acquire), "the other learner stopped");
            spins += 1;
            if spins < SPINS {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
    }

    /// Held by each side while it works; tells the other when it unwinds.
    pub const fn guard(&self) -> Guard<'_> {
        Guard(self)
    }
}

/// See [`Exchange::guard`].
#[derive(Debug)]
pub struct Guard<'a>(&'a Exchange);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.abandoned.store(true, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_side_gets_the_others_number_of_the_same_round() {
        let exchange = Exchange::default();
        std::thread::scope(|scope| {
            scope.spawn(|| (0..20_000).for_each(|r| assert_eq!(exchange.swap(1, r, -(r as f32)), r as f32)));
            (0..20_000).for_each(|r| assert_eq!(exchange.swap(0, r, r as f32), -(r as f32)));
        });
    }

    #[test]
    fn a_side_that_panics_is_not_waited_for() {
        let exchange = Exchange::default();
        let waiting = std::thread::scope(|scope| {
            let failing = scope.spawn(|| {
                let _guard = exchange.guard();
                panic!("on purpose");
            });
            let waiting = scope.spawn(|| exchange.swap(0, 0, 1.0));
            assert!(failing.join().is_err());
            waiting.join()
        });
        assert!(waiting.is_err());
    }
}
