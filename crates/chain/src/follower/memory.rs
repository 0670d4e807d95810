//! The blocks that were followed last, by which a reorganisation is seen and measured.

use std::collections::VecDeque;

use crate::Hash;
use crate::calls::Header;

/// How far below the last followed block a reorganisation is rolled back; further ones end
/// the following.
pub const REMEMBERED_BLOCKS: u64 = 256;

/// A block by number and hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockRef {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: Hash,
}

impl From<Header> for BlockRef {
    fn from(header: Header) -> Self {
        Self { number: header.number, hash: header.hash }
    }
}

/// Some of the last [`REMEMBERED_BLOCKS`] blocks, ascending, the last followed one at the end.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory {
    blocks: VecDeque<BlockRef>,
}

impl Memory {
    pub(super) fn new(known: impl IntoIterator<Item = BlockRef>) -> Self {
        let mut memory = Self::default();
        let mut known: Vec<BlockRef> = known.into_iter().collect();
        known.sort_by_key(|block| block.number);
        known.into_iter().for_each(|block| memory.push(block));
        memory
    }

    pub(super) fn last(&self) -> Option<BlockRef> {
        self.blocks.back().copied()
    }

    pub(super) fn first(&self) -> Option<BlockRef> {
        self.blocks.front().copied()
    }

    pub(super) fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Remembers a block above all others and forgets those far below it.
    pub(super) fn push(&mut self, block: BlockRef) {
        self.blocks.push_back(block);
        let oldest = block.number.saturating_sub(REMEMBERED_BLOCKS);
        while self.blocks.front().is_some_and(|first| first.number < oldest) {
            self.blocks.pop_front();
        }
    }

    /// Forgets the blocks above `number`.
    pub(super) fn roll_back(&mut self, number: u64) {
        while self.blocks.back().is_some_and(|last| last.number > number) {
            self.blocks.pop_back();
        }
    }

    /// The remembered blocks up to `number`, newest first.
    pub(super) fn newest_first(&self, number: u64) -> Vec<BlockRef> {
        self.blocks.iter().rev().filter(|block| block.number <= number).copied().collect()
    }

    pub(super) fn hash_of(&self, number: u64) -> Option<Hash> {
        let place = self.blocks.binary_search_by_key(&number, |block| block.number).ok()?;
        self.blocks.get(place).map(|block| block.hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_blocks_are_forgotten_and_the_anchor_far_below_is_not_alone() {
        let block = |number| BlockRef { number, hash: [u8::try_from(number % 251).unwrap(); 32] };
        let mut memory = Memory::new((0..1000).map(block));
        assert_eq!(memory.first(), Some(block(999 - REMEMBERED_BLOCKS)));
        memory.roll_back(900);
        assert_eq!(memory.last(), Some(block(900)));
        assert_eq!(memory.hash_of(899), Some(block(899).hash));
        assert_eq!(memory.hash_of(901), None);
        assert_eq!(memory.newest_first(898)[0], block(898));
        memory.push(block(5000));
        assert_eq!((memory.len(), memory.first()), (1, Some(block(5000))));
    }
}
