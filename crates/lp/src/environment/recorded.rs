//! Rounds as they were recorded, kept to be played many times.

use assay_amm::event::Located;
use assay_types::{Hash, Hasher};

use crate::error::LpError;
use crate::market::{Market, Recorded};
use crate::replay::{Plan, Tape};
use crate::round::Opening;

/// All that a round needs beside the miner: the pool at its start and what was asked of it
/// until its end.
#[derive(Debug, Clone)]
pub struct RecordedRound {
    /// When everything happens.
    pub plan: Plan,
    pub(super) opening: Opening,
    /// Requests up to each checkpoint, and from there to where its answers take effect.
    pub(super) stretches: Vec<[Vec<Recorded>; 2]>,
    /// Requests after the last of them.
    pub(super) rest: Vec<Recorded>,
}

impl RecordedRound {
    /// Takes a round from a market that stands at its start and `events` after that; the
    /// market stands at its end then.
    ///
    /// # Errors
    /// [`LpError`] for events that do not fit together, or a pool without a price.
    pub fn take(plan: &Plan, market: &mut Market, events: &[Located]) -> Result<Self, LpError> {
        let mut tape = Tape::new(events);
        let opening = Opening::of(market, plan.start)?;
        let mut stretches = Vec::with_capacity(plan.checkpoints.len());
        for (checkpoint, effect) in &plan.checkpoints {
            stretches.push([tape.advance(market, checkpoint.block)?, tape.advance(market, *effect)?]);
        }
        let rest = tape.advance(market, plan.end.number)?;
        Ok(Self { plan: plan.clone(), opening, stretches, rest })
    }

    /// Questions in it.
    #[must_use]
    pub fn checkpoints(&self) -> usize {
        self.stretches.len()
    }

    /// SHA-256 over the places and prices of everything in some rounds: what was learned
    /// from.
    #[must_use]
    pub fn fingerprint(rounds: &[Self]) -> Hash {
        let mut hasher = Hasher::with_prefix("assay/recorded-rounds/1\n");
        for round in rounds {
            hasher.update(&round.plan.number.to_le_bytes());
            hasher.update(&round.plan.start.number.to_le_bytes());
            hasher.update(&round.opening.sqrt_price_x96().to_le_bytes::<32>());
            for request in round.stretches.iter().flatten().chain([&round.rest]).flatten() {
                hasher.update(&request.place.block.to_le_bytes());
                hasher.update(&request.place.tx_index.to_le_bytes());
                hasher.update(&request.place.log_index.to_le_bytes());
                hasher.update(&request.sqrt_price_x96.to_le_bytes::<32>());
            }
        }
        hasher.finish()
    }
}
