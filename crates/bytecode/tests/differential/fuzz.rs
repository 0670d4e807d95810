//! Random operations from a seed, and how a failure names it.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use assay_bytecode::{Revert, U256};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Operations per seed, so that a failure is short to replay.
pub const OPERATIONS_PER_SEED: u64 = 250;

/// Operations per kind, when `ASSAY_FUZZ_OPERATIONS` does not say otherwise.
const DEFAULT_OPERATIONS: u64 = 10_000;

/// Runs `one` for the seeds of past failures and for as many others as the operations asked for need.
///
/// # Panics
/// A mismatch, or operations so lopsided that they prove little: nearly all done or nearly all refused.
pub fn run(name: &str, regressions: &[u64], one: impl Fn(&mut Chance, u64)) {
    let asked = std::env::var("ASSAY_FUZZ_OPERATIONS").ok();
    let operations = asked.map_or(DEFAULT_OPERATIONS, |text| text.parse().expect("ASSAY_FUZZ_OPERATIONS is a number"));
    let seeds = operations.div_ceil(OPERATIONS_PER_SEED);
    let started = std::time::Instant::now();
    let mut count = Count::default();
    for seed in regressions.iter().copied().chain(0..seeds) {
        let mut chance = Chance::new(seed);
        let outcome = catch_unwind(AssertUnwindSafe(|| one(&mut chance, OPERATIONS_PER_SEED)));
        if let Err(panic) = outcome {
            println!("{name}: failed with seed {seed} after {:?}", chance.count);
            resume_unwind(panic);
        }
        count.add(&chance.count);
    }
    println!("{name}: equal in {:.2?}: {count:?}", started.elapsed());
    let (done, refused) = (count.done.values().sum::<u64>(), count.refusals());
    assert!(done > (done + refused) / 4 && refused > (done + refused) / 200, "{done} done, {refused} refused");
}

/// What became of the operations compared.
#[derive(Debug, Clone, Default)]
struct Count {
    /// Done by both, by operation.
    done: BTreeMap<&'static str, u64>,
    /// Refused by both, by operation and the contract's reason.
    refused: BTreeMap<String, u64>,
}

impl Count {
    fn add(&mut self, other: &Self) {
        for (operation, count) in &other.done {
            *self.done.entry(operation).or_default() += count;
        }
        for (reason, count) in &other.refused {
            *self.refused.entry(reason.clone()).or_default() += count;
        }
    }

    fn refusals(&self) -> u64 {
        self.refused.values().sum()
    }
}

/// A stream of random choices.
pub struct Chance {
    random: ChaCha8Rng,
    count: Count,
}

impl Chance {
    fn new(seed: u64) -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(seed), count: Count::default() }
    }

    /// Notes an operation that both sides did.
    pub fn done(&mut self, operation: &'static str) {
        *self.count.done.entry(operation).or_default() += 1;
    }

    /// Operations refused so far.
    pub fn refusals(&self) -> u64 {
        self.count.refusals()
    }

    /// Notes an operation that both sides refused.
    pub fn refused(&mut self, operation: &'static str, reason: &Revert) {
        // Arguments of a named error would make every refusal a reason of its own.
        let reason =
            if let Revert::Named(selector, _) = reason { format!("{selector:02x?}") } else { reason.to_string() };
        *self.count.refused.entry(format!("{operation} {reason}")).or_default() += 1;
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.random.next_u64() % bound
    }

    /// A place in a list of `count`.
    pub fn index(&mut self, count: usize) -> usize {
        usize::try_from(self.below(count as u64)).expect("below a number of this type")
    }

    /// One of a list.
    pub fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.index(list.len())]
    }

    /// A number of `low..=high`.
    pub fn range(&mut self, low: i32, high: i32) -> i32 {
        let width = (i64::from(high) - i64::from(low) + 1).unsigned_abs();
        let offset = i64::try_from(self.below(width)).expect("at most 33 bits");
        i32::try_from(i64::from(low) + offset).expect("between two numbers of 32 bits")
    }

    /// True once in `n`.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// A number whose length is even between 0 and `bits` bits, so that dust and whales come equally often.
    pub fn wide(&mut self, bits: usize) -> U256 {
        let length = usize::try_from(self.below(bits as u64 + 1)).expect("at most 256");
        if length == 0 {
            return U256::ZERO;
        }
        let number = U256::from_limbs(std::array::from_fn(|_| self.random.next_u64()));
        let mask = U256::MAX >> (256 - length);
        (number & mask) | (U256::ONE << (length - 1))
    }

    /// As [`Self::wide`], for at most 128 bits.
    pub fn native(&mut self, bits: usize) -> u128 {
        self.wide(bits.min(128)).to()
    }

    /// An amount near `size`: mostly a part of it, at times dust, the whole, or a little more.
    pub fn part_of(&mut self, size: u128) -> U256 {
        let size = U256::from(size);
        match self.below(10) {
            0 => U256::from(self.below(3)),
            1 => size + U256::from(self.below(3)),
            2 => size - size.min(U256::from(self.below(3))),
            3 => self.wide(size.bit_len() + 2),
            _ => {
                let part = U256::from(self.random.next_u64()) >> self.below(24);
                size / (U256::ONE << 64_usize) * part + (((size % (U256::ONE << 64_usize)) * part) >> 64_usize)
            }
        }
    }
}
