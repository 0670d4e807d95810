//! How often: a bucket of tokens for each name, filled at a steady rate.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Names that are counted at one time; beyond it those with full buckets are forgotten.
const MAX_NAMES: usize = 10_000;

/// Buckets of tokens by name.
pub(crate) struct Buckets {
    per_second: f64,
    most: f64,
    buckets: Mutex<HashMap<String, Bucket>>,
}

struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Buckets {
    /// Buckets that take `per_second` tokens a second and hold `seconds` worth of them.
    pub fn new(per_second: u32, seconds: u32) -> Self {
        let per_second = f64::from(per_second.max(1));
        Self { per_second, most: per_second * f64::from(seconds), buckets: Mutex::default() }
    }

    /// Takes `tokens` of a name's bucket; else the whole seconds until they are there.
    pub fn take(&self, name: &str, tokens: u32, now: Instant) -> Result<(), u64> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MAX_NAMES && !buckets.contains_key(name) {
            buckets.retain(|_, bucket| self.filled(bucket, now) < self.most);
            if buckets.len() >= MAX_NAMES {
                return Err(1);
            }
        }
        let bucket = buckets.entry(name.to_owned()).or_insert(Bucket { tokens: self.most, at: now });
        bucket.tokens = self.filled(bucket, now);
        bucket.at = now;
        let wanted = f64::from(tokens).min(self.most);
        if bucket.tokens >= wanted {
            bucket.tokens -= wanted;
            return Ok(());
        }
        // Between 0 and the seconds of a full bucket.
        let missing_s = ((wanted - bucket.tokens) / self.per_second).ceil();
        Err((missing_s as u64).max(1))
    }

    fn filled(&self, bucket: &Bucket, now: Instant) -> f64 {
        let elapsed = now.saturating_duration_since(bucket.at).as_secs_f64();
        (bucket.tokens + elapsed * self.per_second).min(self.most)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_name_has_its_share_and_waits_for_more() {
        let (buckets, now) = (Buckets::new(2, 3), Instant::now());
        for _ in 0..6 {
            buckets.take("one", 1, now).unwrap();
        }
        assert_eq!(buckets.take("one", 1, now), Err(1));
        assert_eq!(buckets.take("one", 6, now), Err(3));
        buckets.take("two", 6, now).unwrap();
        let later = now + Duration::from_secs(1);
        buckets.take("one", 2, later).unwrap();
        assert!(buckets.take("one", 1, later).is_err());
    }

    #[test]
    fn many_names_cost_bounded_memory() {
        let (buckets, now) = (Buckets::new(1, 1), Instant::now());
        let mut refused = 0;
        for name in 0..2 * MAX_NAMES {
            refused += usize::from(buckets.take(&name.to_string(), 1, now).is_err());
        }
        assert_eq!(refused, MAX_NAMES);
        buckets.take("new", 1, now + Duration::from_secs(2)).unwrap();
        assert_eq!(buckets.buckets.lock().unwrap().len(), 1);
    }
}
