//! The times of a chain's blocks, where they come at equal distances.

use std::str::FromStr;

use assay_lp::{BlockTime, BlockTimes};

use crate::error::JobError;

/// A block whose time is known, and the seconds from block to block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct BlockClock {
    /// The block.
    pub anchor: BlockTime,
    /// Seconds from block to block.
    pub seconds: u64,
}

impl BlockClock {
    /// The clock of a chain that makes blocks at equal distances: OP Mainnet since its
    /// Bedrock upgrade, and Base.
    #[must_use]
    pub const fn of_chain(chain_id: u64) -> Option<Self> {
        let anchor = match chain_id {
            10 => BlockTime { number: 105_235_063, timestamp: 1_686_068_903 },
            8453 => BlockTime { number: 0, timestamp: 1_686_789_347 },
            _ => return None,
        };
        Some(Self { anchor, seconds: 2 })
    }

    /// The clock to use: the one given, else the chain's.
    ///
    /// # Errors
    /// [`JobError::Input`] when neither is known.
    pub fn choose(given: Option<Self>, chain_id: u64) -> Result<Self, JobError> {
        given.or_else(|| Self::of_chain(chain_id)).ok_or_else(|| {
            JobError::Input(format!(
                "the block times of chain {chain_id} are not known (those of 10 and 8453 are): pass a block with its \
                 time and the seconds from block to block, as --block-clock NUMBER@SECONDS+STEP"
            ))
        })
    }

    /// The times of all blocks up to `head`.
    #[must_use]
    pub const fn times(self, head: u64) -> BlockTimes {
        BlockTimes::Regular { anchor: self.anchor, seconds: self.seconds, head }
    }

    /// The time of a block in seconds since 1970; `None` before the anchor.
    #[must_use]
    pub fn time_of(self, block: u64) -> Option<u64> {
        self.times(u64::MAX).time_of(block)
    }
}

impl std::fmt::Display for BlockClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}+{}", self.anchor.number, self.anchor.timestamp, self.seconds)
    }
}

impl FromStr for BlockClock {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (number, rest) = text.split_once('@')?;
            let (timestamp, step) = rest.split_once('+')?;
            let anchor = BlockTime { number: number.parse().ok()?, timestamp: timestamp.parse().ok()? };
            Some(Self { anchor, seconds: step.parse().ok().filter(|step| *step > 0)? })
        };
        read().ok_or_else(|| {
            "write NUMBER@SECONDS+STEP, such as 105235063@1686068903+2: a block, its time in seconds since 1970, and \
             the seconds from block to block"
                .to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_read_and_know_their_chains() {
        let text = "105235063@1686068903+2";
        assert_eq!(text.parse().ok(), BlockClock::of_chain(10));
        assert_eq!(BlockClock::of_chain(10).unwrap().to_string(), text);
        assert_eq!(BlockClock::of_chain(8453).unwrap().time_of(10_000_000), Some(1_706_789_347));
        assert_eq!(BlockClock::of_chain(10).unwrap().time_of(1), None);
        for bad in ["", "1@2", "1@2+0", "1@2+x", "-1@2+2", "1+2@2"] {
            assert!(bad.parse::<BlockClock>().is_err(), "{bad}");
        }
        assert!(BlockClock::choose(None, 1).unwrap_err().to_string().contains("chain 1 "));
    }
}
