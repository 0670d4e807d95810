//! The judgement on rounds that neither training nor the choice of the checkpoint saw:
//! against holding and every built-in strategy, good or bad.

use assay_lp::fixed::ONE;
use assay_lp::{Job, RoundRecord, Strategy, hold_score};
use assay_sim::{Bootstrap, mean_interval};
use serde::Serialize;

use super::PolicyMiner;
use crate::error::JobError;
use crate::jobs::lp::miners::Miner;
use crate::jobs::lp::own::Own;
use crate::jobs::lp::round::Runner;
use crate::jobs::lp::scores::{Sums, Total};

/// Seconds of rounds that belong together.
const BLOCK_SECONDS: u64 = 86_400;

/// A miner on the held-out rounds.
#[derive(Debug, Clone, Serialize)]
pub struct HeldOut {
    /// Its results.
    #[serde(flatten)]
    pub total: Total,
    /// Block-bootstrap 95 % interval of the mean score beyond holding; `None` when there
    /// are too few rounds.
    pub over_hold_interval: Option<[f64; 2]>,
}

/// What the held-out rounds say of the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The whole interval is above zero.
    BeatsHolding,
    /// The whole interval is below zero.
    LosesToHolding,
    /// Zero is inside, or there are too few rounds for an interval.
    NotToldApart,
}

impl Verdict {
    fn of(interval: Option<[f64; 2]>) -> Self {
        match interval {
            Some([low, _]) if low > 0.0 => Self::BeatsHolding,
            Some([_, high]) if high < 0.0 => Self::LosesToHolding,
            _ => Self::NotToldApart,
        }
    }

    /// The verdict for people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::BeatsHolding => "beats holding: the whole 95 % interval is above zero",
            Self::LosesToHolding => "loses to holding: the whole 95 % interval is below zero",
            Self::NotToldApart => "not told apart from holding: zero is inside the 95 % interval",
        }
    }
}

/// Runs the held-out rounds; the policy's own row is named by `policy.name()`.
///
/// # Errors
/// [`JobError`] when the history does not hold the rounds or their books do not balance.
pub fn judge(
    runner: &mut Runner<'_>,
    job: &Job,
    policy: &PolicyMiner,
    rounds: std::ops::RangeInclusive<u64>,
) -> Result<(Vec<HeldOut>, Verdict, Option<f64>), JobError> {
    let strategies = Strategy::baselines(job).into_iter().map(|strategy| strategy.for_job(job));
    let strategies = strategies.collect::<Result<Vec<_>, _>>().map_err(|error| JobError::Input(error.to_string()))?;
    let mut miners: Vec<Miner> = strategies.into_iter().map(|strategy| Miner::Own(Own::BuiltIn(strategy))).collect();
    miners.push(Miner::Own(Own::Policy(Box::new(policy.clone()))));
    miners.sort_by_key(Miner::name);
    let mut series: Vec<Vec<f64>> = vec![Vec::new(); miners.len()];
    let mut sums = Vec::new();
    for number in rounds {
        let record = runner.round_of(number, &mut miners)?;
        let fail = |error| super::super::failed(&record.round_id, &error);
        Sums::add(&mut sums, &record).map_err(fail)?;
        let hold = hold(&record)?;
        for (series, miner) in series.iter_mut().zip(&record.miners) {
            series.push((miner.judgement.score - hold) as f64 / ONE as f64);
        }
    }
    let block = usize::try_from(BLOCK_SECONDS.div_ceil(job.round_duration_seconds)).unwrap_or(usize::MAX);
    let names: Vec<String> = miners.iter().map(Miner::name).collect();
    let mut table = Vec::with_capacity(miners.len());
    for total in Sums::totals(&sums) {
        let own = names.iter().position(|name| *name == total.miner).map_or(&[][..], |place| &series[place]);
        // A block of everything says nothing of how results vary.
        let interval = if own.len() > block { mean_interval(own, block, &Bootstrap::default())? } else { None };
        table.push(HeldOut { total, over_hold_interval: interval.map(|interval| [interval.low, interval.high]) });
    }
    let row = table.iter().find(|row| row.total.miner == policy.name());
    let verdict = Verdict::of(row.and_then(|row| row.over_hold_interval));
    let own = names.iter().position(|name| name == policy.name()).map_or(&[][..], |place| &series[place]);
    Ok((table, verdict, sharpe(own)))
}

fn hold(record: &RoundRecord) -> Result<i128, JobError> {
    let hold = hold_score(&record.job, record.start_sqrt_price_x96, record.end_sqrt_price_x96);
    hold.map_err(|error| super::super::failed(&record.round_id, &error))
}

/// Mean over standard deviation of a round's score beyond holding; `None` when it does not vary.
fn sharpe(values: &[f64]) -> Option<f64> {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / (count - 1.0);
    (variance > 0.0).then(|| mean / variance.sqrt())
}
