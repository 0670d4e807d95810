//! What rounds leave behind: averages, participation and the right to go live (R8).

use std::collections::BTreeMap;

use assay_amm::{U256, U512, integer};
use serde::{Deserialize, Serialize};

use crate::fixed::div_floor;
use crate::job::Job;
use crate::query::RoundType;

/// Complete UTC days before a round that count.
pub const PARTICIPATION_DAYS: u64 = 7;
/// Scored rounds from which the confidence bound can be taken.
const LEAST_ROUNDS_FOR_CONFIDENCE: u64 = 2;
/// The square of 1.6449, the one-sided 95 % quantile of the normal distribution, times 100,000.
const Z_SQUARED_E5: u64 = 270_554;
const SECONDS_PER_DAY: u64 = 86_400;

/// A miner's standing with one job; all numbers start at zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reputation {
    /// Average of evaluation scores, 0.9 old and 0.1 new, 1e-18.
    #[serde(with = "integer::json::native")]
    pub evaluation_ema: i128,
    /// Average of live scores, 0.7 old and 0.3 new, 1e-18.
    #[serde(with = "integer::json::native")]
    pub live_ema: i128,
    /// Evaluation rounds scored.
    pub scored_rounds: u64,
    /// Live rounds scored.
    pub live_rounds: u64,
    /// Sum of evaluation scores beyond holding, 1e-18.
    #[serde(with = "integer::json::native")]
    pub excess_sum: i128,
    /// Sum of the squares of these, 1e-36.
    #[serde(with = "integer::json")]
    pub excess_square_sum: U256,
}

impl Reputation {
    /// 0.6 of the evaluation average and 0.4 of the live one, 1e-18.
    #[must_use]
    pub const fn combined(&self) -> i128 {
        div_floor(6 * self.evaluation_ema + 4 * self.live_ema, 10)
    }

    /// After a round with this counted score; `hold` is the score of holding in it.
    #[must_use]
    pub fn after(&self, round_type: RoundType, score: i128, hold: i128) -> Self {
        let mut next = *self;
        match round_type {
            RoundType::Evaluation => {
                let excess = score - hold;
                next.evaluation_ema = div_floor(9 * self.evaluation_ema + score, 10);
                next.scored_rounds += 1;
                next.excess_sum = self.excess_sum.saturating_add(excess);
                let magnitude = U256::from(excess.unsigned_abs());
                next.excess_square_sum = self.excess_square_sum.saturating_add(magnitude.saturating_mul(magnitude));
            }
            RoundType::Live => {
                next.live_ema = div_floor(7 * self.live_ema + 3 * score, 10);
                next.live_rounds += 1;
            }
        }
        next
    }

    /// Whether the one-sided 95 % lower bound of the mean score beyond holding is above zero.
    #[must_use]
    pub fn beats_hold(&self) -> bool {
        if self.scored_rounds < LEAST_ROUNDS_FOR_CONFIDENCE || self.excess_sum <= 0 {
            return false;
        }
        // mean > z · √(variance / n), multiplied out: S² (n − 1) > z² (n Q − S²).
        let (count, sum) = (U512::from(self.scored_rounds), U512::from(self.excess_sum.unsigned_abs()));
        let square = sum * sum;
        let spread = (count * U512::from(self.excess_square_sum)).saturating_sub(square);
        square * (count - U512::ONE) * U512::from(100_000_u64) > spread * U512::from(Z_SQUARED_E5)
    }
}

/// Rounds of one UTC day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Day {
    /// Evaluation rounds that were offered.
    pub offered: u64,
    /// Those with a valid first answer and at most one in five missed.
    pub answered: u64,
}

impl Day {
    /// Whether at least half of the offered rounds were answered.
    #[must_use]
    pub const fn counts(&self) -> bool {
        self.offered > 0 && 2 * self.answered >= self.offered
    }
}

/// The UTC day of a time, counted from 1970-01-01.
#[must_use]
pub const fn day_of(timestamp: u64) -> u64 {
    timestamp / SECONDS_PER_DAY
}

/// Whether a miner may go live, and what is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Eligibility {
    /// Days of the last seven that count.
    pub days: u64,
    /// What is missing; empty for an eligible miner.
    pub missing: Vec<String>,
}

impl Eligibility {
    /// Of a miner before a round that starts at `start` (seconds since 1970).
    #[must_use]
    pub fn of(job: &Job, reputation: &Reputation, days: &BTreeMap<u64, Day>, start: u64, authenticated: bool) -> Self {
        let today = day_of(start);
        let first = today.saturating_sub(PARTICIPATION_DAYS);
        let counted = days.range(first..today).filter(|(_, day)| day.counts()).count() as u64;
        let mut missing = Vec::new();
        if counted < PARTICIPATION_DAYS {
            missing.push(format!("{counted} of {PARTICIPATION_DAYS} days with at least half of the rounds answered"));
        }
        if reputation.combined() <= 0 {
            missing.push("the combined score is not above zero".to_owned());
        }
        if reputation.scored_rounds < job.live_minimum_rounds {
            missing.push(format!("{} of {} scored rounds", reputation.scored_rounds, job.live_minimum_rounds));
        }
        if job.live_needs_confidence && !reputation.beats_hold() {
            missing.push("the 95 % lower bound of the mean score is not above holding".to_owned());
        }
        if !authenticated {
            missing.push("its answers are not signed and sealed".to_owned());
        }
        Self { days: counted, missing }
    }

    /// Whether nothing is missing.
    #[must_use]
    pub fn is_eligible(&self) -> bool {
        self.missing.is_empty()
    }
}
