//! What a policy answers on one fixed window of generated candles: two models that answer
//! alike there are near duplicates, whatever their weights.

use assay_types::{Candle, Target, Timeframe};

use crate::error::JobError;
use crate::jobs::runs::LoadedRun;
use crate::sample::sample_candles;

/// Closes at which the policy is asked.
pub const PROBE_CLOSES: usize = 4_096;
/// Seed of the window's candles.
const SEED: u64 = 0x70726f6265;
/// Candles before the window, so that every indicator is warm.
const HISTORY: usize = 1_024;
/// The account's inputs that the closes take turns with: flat, long in profit, short at a loss.
const ACCOUNTS: [[f32; 2]; 3] = [[0.0, 0.0], [1.0, 0.01], [-1.0, -0.01]];
/// Answers in one hexadecimal digit.
const ANSWERS_PER_DIGIT: usize = 2;

/// The answers of `run`'s policy, two bits each in hexadecimal digits.
///
/// The candles open in steps of the run's own timeframe, so that every model sees the same
/// prices in the time it was made for.
pub(crate) fn probe(run: &LoadedRun) -> Result<String, JobError> {
    let timeframe: Timeframe = run.config.dataset.timeframe;
    let mut strategy = run.strategy()?;
    let candles = sample_candles(SEED);
    let first = candles.open_time_ms[0];
    let step = timeframe.ms();
    let mut answers = Vec::with_capacity(PROBE_CLOSES);
    for (index, candle) in candles.iter().take(HISTORY + PROBE_CLOSES).enumerate() {
        let open_time_ms = first + i64::try_from(index).unwrap_or(i64::MAX / step) * step;
        let candle = Candle { open_time_ms, ..candle };
        if index < HISTORY {
            strategy.observe(&candle)?;
        } else {
            answers.push(strategy.decide(&candle, ACCOUNTS[index % ACCOUNTS.len()])?.target);
        }
    }
    Ok(packed(&answers))
}

/// The share of answers in which two probes agree; `None` when they are not of one kind.
#[must_use]
pub fn agreement(a: &str, b: &str) -> Option<f64> {
    let (a, b) = (unpacked(a)?, unpacked(b)?);
    if a.is_empty() || a.len() != b.len() {
        return None;
    }
    let same = a.iter().zip(&b).filter(|(a, b)| a == b).count();
    Some(same as f64 / a.len() as f64)
}

fn packed(answers: &[Target]) -> String {
    let code = |target: &Target| match target {
        Target::Flat => 0,
        Target::Long => 1,
        Target::Short => 2,
    };
    let digit = |pair: &[Target]| {
        let value = pair.iter().fold(0, |value, target| value << 2 | code(target));
        char::from_digit(value, 16).expect("two answers are four bits")
    };
    answers.chunks(ANSWERS_PER_DIGIT).map(digit).collect()
}

fn unpacked(probe: &str) -> Option<Vec<u32>> {
    let digits: Option<Vec<u32>> = probe.chars().map(|digit| digit.to_digit(16)).collect();
    Some(digits?.into_iter().flat_map(|digit| [digit >> 2, digit & 3]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agreement_counts_answers() {
        let mut answers = vec![Target::Long; PROBE_CLOSES];
        let all = packed(&answers);
        assert_eq!(all.len(), PROBE_CLOSES / 2);
        assert_eq!(agreement(&all, &all), Some(1.0));
        for index in 0..4 {
            answers[index * 7] = Target::Short;
        }
        let close = agreement(&all, &packed(&answers)).unwrap();
        assert!((close - (1.0 - 4.0 / PROBE_CLOSES as f64)).abs() < 1e-12);
        assert_eq!(agreement(&all, "zz"), None);
        assert_eq!(agreement(&all, &all[2..]), None);
    }
}
