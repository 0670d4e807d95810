//! The time an edge goes by, and nonces made of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Nanoseconds since 1970 UTC, whenever asked.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The system's clock.
#[must_use]
pub fn system_clock() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    })
}

/// Nonces: the time, and above the last one even when the clock stands or is set back a little.
pub(crate) struct Nonces {
    clock: Clock,
    last: AtomicU64,
}

/// A clock set back further than this starts anew, or every request would lie in the future.
const LARGEST_STEP_BACK_NS: u64 = 1_000_000_000;

impl Nonces {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, last: AtomicU64::new(0) }
    }

    pub(crate) fn next(&self) -> u64 {
        let now = (self.clock)();
        let after = |last: u64| match last.saturating_sub(now) {
            0..=LARGEST_STEP_BACK_NS => now.max(last.saturating_add(1)),
            _ => now,
        };
        let last = self.last.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |last| Some(after(last)));
        last.map_or(now, after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonces_rise_while_the_clock_stands_and_follow_it_when_it_is_set_right() {
        let time = Arc::new(AtomicU64::new(50_000_000_000));
        let reader = Arc::clone(&time);
        let nonces = Nonces::new(Arc::new(move || reader.load(Ordering::SeqCst)));
        assert_eq!([nonces.next(), nonces.next(), nonces.next()], [50_000_000_000, 50_000_000_001, 50_000_000_002]);
        time.store(49_999_999_000, Ordering::SeqCst);
        assert_eq!(nonces.next(), 50_000_000_003);
        time.store(30_000_000_000, Ordering::SeqCst);
        assert_eq!(nonces.next(), 30_000_000_000);
    }
}
