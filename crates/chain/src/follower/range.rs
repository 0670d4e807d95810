//! How many blocks to ask for at once: as many as the node answers for.

/// The blocks of the first question.
pub const FIRST_RANGE_BLOCKS: u64 = 2_000;
/// The most blocks of a question.
pub const MAX_RANGE_BLOCKS: u64 = 50_000;
/// The most blocks of a step that carries the header of each.
pub const MAX_HEADER_BLOCKS: u64 = 2_000;
/// Answers with more logs than this are not grown, so that a step stays small.
const MANY_LOGS: usize = 20_000;
/// Successes before the range grows, while the node has refused nothing.
const GROW_AFTER: u32 = 2;
/// Successes before the range grows again after a refusal.
const GROW_AFTER_REFUSAL: u32 = 16;

/// The size of the next question.
#[derive(Debug, Clone)]
pub(super) struct RangeSize {
    blocks: u64,
    most: u64,
    successes: u32,
    was_refused: bool,
}

impl RangeSize {
    pub(super) fn new(most: u64) -> Self {
        let most = most.clamp(1, MAX_RANGE_BLOCKS);
        Self { blocks: FIRST_RANGE_BLOCKS.min(most), most, successes: 0, was_refused: false }
    }

    pub(super) fn blocks(&self) -> u64 {
        self.blocks
    }

    /// The node answered for `asked` blocks with `logs` logs.
    pub(super) fn answered(&mut self, asked: u64, logs: usize) {
        if logs > MANY_LOGS {
            self.blocks = (asked / 2).max(1);
            self.successes = 0;
            return;
        }
        // A short question, at the head of the chain, says nothing about longer ones.
        if asked < self.blocks {
            return;
        }
        self.successes += 1;
        let (needed, growth) =
            if self.was_refused { (GROW_AFTER_REFUSAL, self.blocks / 4) } else { (GROW_AFTER, self.blocks) };
        if self.successes >= needed {
            self.blocks = (self.blocks + growth.max(1)).min(self.most);
            self.successes = 0;
        }
    }

    /// The node refused `asked` blocks; whether there are fewer to ask for.
    pub(super) fn refused(&mut self, asked: u64) -> bool {
        self.blocks = (asked / 2).max(1);
        self.successes = 0;
        self.was_refused = true;
        asked > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_halves_the_range_and_successes_grow_it_again() {
        let mut size = RangeSize::new(u64::MAX);
        assert_eq!(size.blocks(), FIRST_RANGE_BLOCKS);
        size.answered(FIRST_RANGE_BLOCKS, 0);
        size.answered(FIRST_RANGE_BLOCKS, 0);
        assert_eq!(size.blocks(), 2 * FIRST_RANGE_BLOCKS);
        assert!(size.refused(size.blocks()));
        assert_eq!(size.blocks(), FIRST_RANGE_BLOCKS);
        for _ in 0..GROW_AFTER_REFUSAL {
            size.answered(size.blocks(), 0);
        }
        assert_eq!(size.blocks(), FIRST_RANGE_BLOCKS / 4 * 5);
        size.answered(size.blocks(), MANY_LOGS + 1);
        assert_eq!(size.blocks(), FIRST_RANGE_BLOCKS / 8 * 5);
    }

    #[test]
    fn one_block_cannot_be_halved() {
        let mut size = RangeSize::new(3);
        assert_eq!(size.blocks(), 3);
        assert!(size.refused(3));
        assert_eq!(size.blocks(), 1);
        assert!(!size.refused(1));
        assert_eq!(size.blocks(), 1);
        (0..GROW_AFTER_REFUSAL).for_each(|_| size.answered(1, 0));
        assert_eq!(size.blocks(), 2);
    }
}
