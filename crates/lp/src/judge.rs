//! From what a round measured to scores, ranks and the winner (R6, R7).

use assay_amm::U256;

use crate::amounts::Amounts;
use crate::decision::nearly;
use crate::error::LpError;
use crate::fixed::{ONE, exp, mul_floor, relative_change, signed_ratio};
use crate::job::Job;
use crate::record::{AnswerRecord, Judgement, Measured, MinerRecord, Outcome, Placed, RoundRecord, Signed};
use crate::value::value_in_token1;

/// How strongly the larger token loss counts.
const LOSS_WEIGHT: i128 = 10;
/// Scores below are this.
const LOWEST_SCORE: i128 = -100 * ONE;
/// Scores above are this.
const HIGHEST_SCORE: i128 = 10 * ONE;
/// More than one missed answer in this many leaves a miner unranked.
const MISSED_LIMIT: usize = 5;

/// `gain · e^(−10 · loss)`, or `gain · e^(10 · loss)` below zero, clamped to −100 … 10; with
/// the power. All at 1e-18, `loss` in 0 … 1.
#[must_use]
pub fn score(gain: i128, loss: i128) -> (i128, i128) {
    let exponent = LOSS_WEIGHT * loss.clamp(0, ONE);
    let penalty = exp(if gain >= 0 { -exponent } else { exponent });
    (mul_floor(gain, penalty).clamp(LOWEST_SCORE, HIGHEST_SCORE), penalty)
}

/// The score of holding the inventory through a round, 1e-18.
///
/// # Errors
/// Values above 256 bits, or an inventory worth nothing.
pub fn hold_score(job: &Job, start_price: U256, end_price: U256) -> Result<i128, LpError> {
    let start = value(job.inventory, start_price)?;
    let end = value(job.inventory, end_price)?;
    let gain = relative_change(start, end).ok_or_else(worthless)?;
    Ok(score(gain, 0).0)
}

/// Fills in every judgement, the ranks and the winner.
pub(crate) fn judge(record: &mut RoundRecord) -> Result<(), LpError> {
    let (start, end) = (record.start_sqrt_price_x96, record.end_sqrt_price_x96);
    for miner in &mut record.miners {
        miner.judgement = judgement(&record.job, &miner.measured, start, end)?;
        if miner.measured.max_il_ppm > record.job.constraints.max_il_ppm {
            let (found, limit) = (miner.measured.max_il_ppm, record.job.constraints.max_il_ppm);
            miner.judgement.remarks.push(format!("max_il: a loss of {found} millionths is above {limit}"));
            miner.judgement.score = miner.judgement.score.min(0);
        }
    }
    let clones = clones(record);
    for (miner, clone_of) in record.miners.iter_mut().zip(clones) {
        miner.judgement.clone_of = clone_of;
    }
    rank(record)
}

fn judgement(job: &Job, measured: &Measured, start: U256, end: U256) -> Result<Judgement, LpError> {
    let overflow = || LpError::Overflow { what: "a miner's tokens" };
    let sum = |first: Amounts, second: Amounts| first.checked_add(second).ok_or_else(overflow);
    let tokens_start = job.inventory;
    let tokens_end = sum(sum(measured.inventory, measured.principal)?, measured.owed)?;
    let value_start = value(tokens_start, start)?;
    let value_hold = value(tokens_start, end)?;
    let gross = value(tokens_end, end)?;
    let fees = value(sum(measured.collected, measured.owed)?, end)?;
    let rebalance_cost = job.gas.cost_token1(measured.executions).ok_or(LpError::Overflow { what: "the gas" })?;
    let value_end = subtract((true, gross), rebalance_cost).ok_or_else(overflow)?;
    let without_fees = subtract((true, gross), fees).ok_or_else(overflow)?;
    let gain = change(value_start, value_end)?;
    let [loss0, loss1] = [0, 1].map(|token| {
        let (before, after) = (tokens_start.pair()[token], tokens_end.pair()[token]);
        if after >= before { 0 } else { signed_ratio(true, before - after, before).unwrap_or(0) }
    });
    let (score, penalty) = score(gain, loss0.max(loss1));
    Ok(Judgement {
        value_start,
        value_end,
        value_hold,
        principal_change: subtract(without_fees, value_hold).ok_or_else(overflow)?,
        fees,
        rebalance_cost,
        gain,
        gain_over_hold: change(value_hold, value_end)?,
        loss0,
        loss1,
        penalty,
        score,
        counted_score: None,
        rank: None,
        remarks: Vec::new(),
        clone_of: None,
    })
}

fn value(amounts: Amounts, price: U256) -> Result<U256, LpError> {
    value_in_token1(amounts, price).ok_or(LpError::Overflow { what: "a value" })
}

fn worthless() -> LpError {
    LpError::Record("the inventory is worth nothing in token 1".to_owned())
}

/// A signed amount minus an unsigned one.
fn subtract(from: Signed, amount: U256) -> Option<Signed> {
    match from {
        (true, value) if value >= amount => Some((true, value - amount)),
        (true, value) => Some((false, amount - value)),
        (false, value) => Some((false, value.checked_add(amount)?)),
    }
}

/// `(end − start) / start` for an end that may be below zero.
fn change(start: U256, end: Signed) -> Result<i128, LpError> {
    let (positive, difference) = subtract(end, start).ok_or(LpError::Overflow { what: "a gain" })?;
    signed_ratio(positive, difference, start).ok_or_else(worthless)
}

/// A part of a miner's placed value below one in this many makes it no other strategy.
const TRIFLE: u32 = 50;

/// What stood of a miner after each checkpoint, trifles left out, valued at `price`.
fn standing(miner: &MinerRecord, price: U256) -> Vec<Vec<Placed>> {
    let mut now = Vec::new();
    let weigh = |placed: &Placed| value_in_token1(placed.amounts, price).unwrap_or(U256::MAX);
    let mut after = |answer: &AnswerRecord| {
        if answer.outcome == Outcome::Rebalanced {
            let total = answer.placed.iter().fold(U256::ZERO, |sum, placed| sum.saturating_add(weigh(placed)));
            let counts = |placed: &&Placed| weigh(placed) >= total / U256::from(TRIFLE);
            now = answer.placed.iter().filter(counts).copied().collect();
        }
        now.clone()
    };
    miner.answers.iter().map(&mut after).collect()
}

/// Whether two miners' capital stood alike: the same ranges, amounts within 2 %.
fn alike(first: &[Placed], second: &[Placed]) -> bool {
    let same = |a: &Placed, b: &Placed| {
        (a.tick_lower, a.tick_upper) == (b.tick_lower, b.tick_upper)
            && nearly(a.amounts.amount0, b.amounts.amount0)
            && nearly(a.amounts.amount1, b.amounts.amount1)
    };
    let within = |one: &[Placed], other: &[Placed]| one.iter().all(|a| other.iter().any(|b| same(a, b)));
    within(first, second) && within(second, first)
}

/// For each miner the earlier one whose positions it repeats at every checkpoint. What was
/// placed is compared, so that an allocation which nothing could use disguises nothing.
fn clones(record: &RoundRecord) -> Vec<Option<String>> {
    let miners = &record.miners;
    let standing: Vec<_> = miners.iter().map(|miner| standing(miner, record.start_sqrt_price_x96)).collect();
    let offered = record.checkpoints.len();
    let plays = |index: usize| {
        let miner = &miners[index];
        let first = miner.answers.first().is_some_and(|answer| answer.outcome.is_answered());
        !miner.built_in && !is_refused(miner) && first && missed(miner) * MISSED_LIMIT <= offered
    };
    let mut order: Vec<usize> = (0..miners.len()).filter(|index| plays(*index)).collect();
    order.sort_by(|a, b| earlier(&miners[*a], &miners[*b]));
    let mut found = vec![None; miners.len()];
    let mut leaders: Vec<usize> = Vec::new();
    for index in order {
        let same = |leader: &&usize| {
            let (own, others) = (&standing[index], &standing[**leader]);
            own.len() == others.len() && own.iter().zip(others).all(|(own, other)| alike(own, other))
        };
        match leaders.iter().find(same) {
            Some(leader) => found[index] = Some(miners[*leader].miner.clone()),
            None => leaders.push(index),
        }
    }
    found
}

fn earlier(first: &MinerRecord, second: &MinerRecord) -> std::cmp::Ordering {
    (first.registered_at, &first.miner).cmp(&(second.registered_at, &second.miner))
}

/// A refusal at the first checkpoint: the miner sat the round out, for free.
pub(crate) fn is_refused(miner: &MinerRecord) -> bool {
    miner.answers.first().is_some_and(|answer| answer.outcome == Outcome::Refused)
}

fn missed(miner: &MinerRecord) -> usize {
    miner.answers.iter().filter(|answer| !answer.outcome.is_answered()).count()
}

fn rank(record: &mut RoundRecord) -> Result<(), LpError> {
    let hold = hold_score(&record.job, record.start_sqrt_price_x96, record.end_sqrt_price_x96)?;
    let offered = record.checkpoints.len();
    let mut ranked = Vec::new();
    let mut valid = Vec::new();
    for (index, miner) in record.miners.iter_mut().enumerate() {
        let (refused, missed) = (is_refused(miner), missed(miner));
        let judgement = &mut miner.judgement;
        let first = miner.answers.first().is_some_and(|answer| answer.outcome.is_answered());
        if refused {
            judgement.remarks.push("refused at the first checkpoint: free".into());
            continue;
        }
        if !first {
            judgement.remarks.push("unranked: no valid first answer".into());
        } else if missed * MISSED_LIMIT > offered {
            judgement.remarks.push(format!("unranked: {missed} of {offered} answers missed or invalid"));
        } else {
            valid.push(judgement.score);
            if let Some(leader) = &judgement.clone_of {
                judgement.remarks.push(format!("unranked: the same positions as {leader}, who registered earlier"));
                // A clone earns nothing; what it loses is its own.
                judgement.counted_score = Some(judgement.score.min(0));
            } else {
                judgement.counted_score = Some(judgement.score);
                ranked.push(index);
            }
        }
    }
    let floor = valid.iter().copied().min().unwrap_or(0).min(hold).min(0);
    for miner in &mut record.miners {
        if miner.judgement.counted_score.is_none() && !is_refused(miner) {
            // Who falls silent keeps the loss it made.
            miner.judgement.counted_score = Some(floor.min(miner.judgement.score));
        }
    }
    let miners = &mut record.miners;
    ranked.sort_by(|a, b| {
        let (a, b) = (&miners[*a], &miners[*b]);
        let scores = (b.judgement.score, b.combined_before).cmp(&(a.judgement.score, a.combined_before));
        scores.then_with(|| earlier(a, b))
    });
    for (place, index) in ranked.iter().enumerate() {
        miners[*index].judgement.rank = Some(place as u32 + 1);
    }
    record.winner = ranked.iter().map(|index| &miners[*index]).find(|miner| !miner.built_in).map(|m| m.miner.clone());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (gain, loss) of the published penalties, at all eighteen places.
    #[test]
    fn the_published_penalties() {
        let cases = [
            (ONE / 20, ONE / 10, 18_393_972_058_572_116_i128),
            (-ONE / 20, ONE / 10, -135_914_091_422_952_262),
            (ONE / 20, ONE / 2, 336_897_349_954_273),
            (-ONE / 20, ONE / 2, -7_420_657_955_128_830_172),
        ];
        for (gain, loss, expected) in cases {
            assert_eq!(score(gain, loss).0, expected, "{gain} {loss}");
        }
        assert_eq!(score(ONE, 0), (ONE, ONE));
        assert_eq!(score(-ONE, ONE).0, LOWEST_SCORE);
        assert_eq!(score(1_000 * ONE, 0).0, HIGHEST_SCORE);
    }
}
