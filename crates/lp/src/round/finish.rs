//! How a round ends: what was measured becomes a record, and the record is judged.

use super::{Entrant, PATH_POINTS, Round, Seat};
use crate::amounts::Amounts;
use crate::clock::BlockTime;
use crate::error::LpError;
use crate::judge::judge;
use crate::participant::Holdings;
use crate::record::{EXECUTED, Judgement, Measured, MinerRecord, PathPoint, RE_EXECUTED, RECORD_RULE, RoundRecord};

/// Where a vault's tokens were at the end of a live round, as its executor says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Executed {
    /// Tokens that are not placed.
    pub inventory: Amounts,
    /// Tokens in positions, fees left out.
    pub principal: Amounts,
    /// Fees that are not collected.
    pub owed: Amounts,
    /// Fees collected at rebalances, part of the inventory or placed again.
    pub collected: Amounts,
    /// Tokens paid into the pool to swap the inventory.
    pub swapped: Amounts,
    /// Times that gas was paid.
    pub executions: u32,
    /// Rebalances, the first deployment not counted.
    pub rebalances: u32,
}

impl Round {
    /// Ends the round with the market's state after block `end`, and judges it.
    ///
    /// # Errors
    /// Books that do not balance, or values that overflow.
    pub fn finish(mut self, end: BlockTime) -> Result<RoundRecord, LpError> {
        let mut miners = Vec::with_capacity(self.seats.len());
        for index in 0..self.seats.len() {
            self.seats[index].participant.advance(end.number);
            self.note_loss(index)?;
        }
        for seat in self.seats {
            let measured = measured(&seat)?;
            let Entrant { miner, registered_at, built_in, authenticated, combined_before } = seat.entrant;
            let (answers, judgement) = (seat.answers, Judgement::default());
            let record = MinerRecord {
                miner,
                registered_at,
                built_in,
                authenticated,
                combined_before,
                answers,
                measured,
                judgement,
            };
            miners.push(record);
        }
        let mut record = RoundRecord {
            rule: RECORD_RULE.to_owned(),
            mode: self.mode,
            simulation: RE_EXECUTED.to_owned(),
            round_id: self.job.round_id(self.round_type, self.number),
            round_type: self.round_type,
            round_number: self.number,
            job: self.job,
            start: self.start,
            end,
            start_sqrt_price_x96: self.start_sqrt_price_x96,
            end_sqrt_price_x96: self.sqrt_price_x96,
            checkpoints: self.checkpoints,
            requests: self.requests,
            unexplained: self.unexplained,
            rewards: "left out: no price".to_owned(),
            path: thin(self.path),
            miners,
            winner: None,
        };
        judge(&mut record)?;
        Ok(record)
    }

    /// Ends a round of one miner whose capital an executor moved: tokens and executions are
    /// the executor's, the rest is the simulation's.
    ///
    /// # Errors
    /// As [`Self::finish`].
    pub fn finish_executed(self, end: BlockTime, executed: Executed) -> Result<RoundRecord, LpError> {
        let mut record = self.finish(end)?;
        EXECUTED.clone_into(&mut record.simulation);
        let Executed { inventory, principal, owed, collected, swapped, executions, rebalances } = executed;
        for miner in &mut record.miners {
            let simulated = miner.measured.clone();
            miner.measured =
                Measured { inventory, principal, owed, collected, swapped, executions, rebalances, ..simulated };
        }
        judge(&mut record)?;
        Ok(record)
    }
}

fn measured(seat: &Seat) -> Result<Measured, LpError> {
    let participant = &seat.participant;
    let Holdings { inventory, principal, owed } = participant.holdings()?;
    let [blocks, blocks_in_range] = participant.blocks_in_range();
    let [dust0, dust1] = participant.dust(&seat.entrant.miner)?;
    let (loss, lvr) = participant.loss_versus_rebalancing()?;
    Ok(Measured {
        inventory,
        principal,
        owed,
        collected: participant.collected(),
        swapped: participant.swapped(),
        executions: participant.executions(),
        rebalances: participant.rebalances(),
        blocks,
        blocks_in_range,
        max_il_ppm: seat.max_il_ppm,
        skipped: participant.skipped(),
        lvr: (loss, lvr),
        dust0,
        dust1,
    })
}

/// At most [`PATH_POINTS`] points, the first and the last among them.
fn thin(path: Vec<PathPoint>) -> Vec<PathPoint> {
    if path.len() <= PATH_POINTS {
        return path;
    }
    let last = path.len() - 1;
    (0..PATH_POINTS).map(|index| path[index * last / (PATH_POINTS - 1)]).collect()
}
