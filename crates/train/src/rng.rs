//! Random numbers from a seed tree: a stream per purpose, split by labels, so that
//! what one part draws never shifts what another part draws.

/// One stream: SplitMix64 (Steele, Lea & Flood 2014). Its whole state is one number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rng(u64);

/// The odd constant 2^64 / golden ratio, by which the state advances.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Rng {
    /// The stream of a run's `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(mix(seed ^ 0x6173_7361_792f_7267))
    }

    /// An independent stream for `label`; the same label gives the same stream, and
    /// this one does not move.
    #[must_use]
    pub const fn fork(&self, label: u64) -> Self {
        Self(mix(self.0 ^ mix(label.wrapping_mul(STEP) ^ 0x5bf0_3635)))
    }

    /// The state, for a checkpoint.
    #[must_use]
    pub const fn state(&self) -> u64 {
        self.0
    }

    /// The stream that continues from [`Self::state`].
    #[must_use]
    pub const fn from_state(state: u64) -> Self {
        Self(state)
    }

    /// 64 random bits.
    #[inline]
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// Uniform in [0, 1) with 53 bits.
    #[inline]
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform in 0..`count`; `count` is at least 1.
    #[inline]
    pub fn below(&mut self, count: usize) -> usize {
        // The high half of a 128-bit product; its bias is below count / 2^64.
        ((u128::from(self.bits()) * count as u128) >> 64) as usize
    }

    /// Standard normal, by Box and Muller's transform.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * libm::log(1.0 - self.uniform())).sqrt();
        radius * libm::cos(std::f64::consts::TAU * self.uniform())
    }

    /// Brings `items` into a random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_distributions() {
        let mut rng = Rng::new(1);
        let count = 200_000;
        let uniform: Vec<f64> = (0..count).map(|_| rng.uniform()).collect();
        let normal: Vec<f64> = (0..count).map(|_| rng.normal()).collect();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let variance = |values: &[f64]| values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64;
        assert!((mean(&uniform) - 0.5).abs() < 0.003);
        assert!(mean(&normal).abs() < 0.01 && (variance(&normal) - 1.0).abs() < 0.02);
        let mut counts = [0; 3];
        (0..30_000).for_each(|_| counts[rng.below(3)] += 1);
        assert!(counts.iter().all(|c| (9_600..10_400).contains(c)), "{counts:?}");
    }

    #[test]
    fn streams_are_fixed_and_independent() {
        let root = Rng::new(7);
        assert_eq!(root.fork(3), root.fork(3));
        assert_ne!(root.fork(3).bits(), root.fork(4).bits());
        let mut rng = root.fork(3);
        rng.bits();
        let mut copy = Rng::from_state(rng.state());
        assert_eq!(rng.bits(), copy.bits());
        let mut order: Vec<usize> = (0..100).collect();
        rng.shuffle(&mut order);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_ne!(order, sorted);
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
    }
}
