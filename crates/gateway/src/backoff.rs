//! How long to wait after failures.

use std::time::Duration;

/// Waits double from `first` to `most`, each up to a fifth shorter or longer, so that
/// destinations which failed together do not come back together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// After the first failure.
    pub first: Duration,
    /// The longest wait.
    pub most: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_secs(1), most: Duration::from_secs(300) }
    }
}

impl Backoff {
    /// The wait after so many failures in a row, at least 1; `random` is any number.
    #[must_use]
    pub fn wait(&self, failures: u64, random: u32) -> Duration {
        let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(u32::MAX).min(30);
        let wait = self.first.saturating_mul(1 << doublings).min(self.most);
        wait.saturating_mul(800 + random % 401) / 1_000
    }
}

/// A random number; the middle of the range when the system gives none.
pub(crate) fn random() -> u32 {
    getrandom::u32().unwrap_or(200)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_cap() {
        let backoff = Backoff::default();
        let exact = |failures| backoff.wait(failures, 200).as_secs();
        let waits: Vec<u64> = (1..=11).map(exact).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(backoff.wait(u64::MAX, 200), Duration::from_secs(300));
        assert_eq!(
            (backoff.wait(1, 0), backoff.wait(1, 400)),
            (Duration::from_millis(800), Duration::from_millis(1_200))
        );
        assert_eq!(backoff.wait(0, 200), backoff.wait(1, 200));
    }
}
