//! Scores as tables show them: of one round, and summed over rounds.

use assay_amm::{U256, integer};
use assay_lp::fixed::{ONE, div_floor};
use assay_lp::record::{Judgement, MinerRecord, Outcome, Signed};
use assay_lp::{LpError, RoundRecord, hold_score};
use serde::Serialize;

/// A miner's result in one round.
#[derive(Debug, Clone, Serialize)]
pub struct RoundScore {
    /// The miner.
    pub miner: String,
    /// Whether it is a strategy of ours.
    pub built_in: bool,
    /// Its place, from 1; `None` for the unranked.
    pub rank: Option<u32>,
    /// Its score.
    pub score: f64,
    /// Its score less the score of holding.
    pub over_hold: f64,
    /// Rebalances, the first deployment not counted.
    pub rebalances: u32,
    /// Part of the round's blocks with a position in range.
    pub in_range: f64,
    /// Answers that were missed or invalid.
    pub missed: usize,
    /// Loss against a rebalancing portfolio in units of token 1.
    pub lvr: String,
    /// Every term of the score, exactly.
    pub judgement: Judgement,
}

impl RoundScore {
    /// The results of a round, best first, the unranked last.
    ///
    /// # Errors
    /// Values above 256 bits.
    pub fn table(record: &RoundRecord) -> Result<Vec<Self>, LpError> {
        let hold = hold_score(&record.job, record.start_sqrt_price_x96, record.end_sqrt_price_x96)?;
        let mut rows: Vec<Self> = record.miners.iter().map(|miner| Self::of(miner, hold)).collect();
        rows.sort_by_key(|row| row.rank.unwrap_or(u32::MAX));
        Ok(rows)
    }

    fn of(miner: &MinerRecord, hold: i128) -> Self {
        let (measured, judgement) = (&miner.measured, &miner.judgement);
        Self {
            miner: miner.miner.clone(),
            built_in: miner.built_in,
            rank: judgement.rank,
            score: fraction(judgement.score),
            over_hold: fraction(judgement.score - hold),
            rebalances: measured.rebalances,
            in_range: share(measured.blocks_in_range, measured.blocks),
            missed: miner.answers.iter().filter(|answer| !answer.outcome.is_answered()).count(),
            lvr: signed_text(measured.lvr),
            judgement: judgement.clone(),
        }
    }
}

/// A miner's results over several rounds. Values are in units of token 1; shares are of the
/// value at the start of each round, summed over rounds.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Total {
    /// The miner.
    pub miner: String,
    /// Place by mean score, from 1.
    pub rank: u32,
    /// Rounds it took part in.
    pub rounds: u64,
    /// Rounds in which nobody was better.
    pub wins: u64,
    /// Mean of its scores.
    pub score: f64,
    /// The same at 1e-18, rounded down.
    pub score_e18: String,
    /// Mean of its scores less that of holding.
    pub over_hold: f64,
    /// Fees earned.
    pub fees: String,
    /// Fees earned, as a share.
    pub fees_share: f64,
    /// What its principal is worth beyond holding; below zero is a loss.
    pub against_holding: String,
    /// The same as a share.
    pub against_holding_share: f64,
    /// Loss against a rebalancing portfolio.
    pub lvr: String,
    /// The same as a share.
    pub lvr_share: f64,
    /// Gas paid.
    pub rebalance_cost: String,
    /// Rebalances, first deployments not counted.
    pub rebalances: u64,
    /// Part of the blocks with a position in range.
    pub in_range: f64,
    /// Answers: kept, rebalanced, refused, missed, invalid.
    pub answers: [u64; 5],
}

/// Sums on their way to a [`Total`].
#[derive(Debug, Clone, Default)]
pub struct Sums {
    miner: String,
    rounds: u64,
    wins: u64,
    score: i128,
    over_hold: i128,
    fees: U256,
    against: Balance,
    lvr: Balance,
    cost: U256,
    shares: [f64; 3],
    rebalances: u64,
    blocks: [u64; 2],
    answers: [u64; 5],
}

/// A sum of signed amounts.
#[derive(Debug, Clone, Copy, Default)]
struct Balance {
    up: U256,
    down: U256,
}

impl Balance {
    fn add(&mut self, (positive, amount): Signed) {
        let side = if positive { &mut self.up } else { &mut self.down };
        *side = side.saturating_add(amount);
    }

    fn text(self) -> String {
        signed_text((self.up >= self.down, self.up.abs_diff(self.down)))
    }
}

impl Sums {
    /// Adds a round to the sums of its miners; a miner new to the list is appended.
    ///
    /// # Errors
    /// Values above 256 bits.
    pub fn add(list: &mut Vec<Self>, record: &RoundRecord) -> Result<(), LpError> {
        let hold = hold_score(&record.job, record.start_sqrt_price_x96, record.end_sqrt_price_x96)?;
        for miner in &record.miners {
            let place = list.iter().position(|sums| sums.miner == miner.miner).unwrap_or_else(|| {
                list.push(Self { miner: miner.miner.clone(), ..Self::default() });
                list.len() - 1
            });
            list[place].add_round(miner, hold);
        }
        Ok(())
    }

    fn add_round(&mut self, miner: &MinerRecord, hold: i128) {
        let (measured, judgement) = (&miner.measured, &miner.judgement);
        self.rounds += 1;
        self.wins += u64::from(judgement.rank == Some(1));
        self.score += judgement.score;
        self.over_hold += judgement.score - hold;
        self.fees = self.fees.saturating_add(judgement.fees);
        self.against.add(judgement.principal_change);
        self.lvr.add(measured.lvr);
        self.cost = self.cost.saturating_add(judgement.rebalance_cost);
        let start = integer::to_f64(judgement.value_start);
        for (share, value) in
            self.shares.iter_mut().zip([(true, judgement.fees), judgement.principal_change, measured.lvr])
        {
            let size = integer::to_f64(value.1) / start;
            *share += if value.0 { size } else { -size };
        }
        self.rebalances += u64::from(measured.rebalances);
        self.blocks[0] += measured.blocks_in_range;
        self.blocks[1] += measured.blocks;
        for answer in &miner.answers {
            let place = match answer.outcome {
                Outcome::Kept => 0,
                Outcome::Rebalanced => 1,
                Outcome::Refused => 2,
                Outcome::Missed => 3,
                Outcome::Invalid => 4,
            };
            self.answers[place] += 1;
        }
    }

    /// The totals, best mean score first, then by name.
    #[must_use]
    pub fn totals(list: &[Self]) -> Vec<Total> {
        let mut totals: Vec<(i128, Total)> = list.iter().map(Self::total).collect();
        totals.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.miner.cmp(&b.1.miner)));
        let ranked = totals.into_iter().zip(1..);
        ranked.map(|((_, total), rank)| Total { rank, ..total }).collect()
    }

    fn total(&self) -> (i128, Total) {
        let rounds = i128::from(self.rounds.max(1));
        let mean = div_floor(self.score, rounds);
        let total = Total {
            miner: self.miner.clone(),
            rank: 0,
            rounds: self.rounds,
            wins: self.wins,
            score: fraction(mean),
            score_e18: mean.to_string(),
            over_hold: fraction(div_floor(self.over_hold, rounds)),
            fees: self.fees.to_string(),
            fees_share: self.shares[0],
            against_holding: self.against.text(),
            against_holding_share: self.shares[1],
            lvr: self.lvr.text(),
            lvr_share: self.shares[2],
            rebalance_cost: self.cost.to_string(),
            rebalances: self.rebalances,
            in_range: share(self.blocks[0], self.blocks[1]),
            answers: self.answers,
        };
        (mean, total)
    }
}

/// A fixed-point number as a float, for people.
#[expect(clippy::cast_precision_loss, reason = "for people")]
fn fraction(value: i128) -> f64 {
    value as f64 / ONE as f64
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn signed_text((positive, amount): Signed) -> String {
    let sign = if positive || amount.is_zero() { "" } else { "-" };
    format!("{sign}{amount}")
}
